"""Notebook components: a notebook in the source, run by packages that the component lists."""

import json
from pathlib import Path

from lodestep.runtime.recognize import recognize
from tests.unit.runtime.step.stepping import BARE, run

GOLDEN = Path(__file__).parent / "goldens" / "kfp-2.17.3.json"
# The packages, as far as a component calls them: cells are executed right here.
PACKAGES = {
    "nbformat.py": """
import json, types
class Node(dict):
    __getattr__ = dict.__getitem__
def node(value):
    if isinstance(value, dict):
        return Node({key: node(each) for key, each in value.items()})
    return [node(each) for each in value] if isinstance(value, list) else value
def read(path, as_version):
    with open(path) as file:
        return node(json.load(file))
v4 = types.SimpleNamespace(new_code_cell=lambda source: node({"cell_type": "code", "metadata": {}, "source": source}))
""",
    "nbclient.py": """
class NotebookClient:
    def __init__(self, nb, **options):
        self.nb = nb
    def execute(self, cwd):
        names = {}
        for cell in self.nb.cells:
            exec("".join(cell.source), names)
    def process_message(self, msg, cell, cell_index):
        return None
""",
    "jupyter_client.py": """
import sys, types
class KernelSpecManager:
    def find_kernel_specs(self):
        return {"python3": "here"}
sys.modules["jupyter_client.kernelspec"] = types.SimpleNamespace(KernelSpecManager=KernelSpecManager)
""",
}


def _source(name: str) -> tuple[str, list[str]]:
    step = recognize(json.loads(GOLDEN.read_text())["commands"][name])
    assert step is not None
    assert step.source is not None
    return step.source, step.packages


def test_a_notebook_is_run_with_its_parameters(tmp_path: Path) -> None:
    source, packages = _source("notebook")
    assert {package.partition(">")[0] for package in packages} >= {"nbclient", "ipykernel", "jupyter_client"}
    ended = run(tmp_path, source, function="nb", python=BARE, work=PACKAGES, text="from the parameter")
    assert ended.error == {}
    assert "from the parameter\n" in ended.out


def test_an_error_within_a_notebook_fails_the_step(tmp_path: Path) -> None:
    broken = PACKAGES["nbclient.py"].replace("names = {}", "raise ValueError('in a cell')")
    source, _ = _source("notebook")
    ended = run(tmp_path, source, function="nb", python=BARE, work={**PACKAGES, "nbclient.py": broken}, text="x")
    assert ended.error["type"] == "RuntimeError"
    assert "in a cell" in ended.error["message"]
    assert "ValueError: in a cell" in ended.error["traceback"]


def test_without_its_packages_it_is_said_what_is_missing(tmp_path: Path) -> None:
    source, packages = _source("notebook_bare")
    assert packages == []
    ended = run(tmp_path, source, function="nb", python=BARE, text="x")
    assert ended.error["type"] == "ModuleNotFoundError"
    assert ended.error["message"] == "No module named 'nbclient'"
