"""Where SQL may stand, and which SQL: so that another database is one module and one folder of scripts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lodestep
from lodestep.store import db

_SOURCE = Path(lodestep.__file__).parent
_STORE = sorted((_SOURCE / "store").glob("*.py"))
_ONLY_SQLITE = re.compile(
    r"\b(PRAGMA|RETURNING|GLOB|ROWID|IMMEDIATE|json_each|json_extract|OR (IGNORE|REPLACE)|ON CONFLICT|IFNULL)\b", re.I
)


def _texts(path: Path) -> Iterator[str]:
    """The string constants of a module, but for docstrings."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("path", [path for path in _STORE if path.name != "db.py"], ids=lambda path: path.name)
def test_statements_keep_to_what_databases_have_in_common(path: Path) -> None:
    assert [text for text in _texts(path) if _ONLY_SQLITE.search(text)] == []


def test_the_rule_sees_what_it_forbids() -> None:
    assert [text for text in _texts(Path(db.__file__)) if _ONLY_SQLITE.search(text)]


def test_nobody_else_speaks_to_the_database() -> None:
    others = [path for path in _SOURCE.rglob("*.py") if path not in _STORE and "runtime" not in path.parts]
    assert len(others) > 20
    assert [path.name for path in others if re.search(r"sqlite3\.connect|conn\.execute", path.read_text())] == []


def test_bulk_statements_stay_below_the_oldest_limit_of_parameters() -> None:
    from lodestep.store import events, tasks

    for rows in (tasks._TASKS, tasks._ATTEMPTS, events._LOG):  # pyright: ignore[reportPrivateUsage]
        assert max(text.count("?") for _, text in rows._texts) < 999  # pyright: ignore[reportPrivateUsage]
