"""Modules and functions that one can hold in the head."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.places import PACKAGE, shown, tracked

MOST_LINES = 500
MOST_FUNCTION_LINES = 60
# The messages of one published schema, kept in one place; and what stands for another package's surface.
EXEMPT_MODULES = {"src/lodestep/spec/ir.py"}


def _modules() -> list[Path]:
    return [path for path in tracked(".py") if path.is_relative_to(PACKAGE)]


@pytest.mark.parametrize("path", list(tracked(".py")), ids=shown)
def test_module_is_not_too_long(path: Path) -> None:
    if shown(path) not in EXEMPT_MODULES:
        lines = len(path.read_text().splitlines())
        assert lines <= MOST_LINES, f"{shown(path)} has {lines} lines: split it by purpose"


@pytest.mark.parametrize("path", _modules(), ids=shown)
def test_functions_are_not_too_long(path: Path) -> None:
    long = [
        f"{function.name}: {length}"
        for function in _functions(ast.parse(path.read_text()))
        if (length := (function.end_lineno or 0) - function.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert not long, f"{shown(path)}: functions of more than {MOST_FUNCTION_LINES} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", _modules(), ids=shown)
def test_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{shown(path)} has no docstring"


def test_inner_packages_export_nothing() -> None:
    """Names have one home. The top package, the command line's entry and what stands for `kfp` in steps are doors."""
    doors = {PACKAGE / "__init__.py", PACKAGE / "cli" / "__init__.py"}
    for path in PACKAGE.rglob("__init__.py"):
        if path in doors or "shim" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        assert all(isinstance(node, ast.Expr) for node in tree.body), f"{shown(path)} holds more than a docstring"


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
