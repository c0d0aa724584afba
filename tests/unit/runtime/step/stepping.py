"""A Python step in a process of its own, as a step host's child runs it; by any interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from lodestep import runtime

HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
BARE = os.path.join(sys.base_prefix, "bin", "python3")  # has no packages
# What the host's entry does, without the host.
_DRIVER = """
import importlib.util, json, os, sys
entry = os.path.join(sys.argv[1], "__init__.py")
spec = importlib.util.spec_from_file_location("lodestep_runtime", entry, submodule_search_locations=[sys.argv[1]])
sys.modules["lodestep_runtime"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["lodestep_runtime"])
from lodestep_runtime import pyexec
pyexec.warm()
step = json.loads(sys.stdin.read())
os.chdir(os.path.join(step["directory"], "work"))
code = 126
try:
    code = pyexec.run(step)
finally:
    os._exit(code)
"""


class Ended(NamedTuple):
    code: int
    error: dict[str, str]
    output: dict[str, Any]
    out: str
    err: str


def run(
    folder: Path,
    source: str | None,
    *,
    python: str = sys.executable,
    runtime_folder: Path | None = None,
    function: str = "f",
    needs_sdk: bool = False,
    work: dict[str, str] | None = None,
    artifacts: dict[str, str] | None = None,
    **parameters: Any,
) -> Ended:
    """Run `source` with the head that compilers give it. `work` has files that are there before it starts."""
    (folder / "work").mkdir(parents=True)
    for name, text in (work or {}).items():
        (folder / "work" / name).write_text(text)
    outputs = {"outputFile": str(folder / "outputs" / "executor_output.json"), "artifacts": {}}
    for name, kind in (artifacts or {}).items():
        described = {"name": name, "type": {"schemaTitle": kind}, "uri": str(folder / "outputs" / name), "metadata": {}}
        outputs["artifacts"][name] = {"artifacts": [described]}
    step = {
        "directory": str(folder),
        "source": None if source is None else HEAD + source,
        "function": function,
        "executor_input": json.dumps({"inputs": {"parameterValues": parameters}, "outputs": outputs}),
        "needs_sdk": needs_sdk,
    }
    entry = runtime_folder or Path(runtime.__file__).parent
    said = subprocess.run(
        [python, "-I", "-c", _DRIVER, str(entry)], input=json.dumps(step), capture_output=True, text=True, check=False
    )
    output = folder / "outputs" / "executor_output.json"
    return Ended(said.returncode, _read(folder / "error.json"), _read(output), said.stdout, said.stderr)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}
