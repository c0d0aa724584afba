"""Rows that something has damaged: lists still answer and name the bad row, the other rows are as they were."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lodestep.clock import ManualClock
from lodestep.core.model import FailureKind, Values
from lodestep.errors import InvariantError
from lodestep.store import artifacts, cache, experiments, pipelines, requests, runs, tasks
from lodestep.store.db import Connection, Corrupt
from lodestep.store.store import Store
from tests.conformance.store import made
from tests.conformance.store.made import asked

_GARBAGE: list[Any] = [
    b"\xff\xfe\x00garbage",
    "not json",
    "{",
    "[1, 2",
    "",
    b"",
    -1,
    3.5,
    "null",
    '{"id": 5}',
    "[[1]]",
    "\x00",
]
_BAD_TEXT = "CAST(x'ff80' AS TEXT)"  # text in the eyes of the database, but no UTF-8


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A closed home with five rows in each table."""

    def fill(conn: Connection) -> None:
        made.seed(conn, [made.run(number) for number in range(5)])
        for number in range(5):
            pipelines.insert(conn, made.pipeline(number, tags={"a": "b"}))
            task = made.task(number)
            tasks.upsert_tasks(conn, [task])
            tasks.upsert_attempts(conn, task.run_id, [made.attempt(1, task.id)])
            artifacts.record(conn, task.run_id, task.id, outputs={"x": [made.artifact(number)]})
            cache.put(conn, "f", "", "p", task_id=task.id, run_id=task.run_id, outputs=Values(), created_ms=number)
            if number != 1:
                experiments.insert(conn, made.experiment(number))

    store = Store.open(tmp_path, ManualClock())
    made.write(store, fill)
    store.close()
    return tmp_path


def _spoil(home: Path, table: str, key: str, row_id: str, column: str, value: Any) -> None:
    conn = sqlite3.connect(home / "lodestep.db", isolation_level=None)
    conn.execute("PRAGMA ignore_check_constraints = ON")
    for name in [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        conn.execute(f"DROP TRIGGER {name}")
    stored = _BAD_TEXT if value is _BAD_TEXT else ":value"
    conn.execute(
        f"UPDATE {table} SET {column} = {stored} WHERE {key} = :id",
        {"id": row_id} if value is _BAD_TEXT else {"id": row_id, "value": value},
    )
    conn.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("history", "not json"),
        ("history", b"[[1, 2, 3]]"),
        ("history", b"\xff"),
        ("failure", b'{"kind": "no such kind", "message": ""}'),
        ("runtime_config", b"[]"),
        ("created_ms", "yesterday"),
        ("generation", 1.5),
        ("name", _BAD_TEXT),
        ("name", b"\xff"),
        ("description", _BAD_TEXT),
        ("state", b"\x00"),
        ("inline_spec", "maybe"),
    ],
)
def test_a_damaged_run_is_shown_as_such_and_hides_no_other(home: Path, column: str, value: Any) -> None:
    _spoil(home, "run", "id", "run-0000002", column, value)
    store = Store.open(home, ManualClock())
    rows, total, _ = store.read_now(lambda conn: runs.page(conn, asked()))
    assert total == 5
    bad = [row for row in rows if row.error]
    assert [row.id for row in bad] == ["run-0000002"]
    assert "'run-0000002' of table run cannot be read" in bad[0].error
    msgspec.json.encode(rows)
    assert [row for row in rows if not row.error] == [
        msgspec.structs.replace(made.run(number), rev=number + 1) for number in (0, 1, 3, 4)
    ]
    with pytest.raises(Corrupt, match="'run-0000002' of table run"):
        store.read_now(lambda conn: runs.get(conn, "run-0000002"))
    assert store.read_now(lambda conn: runs.get(conn, "run-0000003"))
    assert any((problem.table, problem.id) == ("run", "run-0000002") for problem in store.check())
    made.write(store, lambda conn: runs.delete(conn, "run-0000002"))
    assert len(store.read_now(lambda conn: runs.page(conn, asked()))[0]) == 4
    store.close()


@pytest.mark.parametrize("value", [b"\xff", "{}", "not json", 5, _BAD_TEXT])
def test_a_damaged_task_or_attempt_says_so_in_its_failure(home: Path, value: Any) -> None:
    task_id = made.task(2).id
    _spoil(home, "task", "id", task_id, "doc", value)
    _spoil(home, "attempt", "id", f"{made.task(3).id}-1", "doc", value)
    store = Store.open(home, ManualClock())
    found = store.read_now(lambda conn: tasks.of_run(conn, "run-0000000"))
    assert [task.id for task in found] == [made.task(number).id for number in range(5)]
    for place, table in ((2, "task"), (3, "attempt")):
        failure = found[place].failure
        assert failure
        assert failure.kind is FailureKind.SYSTEM
        assert f"of table {table} cannot be read" in failure.message
    assert found[2].name == "train"
    assert all(found[place].failure is None for place in (0, 1, 4))
    assert [(problem.table, problem.id) for problem in store.check() if "cannot be read" in problem.message] == [
        ("task", task_id),
        ("attempt", f"{made.task(3).id}-1"),
    ]
    paged, _ = store.read_now(lambda conn: tasks.page(conn, "run-0000000", limit=10))
    assert paged == found
    store.close()


def test_a_damaged_cache_entry_is_none(home: Path) -> None:
    _spoil(home, "cache_entry", "task_id", made.task(4).id, "outputs", "[]")
    store = Store.open(home, ManualClock())
    found = store.read_now(lambda conn: cache.find(conn, "f", "", "p", limit=5))
    assert [entry.task_id for entry in found] == [made.task(number).id for number in (3, 2, 1, 0)]
    store.close()


def test_a_damaged_pipeline_is_shown_even_where_tags_are_searched(home: Path) -> None:
    _spoil(home, "pipeline", "id", "pipe-2", "tags", "{")
    store = Store.open(home, ManualClock())
    rows, _, _ = store.read_now(lambda conn: pipelines.page(conn, asked()))
    assert [(row.id, bool(row.error)) for row in rows] == [(f"pipe-{number}", number == 2) for number in range(5)]
    query = asked([made.where("tags.a", "EQUALS", ["b"])])
    assert len(store.read_now(lambda conn: pipelines.page(conn, query))[0]) == 4
    store.close()


_TABLES = {
    "experiment": ("id", [f"exp-{number}" for number in range(5)]),
    "pipeline": ("id", [f"pipe-{number}" for number in range(5)]),
    "run": ("id", [f"run-{number:07}" for number in range(5)]),
    "task": ("id", [made.task(number).id for number in range(5)]),
    "attempt": ("id", [f"{made.task(number).id}-1" for number in range(5)]),
    "artifact": ("id", [f"art-{number}" for number in range(5)]),
    "cache_entry": ("task_id", [made.task(number).id for number in range(5)]),
}


def test_no_random_damage_stops_a_start_or_a_list(home: Path) -> None:
    chance = random.Random(7)
    source = sqlite3.connect(home / "lodestep.db")
    columns = {table: [row[1] for row in source.execute(f"PRAGMA table_info({table})")] for table in _TABLES}
    source.close()
    whole = (home / "lodestep.db").read_bytes()
    done = 0
    while done < 500:
        for left in home.glob("lodestep.db*"):
            left.unlink()
        (home / "lodestep.db").write_bytes(whole)
        table = chance.choice(sorted(_TABLES))
        key, ids = _TABLES[table]
        row_id = chance.choice(ids)
        column, value = chance.choice(columns[table]), chance.choice([*_GARBAGE, _BAD_TEXT])
        try:
            _spoil(home, table, key, row_id, column, value)
        except sqlite3.IntegrityError:
            continue  # the database itself refuses that damage
        done += 1
        _read_everything(home, f"{table}.{column} = {value!r}")


def _said(work: Callable[[], object]) -> str:
    try:
        work()
    except InvariantError as error:
        return str(error)
    return ""


def _read_everything(home: Path, damage: str) -> None:
    store = Store.open(home, ManualClock())
    try:
        for page in (runs.page, experiments.page, pipelines.page, artifacts.page):
            rows, _, _ = store.read_now(lambda conn, page=page: page(conn, asked()))
            assert len(rows) == 5, damage
            assert sum(bool(row.error) for row in rows) <= 1, damage
            msgspec.json.encode(rows)
        # A task that lost its number or its run may be away from the run's list; the others are there.
        found = store.read_now(lambda conn: tasks.of_run(conn, "run-0000000"))
        assert len(found) >= 4, damage
        msgspec.json.encode(found)
        assert len(store.read_now(lambda conn: cache.find(conn, "f", "", "p", limit=5))) >= 4, damage
        store.read_now(runs.open_ids)
        for number in range(5):
            said = _said(lambda number=number: store.read_now(lambda conn: runs.get(conn, made.run(number).id)))
            assert "of table run" in (said or "of table run"), damage
        store.read_now(lambda conn: requests.find(conn, "k", "s"))
        made.write(store, lambda conn: runs.insert(conn, made.run(9)), durable=True)
    finally:
        store.close()
