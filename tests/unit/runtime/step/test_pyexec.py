"""Python steps: how their exceptions are told, which `kfp` they get, and components that stand in their image."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lodestep import runtime
from tests.unit.runtime.step.stepping import BARE, HEAD, Ended, run

LINES = HEAD.count("\n")


def _f(*lines: str, result: str = "str") -> str:
    return f"def f() -> {result}:\n" + "".join(f"    {line}\n" for line in lines)


# exceptions


def test_an_exception_is_told_from_the_component_on(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("x = 'three'", "raise ValueError(f'{x} is too many')"))
    assert ended.code == 1
    assert ended.error == {
        "type": "ValueError",
        "message": "three is too many",
        "traceback": "Traceback (most recent call last):\n"
        f'  File "component f", line {LINES + 3}, in f\n'
        "    raise ValueError(f'{x} is too many')\n"
        "ValueError: three is too many\n",
    }
    assert ended.err == ended.error["traceback"]


def test_calls_within_the_component_and_beyond_are_shown(tmp_path: Path) -> None:
    work = {"mine.py": "def divide(a):\n    return 1 / a\n"}
    ended = run(tmp_path, "def g(a):\n    import mine\n    mine.divide(a)\n\n" + _f("g(0)"), work=work)
    frames = [line.strip() for line in ended.error["traceback"].splitlines() if line.strip().startswith("File")]
    assert [frame.rpartition(" in ")[2] for frame in frames] == ["f", "g", "divide"]
    assert frames[0].startswith('File "component f"')
    assert frames[1].startswith('File "component f"')
    assert str(tmp_path / "work" / "mine.py") in frames[2]
    assert "return 1 / a" in ended.error["traceback"]


def test_what_led_to_an_exception_is_shown_too(tmp_path: Path) -> None:
    lines = ("try: 1 / 0", "except ZeroDivisionError as error: raise KeyError('k') from error")
    ended = run(tmp_path, _f(*lines))
    traceback = ended.error["traceback"]
    assert traceback.index("ZeroDivisionError") < traceback.index("direct cause") < traceback.index("KeyError: 'k'")
    assert traceback.count('File "component f"') == 2
    assert "runtime" not in traceback


def test_a_group_of_exceptions_is_shown(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])"))
    assert ended.error["type"] == "ExceptionGroup"
    assert "ValueError: a" in ended.error["traceback"]


def test_frames_of_the_run_time_part_are_cut_at_the_end_too(tmp_path: Path) -> None:
    source = "def f(m: Output[ClassificationMetrics]):\n    m.log_confusion_matrix_row('a', [1])\n"
    ended = run(tmp_path, source, artifacts={"m": "system.ClassificationMetrics"})
    assert ended.error["type"] == "ValueError"
    assert "set the categories first" in ended.error["message"]
    told = [line.strip() for line in ended.error["traceback"].splitlines() if line.strip(" ~^")]  # 3.13 underlines
    assert told[-2] == "m.log_confusion_matrix_row('a', [1])"
    assert "shim" not in ended.error["traceback"]


@pytest.mark.parametrize(
    ("lines", "kind", "message"),
    [
        (["return 1"], "TypeError", "f(): output 'Output' is declared as str, the returned value is a int: 1"),
        (["class A: pass", "return A()"], "TypeError", "declared as str"),
        (["1 +"], "SyntaxError", "invalid syntax"),
        (["import no_such_module"], "ModuleNotFoundError", "No module named 'no_such_module'"),
        (["raise KeyboardInterrupt"], "KeyboardInterrupt", ""),
        (["class Bad(Exception):", "    def __str__(self): 1 / 0", "raise Bad()"], "Bad", "cannot be shown"),
        (["raise MemoryError"], "MemoryError", ""),
        (["raise ValueError('x' * 100_000)"], "ValueError", "x" * 20_000),
        (["raise ValueError('\\ud800 \\x00')"], "ValueError", "\ud800 \x00"),
    ],
)
def test_every_exception_has_a_type_and_a_message(tmp_path: Path, lines: list[str], kind: str, message: str) -> None:
    ended = run(tmp_path, _f(*lines))
    assert ended.code == 1
    assert ended.error["type"] == kind
    assert message in ended.error["message"]
    assert len(ended.error["message"]) <= 20_000
    assert len(ended.error["traceback"]) < 45_000
    assert "lodestep" not in ended.error["traceback"]


def test_errors_of_the_contract_have_no_frames(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("return 1"))
    assert ended.error["traceback"] == f"TypeError: {ended.error['message']}\n"


def test_a_syntax_error_shows_its_line(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("return 1 +"))
    assert f'File "component f", line {LINES + 2}' in ended.error["traceback"]
    assert "return 1 +" in ended.error["traceback"]


def test_an_error_is_told_whatever_became_of_the_streams(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("import sys", "sys.stdout = sys.stderr = None", "raise ValueError('still')"))
    assert "ValueError: still" in ended.err
    assert ended.error["message"] == "still"


def test_an_exit_is_no_exception(tmp_path: Path) -> None:
    ended = run(tmp_path, _f("import sys", "sys.exit('words')"))
    assert (ended.code, ended.error, ended.err) == (1, {}, "words\n")


def test_a_mutant_that_shows_all_frames_is_caught(tmp_path: Path) -> None:
    mutant = tmp_path / "mutant"
    shutil.copytree(Path(runtime.__file__).parent, mutant, ignore=shutil.ignore_patterns("__pycache__"))
    text = (mutant / "blame.py").read_text()
    assert text.count("    _trim(error, path, set())\n") == 1
    (mutant / "blame.py").write_text(text.replace("    _trim(error, path, set())\n", ""))
    ended = run(tmp_path / "step", _f("raise ValueError('x')"), runtime_folder=mutant)
    assert "pyexec.py" in ended.error["traceback"]


# which kfp


def _sdk(path: Path, *lines: str, needs_sdk: bool = False, python: str = sys.executable) -> Ended:
    return run(path, _f(*lines), needs_sdk=needs_sdk, python=python)


def test_the_run_time_part_serves_mostly(tmp_path: Path) -> None:
    ended = _sdk(tmp_path, "return kfp.__version__ + kfp.dsl.Dataset.__module__ + kfp.__file__")
    assert "2.17" in ended.output["parameterValues"]["Output"]
    assert "shim" in ended.output["parameterValues"]["Output"]


def test_an_installed_sdk_serves_where_the_source_needs_it(tmp_path: Path) -> None:
    lines = ("from kfp import compiler", "import kfp.dsl.pipeline_task", "return kfp.__file__ + compiler.__file__")
    ended = _sdk(tmp_path, *lines, needs_sdk=True)
    assert ended.error == {}
    assert "shim" not in ended.output["parameterValues"]["Output"]


def test_errors_by_way_of_the_sdk_are_told_alike(tmp_path: Path) -> None:
    ended = _sdk(tmp_path, "from kfp import compiler", "raise ValueError('x')", needs_sdk=True)
    assert ended.error["traceback"].splitlines()[1].startswith('  File "component f"')


def test_an_installed_sdk_serves_a_package_that_needs_it(tmp_path: Path) -> None:
    """What the component itself holds stays: the two live beside each other."""
    work = {
        "mine.py": "from kfp.compiler import Compiler\nfrom kfp import dsl\n\ndef made(uri):\n"
        "    return dsl.Dataset(uri=uri, metadata={'by': Compiler.__name__})\n"
    }
    source = (
        "def f(a: Output[Dataset]) -> NamedTuple('O', [('b', Dataset), ('same', bool)]):\n"
        "    before = kfp.dsl.Dataset\n    import mine\n    a.metadata['k'] = 1\n"
        "    return (mine.made(dsl.get_uri('b')), before is dsl.Dataset and isinstance(a, Dataset))\n"
    )
    ended = run(tmp_path, source, work=work, artifacts={"a": "system.Dataset", "b": "system.Dataset"})
    assert ended.error == {}
    assert ended.output["parameterValues"] == {"same": True}
    made = ended.output["artifacts"]
    assert made["a"]["artifacts"][0]["metadata"] == {"k": 1}
    assert made["b"]["artifacts"][0]["metadata"] == {"by": "Compiler"}
    assert made["b"]["artifacts"][0]["uri"].startswith(str(tmp_path))


@pytest.mark.parametrize("needs_sdk", [True, False])
@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("from kfp import compiler", "ModuleNotFoundError"),
        ("import kfp.client", "ModuleNotFoundError"),
        ("from kfp.kubernetes import mount_pvc", "ModuleNotFoundError"),
        ("kfp.Client(host='x')", "AttributeError"),
        ("kfp.components", "AttributeError"),
    ],
)
def test_without_the_sdk_it_is_said_what_to_do(tmp_path: Path, line: str, kind: str, needs_sdk: bool) -> None:
    ended = _sdk(tmp_path, line, needs_sdk=needs_sdk, python=BARE)
    assert ended.error["type"] == kind
    assert "the SDK is not installed" in ended.error["message"]
    assert "add 'kfp' to packages_to_install" in ended.error["message"]
    assert line in ended.error["traceback"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dsl.ParallelFor([1])", "kfp.dsl.ParallelFor is not there inside a step"),
        ("from kfp.dsl import If", "kfp.dsl.If is not there inside a step"),
        ("kfp.no_such_thing", "kfp.no_such_thing is not there inside a step"),
        ("dsl.run_notebook()", "notebook components"),
    ],
)
def test_names_that_steps_do_not_have(tmp_path: Path, line: str, words: str) -> None:
    ended = _sdk(tmp_path, line, python=BARE)
    assert words in ended.error["message"]


def test_looking_for_a_private_name_is_quiet(tmp_path: Path) -> None:
    ended = _sdk(tmp_path, "return str(hasattr(kfp, '__wrapped__') or hasattr(dsl, '__wrapped__'))", python=BARE)
    assert ended.output["parameterValues"] == {"Output": "False"}


# components in images

IN_IMAGE = """
from kfp import dsl
import helper

@dsl.component(base_image="python:3.11", target_image="example/x:1")
def train(n: int, model: dsl.Output[dsl.Model]) -> str:
    open(model.path, "w").write(helper.shout("w" * n))
    return "done"
"""
CONFIG = "[Components]\ntrain = src/training.py\n"


def _project(folder: Path) -> str:
    """A project with a virtual environment, and components in files. Returns the interpreter."""
    (folder / "src").mkdir(parents=True)
    (folder / "kfp_config.ini").write_text(CONFIG)
    (folder / "src" / "training.py").write_text(IN_IMAGE)
    (folder / "src" / "helper.py").write_text("def shout(text):\n    return text.upper()\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    return str(folder / ".venv" / "bin" / "python")


def test_a_component_is_found_beside_the_environment_that_stands_in(tmp_path: Path) -> None:
    python = _project(tmp_path / "project")
    step = tmp_path / "step"
    ended = run(step, None, python=python, function="train", artifacts={"model": "system.Model"}, n=3)
    assert ended.error == {}
    assert ended.output["parameterValues"] == {"Output": "done"}
    assert (step / "outputs" / "model").read_text() == "WWW"


def test_a_component_is_found_below_an_environment_of_packages(tmp_path: Path) -> None:
    base = _project(tmp_path / "project")
    upper = tmp_path / "environments" / "digest"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(upper)], check=True)
    (upper / "lodestep.json").write_text(json.dumps({"base": base}))
    ended = run(tmp_path / "step", None, python=str(upper / "bin" / "python"), function="train", n=1)
    assert ended.error["type"] == "AttributeError"  # it was found and called: its output was not given here
    assert "training.py" in ended.error["traceback"].splitlines()[1]


def test_a_component_that_is_not_here_is_told_so(tmp_path: Path) -> None:
    ended = run(tmp_path, None, function="train")
    assert ended.code == 126
    assert ended.error["type"] == "CannotRun"
    assert "the source of the component 'train' is inside its image" in ended.error["message"]
    assert "[runner.images]" in ended.error["message"]
    assert ended.err.strip() == ended.error["message"]


def test_an_unreadable_config_is_told_so(tmp_path: Path) -> None:
    ended = run(tmp_path, None, function="train", work={"kfp_config.ini": "train = x"})
    assert ended.error["type"] == "CannotRun"
    assert "kfp_config.ini cannot be read" in ended.error["message"]


def test_a_file_without_the_function_is_told_so(tmp_path: Path) -> None:
    work = {"kfp_config.ini": "[Components]\ntrain = t.py\n", "t.py": "x = 1\n"}
    ended = run(tmp_path, None, function="train", work=work)
    assert ended.error["type"] == "AttributeError"
    assert "the component has no function 'train'" in ended.error["message"]


# other interpreters


def _others() -> list[str]:
    """Interpreters of other versions on this machine."""
    found: dict[str, str] = {}
    for minor in range(9, 16):
        name = f"python3.{minor}"
        for place in (shutil.which(name), *Path(sys.base_prefix).parent.glob(f"3.{minor}.*/bin/python3")):
            if place and minor != sys.version_info.minor and name not in found:
                said = subprocess.run([place, "-c", "pass"], capture_output=True, check=False)
                if said.returncode == 0:
                    found[name] = str(place)
    return list(found.values())


EVERYTHING = textwrap.dedent(
    """
    def f(n: int, a: Output[Dataset], c: Output[ClassificationMetrics], p: OutputPath(str), x: Optional[str] = None,
          s: PipelineTaskFinalStatus = None, t: 'Optional[int]' = 2,
          ) -> NamedTuple('O', [('n', int), ('d', Dict[str, int])]):
        import inspect, logging
        logging.info('seen')
        assert inspect.getsource(f).startswith('def f'), inspect.getsource(f)
        c.log_confusion_matrix(['a'], [[1]])
        open(a.path, 'w').write(dsl.get_uri())
        return (n + t, {'k': 1})
    """
)


@pytest.mark.skipif(not _others(), reason="no other interpreter is on this machine")
def test_any_interpreter_from_3_9_runs_steps(tmp_path: Path) -> None:
    for number, python in enumerate(_others()):
        artifacts = {"a": "system.Dataset", "c": "system.ClassificationMetrics"}
        ended = run(tmp_path / f"good{number}", EVERYTHING, python=python, artifacts=artifacts, n=1)
        assert ended.error == {}, python
        assert ended.output["parameterValues"] == {"n": 3, "d": {"k": 1}}
        assert "INFO] seen" in ended.out
        ended = run(tmp_path / f"bad{number}", _f("raise ValueError('x')"), python=python)
        assert ended.error["type"] == "ValueError"
        assert 'File "component f"' in ended.error["traceback"]
        assert "lodestep" not in ended.error["traceback"]


def test_the_run_time_part_is_imported_in_a_moment(tmp_path: Path) -> None:
    """It is imported once a host, but a host is started for each environment."""
    probe = (
        "import sys, time, inspect, json, logging, typing\n"
        "sys.path.insert(0, sys.argv[1])\nstart = time.process_time()\n"
        "import kfp.dsl.types.type_annotations\nprint(time.process_time() - start)\n"
    )
    shim = Path(runtime.__file__).parent / "shim"
    took = [
        float(subprocess.run([BARE, "-I", "-c", probe, str(shim)], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(took) < 0.010
