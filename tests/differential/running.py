"""One component, run by the SDK's executor and by ours, and everything that can be told of each run."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
NONE = "(none)"
SAID = "SAID "  # what a component prints for the comparison starts with this


class Case(NamedTuple):
    """A component's source and what it is given. `{dir}` in texts is the folder of the run.

    `differs` has what is meant to be different (`exit`, `output`, `files`, `said`, `error`), and why.
    """

    name: str
    source: str
    parameters: dict[str, Any] = {}
    artifacts: dict[str, list[dict[str, Any]]] = {}  # each: type, uri, metadata, and content of the file
    returns: tuple[str, ...] = ("Output",)  # output parameters
    makes: dict[str, str] = {}  # output artifacts and their types
    env: dict[str, str] = {}
    differs: dict[str, str] = {}
    function: str = "f"


class Result(NamedTuple):
    exit: int
    output: str  # the executor output
    files: dict[str, str]
    said: list[str]
    error: str  # the last line on stderr


class Forker:
    """A process that runs components one by one, each in a fork."""

    def __init__(self, kind: str, process: "subprocess.Popen[str]") -> None:
        self.kind = kind
        self._process = process

    def run(self, case: Case, folder: Path) -> Result:
        place = folder / self.kind
        for name in ("work", "outputs", "inputs", "log"):
            (place / name).mkdir(parents=True)
        call = {
            "directory": str(place),
            "work": str(place / "work"),
            "log": str(place / "log"),
            "source": HEAD + case.source,
            "function": case.function,
            "executor_input": json.dumps(executor_input(case, place)),
            "env": case.env,
            "needs_sdk": False,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        return _result(int(self._process.stdout.readline()), place)


@contextmanager
def forker(kind: str) -> Iterator[Forker]:
    program = [sys.executable, str(Path(__file__).with_name("forker.py")), kind]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Forker(kind, process)
        finally:
            process.communicate()


def executor_input(case: Case, place: Path) -> dict[str, Any]:
    document = {
        "inputs": {
            "parameterValues": case.parameters,
            "artifacts": {name: {"artifacts": list(map(_given, found))} for name, found in case.artifacts.items()},
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"{{dir}}/outputs/parameters/{name}"} for name in case.returns},
            "artifacts": {
                name: {"artifacts": [_given({"name": name, "type": kind, "uri": f"{{dir}}/outputs/artifacts/{name}"})]}
                for name, kind in case.makes.items()
            },
            "outputFile": "{dir}/outputs/executor_output.json",
        },
    }
    for found in case.artifacts.values():
        for described in found:
            if "content" in described:
                Path(described["uri"].replace("{dir}", str(place))).write_text(described["content"])
    return json.loads(json.dumps(document).replace("{dir}", str(place)))


def _given(described: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": described.get("name", "given"),
        "type": {"schemaTitle": described["type"], "schemaVersion": "0.0.1"},
        "uri": described["uri"],
        "metadata": described.get("metadata", {}),
    }


def _result(code: int, place: Path) -> Result:
    """What a run left. The folder's own name is taken out of it."""

    def text(path: Path) -> str:
        return path.read_bytes().decode(errors="replace").replace(str(place), "{dir}")

    output = place / "outputs" / "executor_output.json"
    left_out = {output, place / "error.json", place / "work" / "ephemeral_component.py"}
    files = {
        str(path.relative_to(place)): text(path) if path.is_file() else "(folder)"
        for path in sorted(place.rglob("*"))
        if path not in left_out and path.parts[len(place.parts)] != "log" and "__pycache__" not in path.parts
    }
    lines = text(place / "log" / "stdout").splitlines() + text(place / "log" / "stderr").splitlines()
    errors = text(place / "log" / "stderr").strip().splitlines()
    return Result(
        exit=code,
        output=text(output) if output.exists() else NONE,
        files=files,
        said=[line[line.index(SAID) :] for line in lines if SAID in line],
        error=errors[-1] if errors else "",
    )
