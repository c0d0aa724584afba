"""The FILE of `lodestep run`."""

from pathlib import Path

import pytest

from lodestep.cli import package
from lodestep.errors import InvalidInput, LodestepError, NotFound

HELLO = """
from kfp import dsl

@dsl.component
def greet(name: str) -> str:
    return name

@dsl.pipeline
def first(name: str = "x") -> str:
    return greet(name=name).output
"""
SECOND = """
@dsl.pipeline
def second():
    greet(name="y")
"""

pytest.importorskip("kfp", reason="kfp is what compiles Python files")


def _file(folder: Path, text: str, name: str = "made.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_python_file_with_one_pipeline_is_compiled(tmp_path: Path) -> None:
    assert package.read(_file(tmp_path, HELLO)).name == "first"


def test_what_the_file_prints_does_not_reach_our_output(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    package.read(_file(tmp_path, HELLO + "\nprint('noise')\n"))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "noise" in captured.err


def test_the_file_sees_its_own_folder_and_its_main_block_stays_quiet(tmp_path: Path) -> None:
    _file(tmp_path, HELLO, "beside.py")
    text = (
        "from kfp import dsl\nfrom beside import greet\n"
        + SECOND
        + "\nif __name__ == '__main__':\n    raise SystemExit(9)\n"
    )
    assert package.read(_file(tmp_path, text)).name == "second"


def test_several_pipelines_need_a_choice(tmp_path: Path) -> None:
    path = _file(tmp_path, HELLO + SECOND)
    with pytest.raises(InvalidInput) as refused:
        package.read(path)
    assert "2 pipelines in made.py: first, second" in str(refused.value)
    assert "--function" in refused.value.hint
    assert package.read(path, function="second").name == "second"
    with pytest.raises(InvalidInput, match="no pipeline 'third'"):
        package.read(path, function="third")


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("x = 1\ny = x / 0\n", "ZeroDivisionError", 2),
        ("def broken(:\n", "SyntaxError", 1),
        ("import nothing_of_this_name\n", "ModuleNotFoundError", 1),
        (HELLO + "\n@dsl.pipeline\ndef bad():\n    greet(nam='x')\n", "nam", 0),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, said: str, line: int) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(InvalidInput) as refused:
        package.read(path)
    assert said in refused.value.message
    assert refused.value.place.startswith(f"{path}:{line or ''}")


def test_a_file_without_a_pipeline_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no pipeline in made\.py"):
        package.read(_file(tmp_path, "x = 1\n"))


def test_a_file_that_ends_the_interpreter_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ended the interpreter"):
        package.read(_file(tmp_path, "raise SystemExit(3)\n"))


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    _file(tmp_path, HELLO, "pipeline.py")
    with pytest.raises(NotFound) as refused:
        package.read(tmp_path / "pipelin.py")
    assert "pipeline.py" in refused.value.hint


@pytest.mark.parametrize("name", ["data.csv", "noext"])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="expected a Python file"):
        package.read(_file(tmp_path, "x", name))


def test_folders_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        package.read(tmp_path)
    with pytest.raises(LodestepError) as refused:
        package.read(_file(tmp_path, "a: [", "broken.yaml"))
    assert "broken.yaml" in refused.value.place
