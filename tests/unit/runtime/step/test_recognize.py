"""Launch commands of Python components: those of every release are understood, and nothing else is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lodestep.runtime import recognize as subject
from lodestep.runtime.recognize import PythonStep, recognize

GOLDENS = Path(__file__).parent / "goldens"
CONFORMANCE = Path(__file__).parents[5] / "shared" / "conformance" / "pipelines"
INDEX = "https://user:secret@packages.example/simple"
MORE = "https://more.example:8443/simple"
PANDAS = {"packages": ["pandas"]}
ON_MORE = {**PANDAS, "index_urls": [MORE]}

# What each case asks for, whatever release compiled it.
EXPECTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "one_package": {"packages": ["pandas==2.2.0"]},
    "marker": {"packages": ["tomli>=2; python_version < '3.11'", 'six; extra == "a"']},
    "extras": {"packages": ["dask[array,dataframe]>=2024.1,<2025", "git+https://example.org/a.git@main#egg=a"]},
    "one_index": {**PANDAS, "index_urls": [INDEX], "trusted_hosts": ["packages.example"]},
    "two_indexes": {
        **PANDAS,
        "index_urls": [INDEX, MORE],
        "trusted_hosts": ["packages.example", "more.example:8443"],
    },
    "index_alone": {"index_urls": [INDEX], "trusted_hosts": ["packages.example"]},
    "trusted": {**ON_MORE, "trusted_hosts": ["more.example"]},
    "trusts_none": ON_MORE,
    "no_sdk": {},
    "no_sdk_package": PANDAS,
    "sdk_path": {},
    "sdk_path_package": PANDAS,
    "sdk_pull": {},
    "user_sdk": {},  # the run-time part is all that the source needs
    "user_sdk_and_more": {"packages": ["kfp", "pandas"]},
    "kubernetes": {"packages": ["kfp-kubernetes"]},
    "options": {"packages": ["--pre", f"--extra-index-url={MORE}", "torch"]},
    "use_venv": {},
    "use_venv_package": {**ON_MORE, "trusted_hosts": ["more.example:8443"]},
    "in_image": {},
    "in_image_package": PANDAS,
    "embedded": {},
    "helped": {},
    "notebook": {"packages": ["nbclient>=0.10,<1", "ipykernel>=6,<7", "jupyter_client>=7,<9"]},
    "notebook_bare": {},
}
# Newer releases pin more of what a notebook needs.
NOTEBOOK_MORE = "fastjsonschema"


def _goldens() -> list[Any]:
    found: list[Any] = []
    for path in sorted(GOLDENS.glob("kfp-*.json")):
        golden = json.loads(path.read_text())
        found += [pytest.param(name, argv, id=f"{golden['kfp']}-{name}") for name, argv in golden["commands"].items()]
    return found


@pytest.mark.parametrize(("name", "argv"), _goldens())
def test_what_compilers_write_is_understood(name: str, argv: list[str]) -> None:
    step = recognize(argv)
    assert step is not None
    assert step.executor_input == "{{$}}"
    assert step.function == ("nb" if name.startswith("notebook") else "shout")
    expected = EXPECTED[name]
    packages = [package for package in step.packages if not package.startswith(NOTEBOOK_MORE)]
    assert packages == expected.get("packages", [])
    assert step.index_urls == expected.get("index_urls", [])
    assert step.trusted_hosts == expected.get("trusted_hosts", [])
    assert not step.needs_sdk
    if name.startswith("in_image"):
        assert step.source is None
    else:
        assert step.source is not None
        compile(step.source, name, "exec")


def test_every_release_has_a_golden() -> None:
    releases = {json.loads(path.read_text())["kfp"].rpartition(".")[0] for path in GOLDENS.glob("kfp-*.json")}
    assert releases == {"2.0", "2.4", "2.7", "2.9", "2.11", "2.14", "2.17"}


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="the conformance data is not beside this checkout")
def test_the_commands_of_published_pipelines_are_understood() -> None:
    seen = 0
    for path in CONFORMANCE.rglob("*.yaml"):
        document = next(yaml.safe_load_all(path.read_text()))
        for label, executor in document["deploymentSpec"].get("executors", {}).items():
            container = executor.get("container", {})
            argv = [*container.get("command", []), *container.get("args", [])]
            if any("executor_main" in str(word) for word in argv):
                seen += 1
                assert recognize(argv) is not None, f"{path.name}: {label}"
            else:
                assert recognize([str(word) for word in argv]) is None, f"{path.name}: {label}"
    assert seen > 100


# commands that only look like it

PROGRAM = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path"
    '                         "$program_path/ephemeral_component.py"                         "$@"\n'
)
HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n"
SOURCE = HEAD + "\ndef go(a: int):\n    pass\n\n"
ARGUMENTS = ["--executor_input", "{}", "--function_to_execute", "go"]


def _script(installs: str) -> str:
    return (
        '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user'
        f' || apt-get install python3-pip\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1 {installs} && "$0" "$@"\n'
    )


def _argv(
    script: str | None = None,
    program: str = PROGRAM,
    source: str = SOURCE,
    arguments: list[str] | None = None,
) -> list[str]:
    start = [] if script is None else ["sh", "-c", script]
    return [*start, "sh", "-ec", program, source, *(ARGUMENTS if arguments is None else arguments)]


PIP = "python3 -m pip install --quiet --no-warn-script-location "


def test_the_pattern_of_these_tests_is_understood() -> None:
    assert recognize(_argv()) == PythonStep("go", "{}", SOURCE)
    step = recognize(_argv(_script(PIP + "'a' && " + PIP + "'b'")))
    assert step is not None
    assert step.packages == ["a", "b"]


@pytest.mark.parametrize(
    "script",
    [
        _script(PIP + "'a' && apt-get install -y graphviz"),
        _script("apt-get install -y graphviz && " + PIP + "'a'"),
        _script(PIP + "'a'; rm -rf /data"),
        _script(PIP + "'a' || true"),
        _script(PIP + "'a' | tee log"),
        _script(PIP + "'a' > log"),
        _script(PIP + "'a' &"),
        _script(PIP + "'a'\nexport TOKEN=1\n"),
        _script(PIP + '"$(cat packages)"'),
        _script(PIP + "$PACKAGES"),
        _script(PIP + "`cat packages`"),
        _script(PIP + "*.whl"),
        _script(PIP + "'open"),
        _script(PIP + "-r requirements.txt"),
        _script(PIP + "-e ."),
        _script(PIP + "--target /opt/packages 'a'"),
        _script(PIP + "--index-url"),
        _script("python3 -m pip download 'a'"),
        _script("python3.9 -m pip install 'a'"),
        _script("conda install a"),
        _script(PIP + "'a'").replace("fi\n", "fi\napt-get update\n"),
        _script(PIP + "'a'").replace('"$0" "$@"', 'echo "$0" "$@"'),
        _script(PIP + "'a'") + "echo done\n",
        _script(PIP + "'a'").replace("PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_TARGET=/opt"),
        'exec "$0" "$@"',
        '"$0" "$@"',
        "",
    ],
)
def test_a_script_that_does_more_is_left_as_it_is(script: str) -> None:
    argv = _argv(script)
    assert recognize(argv) is None or script == ""
    if script == "":  # nothing at all is not what a compiler writes, but it installs nothing either
        assert recognize(argv) == PythonStep("go", "{}", SOURCE)


@pytest.mark.parametrize(
    "program",
    [
        PROGRAM + "cp /data/* .\n",
        "set -x\n" + PROGRAM,
        PROGRAM.replace("kfp.dsl.executor_main", "kfp.v2.components.executor_main"),
        PROGRAM.replace("kfp.dsl.executor_main", "mine.executor_main"),
        PROGRAM.replace("python3", "python3.9"),
        PROGRAM.replace("python3", "torchrun"),
        PROGRAM.replace("_KFP_RUNTIME=true", "_KFP_RUNTIME=true DEBUG=1"),
        PROGRAM.replace("ephemeral_component", "component"),
        PROGRAM.replace('"$@"', '"$@" --more'),
        'echo "python3 -m kfp.dsl.executor_main ephemeral_component.py"',
    ],
)
def test_a_program_that_does_more_is_left_as_it_is(program: str) -> None:
    assert recognize(_argv(program=program)) is None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ARGUMENTS[:2],
        [*ARGUMENTS, "--verbose"],
        [*ARGUMENTS, "--more", "1"],
        ["--executor_input", "{}", "--function_to_execute", "other"],
        ["--executor_input", "{}", "--function_to_execute", "a b"],
        ["--executor_input", "{}", "--executor_input", "{}"],
        ["--executor_input={}", "--function_to_execute=go"],
    ],
)
def test_other_arguments_are_left_as_they_are(arguments: list[str]) -> None:
    assert recognize(_argv(arguments=arguments)) is None
    assert recognize(["python3", "-m", "kfp.dsl.executor_main", *arguments]) is None or "other" in arguments


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sh"],
        ["sh", "-c", "echo hi"],
        ["sh", "-c", "python3 -m kfp.dsl.executor_main", *ARGUMENTS],
        ["bash", "-ec", PROGRAM, SOURCE, *ARGUMENTS],
        ["python3", "-m", "kfp.dsl.executor_main"],
        ["python3", "-m", "kfp.dsl.executor_main", "--help"],
        ["python3.9", "-m", "kfp.dsl.executor_main", *ARGUMENTS],
        ["/opt/python3", "-m", "kfp.dsl.executor_main", *ARGUMENTS],
        ["python3", "-m", "kfp.v2.components.executor_main", *ARGUMENTS],
        ["echo", *_argv()],
    ],
)
def test_other_commands_are_left_as_they_are(argv: list[str]) -> None:
    assert recognize(argv) is None


@given(st.integers(0, 7), st.sampled_from(" ;&|$`'\"\\\n#x0"), st.integers(0, 400))
def test_a_changed_character_never_changes_what_is_installed(place: int, character: str, at: int) -> None:
    """Put a character anywhere into the scripts: the step is the same, is not understood, or has another package."""
    argv = _argv(_script(PIP + "'pandas'"))
    place = (2, 5)[place % 2]
    text = argv[place]
    at %= len(text) + 1
    argv[place] = text[:at] + character + text[at:]
    step = recognize(argv)
    if step is not None and place == 2:
        assert len(step.packages) == 1
        changed = step.packages[0].replace(character, "", 1) if step.packages[0] != "pandas" else "pandas"
        assert changed == "pandas"
    elif step is not None:
        assert step.packages == ["pandas"]


_WORD = st.one_of(st.sampled_from(["sh", "-c", "-ec", PROGRAM, SOURCE, *ARGUMENTS, _script(PIP + "'a'")]), st.text())


@given(st.lists(_WORD, max_size=12))
def test_any_command_has_an_answer(argv: list[str]) -> None:
    step = recognize(argv)
    assert step is None or (step.source == SOURCE and step.function == "go")


def test_a_large_source_is_looked_at_in_a_moment() -> None:
    """Embedded artifacts are megabytes of one line."""
    argv = _argv(source=SOURCE + f"DATA = '{'QUJD' * 2_000_000}'\n")
    start = time.process_time()
    assert recognize(argv) is not None
    assert time.process_time() - start < 2.0


# the SDK


@pytest.mark.parametrize(
    ("line", "is_needed"),
    [
        ("from kfp import dsl", False),
        ("from kfp import dsl as d", False),
        ("from kfp import dsl  # the DSL", False),
        ("from kfp import (dsl)", False),
        ("import kfp.dsl", False),
        ("from kfp.dsl import Dataset", False),
        ("from kfp.dsl.types.artifact_types import Dataset", False),
        ("print(kfp.__version__)", False),
        ("import kfpx.client", False),
        ("from kfp import compiler", True),
        ("from kfp import dsl, compiler", True),
        ("    from kfp import Client", True),
        ("import kfp.client", True),
        ("from kfp.client import Client", True),
        ("from kfp.kubernetes import mount_pvc", True),
        ("client = kfp.Client(host='x')", True),
        ("kfp.compiler.Compiler()", True),
    ],
)
def test_a_source_that_needs_the_whole_sdk_says_so(line: str, is_needed: bool) -> None:
    source = SOURCE.replace("    pass", f"    {line}")
    step = recognize(_argv(source=source))
    assert step is not None
    assert step.needs_sdk == is_needed
    step = recognize(_argv(_script(PIP + "'kfp==2.9.0'"), source=source))
    assert step is not None
    if is_needed:
        assert step.packages == ["kfp==2.9.0"]  # asked for, and needed


def test_a_lone_sdk_is_installed_where_its_own_needs_may_be_meant() -> None:
    source = SOURCE.replace("    pass", "    import requests")
    step = recognize(_argv(_script(PIP + "'kfp==2.9.0'"), source=source))
    assert step is not None
    assert step.packages == ["kfp==2.9.0"]
    both = _script(PIP + "'kfp==2.9.0' '--no-deps' && " + PIP + "'requests'")
    step = recognize(_argv(both, source=source))
    assert step is not None
    assert step.packages == ["requests"]


@pytest.mark.parametrize(
    "requirement", ["kfp[all]", "kfp-kubernetes", "kfpx", "kfp_tekton==1", "git+https://example.org/kfp.git", "./kfp"]
)
def test_what_only_sounds_like_the_sdk_is_installed(requirement: str) -> None:
    step = recognize(_argv(_script(PIP + f"'{requirement}' --no-deps")))
    assert step is not None
    assert step.packages == ["--no-deps", requirement]


@pytest.mark.parametrize(
    "requirement",
    [
        "kfp",
        "kfp==2.14.3",
        "kfp>=2,<3",
        "kfp ~= 2.9",
        "kfp @ https://example.org/kfp-2.9.0.tar.gz",
        "/wheels/kfp-2.17.3-py3-none-any.whl",
        "https://example.org/kfp-2.9.0.tar.gz",
        "git+https://github.com/kubeflow/pipelines.git@master#subdirectory=sdk/python",
        "git+https://github.com/kubeflow/pipelines.git@master#egg=kfp&subdirectory=sdk/python",
        "/kfp/sdk/python",
    ],
)
def test_the_sdk_is_known_by_any_of_its_names(requirement: str) -> None:
    step = recognize(_argv(_script(PIP + f"'{requirement}' --no-deps")))
    assert step is not None
    assert step.packages == []


def test_options_of_pip_are_kept_or_dropped_as_they_matter() -> None:
    words = "--upgrade -q --no-cache-dir --progress-bar off --pre -f https://wheels.example/a --only-binary=:all: 'a'"
    step = recognize(_argv(_script("python3 -m pip install " + words)))
    assert step is not None
    assert step.packages == ["--pre", "--find-links=https://wheels.example/a", "--only-binary=:all:", "a"]
    step = recognize(_argv(_script(PIP + "--extra-index-url https://b.example --index-url=https://a.example 'a'")))
    assert step is not None
    assert step.index_urls == ["https://a.example", "https://b.example"]


def test_a_mutant_that_looks_for_installs_only_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of whole scripts is what keeps other commands from being lost."""
    argv = _argv(_script("apt-get install -y graphviz && " + PIP + "'a'"))
    assert recognize(argv) is None
    subject._component.cache_clear()
    monkeypatch.setattr(subject.pipwords, "installs", lambda script: [subject.pipwords.Install(["a"])])
    assert recognize(argv) is not None
    subject._component.cache_clear()
