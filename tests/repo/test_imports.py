"""What is imported when: start-up is a feature, and the runtime beside user code is a guest."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.places import PACKAGE, shown

HEAVY = {
    "starlette",
    "uvicorn",
    "msgspec",
    "rich",
    "urllib3",
    "yaml",
    "sqlite3",
    "asyncio",
    "ssl",
    "multipart",
    "uv",
    "kfp",
}


def _imported(code: str) -> set[str]:
    """The top modules that a fresh interpreter has after `code`."""
    probe = f"import sys\n{code}\nimport json\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(json.loads(said.stdout.splitlines()[-1]))


def test_the_package_imports_nothing() -> None:
    extra = _imported("import lodestep") - _imported("pass")
    assert extra == {"lodestep"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["up", "--help"], ["logs", "--help"], ["version"]]
)
def test_help_imports_click_alone(arguments: list[str]) -> None:
    code = f"sys.argv = ['lodestep', *{arguments!r}]\nfrom lodestep.cli import main\nmain()"
    assert _imported(code).isdisjoint(HEAVY - ({"msgspec"} if arguments[0] == "up" else set()))


def test_the_top_help_loads_no_command() -> None:
    probe = (
        "import sys; sys.argv = ['lodestep', '--help']\nfrom lodestep.cli import main\nmain()\n"
        "print([m for m in sys.modules if m.startswith('lodestep')])"
    )
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(said.stdout.splitlines()[-1]))
    assert loaded == {"lodestep", "lodestep.cli", "lodestep.cli.root", "lodestep.cli.lazy", "lodestep.errors"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtime").rglob("*.py")), ids=shown)
def test_runtime_imports_the_standard_library_and_itself_alone(path: Path) -> None:
    # The shim is what steps import as `kfp`; the other is the name under which a step host knows this folder.
    own = {"kfp"} if "shim" in path.parts else {"lodestep_runtime", "kfp"}
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top in own, f"{shown(path)}:{node.lineno} imports {name}"


def test_nobody_imports_for_types_only() -> None:
    """That would hide an arrow from the check of layers. (Late imports are ruff's business: PLC0415.)"""
    for path in PACKAGE.rglob("*.py"):
        if "shim" not in path.parts:
            assert "TYPE_CHECKING" not in path.read_text(), f"{shown(path)} imports for types only"
