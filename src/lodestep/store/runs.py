"""Runs, as people see them. Only the engine writes their state, in the transaction of the event that moved it."""

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lodestep.core.model import Failure, Moment
from lodestep.core.states import RUN_TERMINAL
from lodestep.errors import AlreadyExists, NotFound
from lodestep.store import artifacts, cache, db, events, listing, revisions, shape, specs, tasks
from lodestep.store.db import Connection
from lodestep.store.rows import Problem, RunRow

_RUN = shape.Shape(
    "run", RunRow, checks={"failure": Failure, "history": list[Moment], "runtime_config": dict[str, Any]}
)
_WITH_SPEC = "LEFT JOIN spec ON spec.digest = run.spec_digest AND run.inline_spec = 1"
_ENDED = ", ".join(f"'{state}'" for state in sorted(RUN_TERMINAL))

_BY_ID = f"SELECT {_RUN.select} FROM run WHERE id = :id"
_BY_ID_WITH_SPEC = f"SELECT {_RUN.select}, spec.canonical FROM run {_WITH_SPEC} WHERE id = :id"
_STATE = "SELECT state FROM run WHERE id = :id"
# All states but those of the end: what no state is, is no end. As ranges, which the index answers.
_BETWEEN = " OR ".join(
    f"(state > '{before}' AND state < '{after}')" for before, after in pairwise(sorted(RUN_TERMINAL))
)
_OPEN = f"""
    SELECT id FROM run WHERE state < '{min(RUN_TERMINAL)}' OR {_BETWEEN} OR state > '{max(RUN_TERMINAL)}'
    ORDER BY created_ms, id
"""
_SET_STATE = """
    UPDATE run SET state = :state, failure = :failure, generation = :generation, history = :history,
        started_ms = :started_ms, ended_ms = :ended_ms, rev = :rev
    WHERE id = :id
"""
_PARK = """
    UPDATE run SET state = :state, failure = :failure, history = :history, ended_ms = :ended_ms, rev = :rev
    WHERE id = :id
"""
_SET_STORAGE_STATE = "UPDATE run SET storage_state = :storage_state, rev = :rev WHERE id = :id"
_OF_EXPERIMENT = "SELECT id FROM run WHERE experiment_id = :experiment_id AND storage_state <> :storage_state"
_CHANGED_AFTER = f"SELECT {_RUN.select} FROM run WHERE rev > :rev ORDER BY rev LIMIT :limit"
_COUNTS = """
    SELECT state, SUM(n) FROM run_count WHERE experiment_id = '*' GROUP BY state
"""
_SPEC_DIGEST = "SELECT spec_digest FROM run WHERE id = :id"
_DELETE = "DELETE FROM run WHERE id = :id"

FIELDS = {
    "run_id": "id",
    "id": "id",
    "display_name": "name",
    "name": "name",
    "created_at": "created_ms",
    "finished_at": "ended_ms",
    "scheduled_at": "scheduled_ms",
    "description": "description",
    "storage_state": "storage_state",
    "status": "state",
    "state": "state",
    "namespace": "namespace",
    "experiment_id": "experiment_id",
    "recurring_run_id": "recurring_run_id",
}
_LISTING = listing.Listing(
    _RUN,
    FIELDS,
    join=_WITH_SPEC,
    joined="spec.canonical",
    counted=listing.Counted("run_count", ("experiment_id", "namespace", "storage_state", "state"), "experiment_id"),
)


def insert(conn: Connection, row: RunRow) -> int:
    """Its spec is there already (`specs.put`). Returns its revision. Raises `AlreadyExists` where the id is taken."""
    rev = revisions.following(conn)
    try:
        conn.execute(_RUN.insert, {**_RUN.values(row), "rev": rev})
    except sqlite3.IntegrityError as error:
        if not db.is_duplicate(error):
            raise
        raise AlreadyExists(f"a run with the id {row.id!r} exists") from error
    return rev


def get(conn: Connection, run_id: str, *, with_spec: bool = False, salvage: bool = False) -> RunRow | None:
    """The run; `with_spec` adds the document of an inline spec. Raises `Corrupt` where it cannot be read.

    With `salvage`, what can be read of it comes with the reason in `error`.
    """
    return _RUN.find(conn, _BY_ID_WITH_SPEC if with_spec else _BY_ID, {"id": run_id}, salvage=salvage)


def page(
    conn: Connection,
    query: listing.Query,
    *,
    experiment_id: str | None = None,
    namespace: str | None = None,
    with_specs: bool = False,
) -> tuple[list[RunRow], int, listing.Cursor | None]:
    """A page of a list: (rows, total size, where the next page begins). `with_specs` adds inline documents."""
    scope = {"experiment_id": experiment_id, "namespace": namespace}
    return listing.page(conn, _LISTING, query, scope=scope, joined=with_specs)


def changed_after(conn: Connection, rev: int, *, limit: int = 1000) -> list[RunRow]:
    """Runs that have changed since the revision, in order of their change."""
    return _RUN.show(conn, _CHANGED_AFTER, {"rev": rev, "limit": limit})


def open_ids(conn: Connection) -> list[str]:
    """The runs that have not ended, oldest first."""
    return [row[0] for row in db.fetch(conn, _OPEN, {}) if isinstance(row[0], str)]


def is_terminal(conn: Connection, run_id: str) -> bool:
    """Raises `NotFound`."""
    found = db.fetch(conn, _STATE, {"id": run_id})
    if not found:
        raise NotFound(f"run {run_id!r} does not exist")
    return found[0][0] in RUN_TERMINAL


def counts(conn: Connection) -> dict[str, int]:
    """How many runs there are in each state."""
    return {state: int(n) for state, n in conn.execute(_COUNTS)}


def update_state(
    conn: Connection,
    run_id: str,
    *,
    state: str,
    failure: bytes | None,
    generation: int,
    history: bytes,
    started_ms: int,
    ended_ms: int,
) -> int:
    """Returns the new revision. Raises `NotFound`.

    A run that has ended moves only with a generation that follows; the database refuses anything else.
    """
    rev = revisions.following(conn)
    given = {
        "id": run_id,
        "state": state,
        "failure": failure,
        "generation": generation,
        "history": history,
        "started_ms": started_ms,
        "ended_ms": ended_ms,
        "rev": rev,
    }
    if conn.execute(_SET_STATE, given).rowcount == 0:
        raise NotFound(f"run {run_id!r} does not exist")
    return rev


def park(conn: Connection, run_id: str, *, state: str, failure: bytes, history: bytes, ended_ms: int) -> int:
    """End a run whose row may be damaged: what is not said here stays as it is. Returns the new revision."""
    rev = revisions.following(conn)
    given = {
        "id": run_id,
        "state": state,
        "failure": failure,
        "history": history,
        "ended_ms": ended_ms,
        "rev": rev,
    }
    conn.execute(_PARK, given)
    return rev


def set_storage_state(conn: Connection, run_id: str, storage_state: str) -> int:
    """Archive or restore it. Returns the new revision. Raises `NotFound`."""
    rev = revisions.following(conn)
    if conn.execute(_SET_STORAGE_STATE, {"id": run_id, "storage_state": storage_state, "rev": rev}).rowcount == 0:
        raise NotFound(f"run {run_id!r} does not exist")
    return rev


def archive_all_of(conn: Connection, experiment_id: str) -> list[str]:
    """Archive every run of an experiment. Returns their ids."""
    given = {"experiment_id": experiment_id, "storage_state": "ARCHIVED"}
    ids = [row[0] for row in conn.execute(_OF_EXPERIMENT, given)]
    for run_id in ids:
        set_storage_state(conn, run_id, "ARCHIVED")
    return ids


def delete(conn: Connection, run_id: str) -> None:
    """Remove a run and all that belongs to it alone. Raises `NotFound`."""
    found = db.fetch(conn, _SPEC_DIGEST, {"id": run_id})
    if not found:
        raise NotFound(f"run {run_id!r} does not exist")
    cache.delete(conn, run_id)
    artifacts.delete(conn, run_id)
    tasks.delete(conn, run_id)
    events.delete(conn, run_id)
    conn.execute(_DELETE, {"id": run_id})
    specs.remove_unused(conn, found[0][0])


def damaged(conn: Connection) -> Iterator[Problem]:
    """Rows that cannot be read."""
    yield from _RUN.damaged(conn)
