"""Experiments: names under which runs are kept together."""

import sqlite3
from collections.abc import Iterator

from lodestep.errors import AlreadyExists, NotFound
from lodestep.store import db, listing, shape
from lodestep.store.db import Connection
from lodestep.store.rows import ExperimentRow, Problem

_EXPERIMENT = shape.Shape("experiment", ExperimentRow)
_BY_ID = f"SELECT {_EXPERIMENT.select} FROM experiment WHERE id = :id"
_BY_NAME = f"SELECT {_EXPERIMENT.select} FROM experiment WHERE namespace = :namespace AND name = :name"
_SET_STORAGE_STATE = "UPDATE experiment SET storage_state = :storage_state WHERE id = :id"
_NOTE_RUN = "UPDATE experiment SET last_run_ms = :at_ms WHERE id = :id AND last_run_ms < :at_ms"
_DELETE = "DELETE FROM experiment WHERE id = :id"

FIELDS = {
    "experiment_id": "id",
    "id": "id",
    "display_name": "name",
    "name": "name",
    "created_at": "created_ms",
    "last_run_created_at": "last_run_ms",
    "description": "description",
    "namespace": "namespace",
    "storage_state": "storage_state",
}
_LISTING = listing.Listing(_EXPERIMENT, FIELDS)


def insert(conn: Connection, row: ExperimentRow) -> None:
    """Raises `AlreadyExists` where the namespace has one of this name."""
    try:
        conn.execute(_EXPERIMENT.insert, _EXPERIMENT.values(row))
    except sqlite3.IntegrityError as error:
        if not db.is_duplicate(error):
            raise
        where = f" in namespace {row.namespace!r}" if row.namespace else ""
        raise AlreadyExists(
            f"an experiment with the name {row.name!r} exists{where}", hint="choose another name"
        ) from error


def get(conn: Connection, experiment_id: str, *, salvage: bool = False) -> ExperimentRow | None:
    """Raises `Corrupt` where it cannot be read, unless what can be is to be had for `salvage`."""
    return _EXPERIMENT.find(conn, _BY_ID, {"id": experiment_id}, salvage=salvage)


def by_name(conn: Connection, name: str, namespace: str = "", *, salvage: bool = False) -> ExperimentRow | None:
    return _EXPERIMENT.find(conn, _BY_NAME, {"name": name, "namespace": namespace}, salvage=salvage)


def page(
    conn: Connection, query: listing.Query, *, namespace: str | None = None
) -> tuple[list[ExperimentRow], int, listing.Cursor | None]:
    """A page of a list: (rows, total size, where the next page begins)."""
    return listing.page(conn, _LISTING, query, scope={"namespace": namespace})


def set_storage_state(conn: Connection, experiment_id: str, storage_state: str) -> None:
    """Archive or restore it; its runs are the caller's business. Raises `NotFound`."""
    given = {"id": experiment_id, "storage_state": storage_state}
    if conn.execute(_SET_STORAGE_STATE, given).rowcount == 0:
        raise NotFound(f"experiment {experiment_id!r} does not exist")


def note_run(conn: Connection, experiment_id: str, at_ms: int) -> None:
    """A run was created in it."""
    conn.execute(_NOTE_RUN, {"id": experiment_id, "at_ms": at_ms})


def delete(conn: Connection, experiment_id: str) -> None:
    """Its runs stay. Raises `NotFound`."""
    if conn.execute(_DELETE, {"id": experiment_id}).rowcount == 0:
        raise NotFound(f"experiment {experiment_id!r} does not exist")


def damaged(conn: Connection) -> Iterator[Problem]:
    """Rows that cannot be read."""
    yield from _EXPERIMENT.damaged(conn)
