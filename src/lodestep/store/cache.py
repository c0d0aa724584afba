"""What was done before: the outputs of tasks by fingerprint, pipeline name and namespace."""

from collections.abc import Iterator

from lodestep.core.model import Values
from lodestep.store import db, shape
from lodestep.store.db import Connection, Corrupt
from lodestep.store.rows import CacheEntryRow, Problem

_ENTRY = shape.Shape("cache_entry", CacheEntryRow)
_FORGET_TASK = "DELETE FROM cache_entry WHERE task_id = :task_id"
_NEWEST = f"""
    SELECT {_ENTRY.select} FROM cache_entry
    WHERE fingerprint = :fingerprint AND namespace = :namespace AND pipeline_name = :pipeline_name
    ORDER BY created_ms DESC LIMIT :limit
"""
_DELETE = "DELETE FROM cache_entry WHERE run_id = :run_id"


def put(
    conn: Connection,
    fingerprint: str,
    namespace: str,
    pipeline_name: str,
    *,
    task_id: str,
    run_id: str,
    outputs: Values,
    created_ms: int,
) -> None:
    """Remember what a task that succeeded has made."""
    entry = CacheEntryRow(task_id, run_id, fingerprint, namespace, pipeline_name, outputs, created_ms)
    conn.execute(_FORGET_TASK, {"task_id": task_id})
    conn.execute(_ENTRY.insert, _ENTRY.values(entry))


def find(
    conn: Connection, fingerprint: str, namespace: str, pipeline_name: str, *, limit: int = 1
) -> list[CacheEntryRow]:
    """Entries with the fingerprint, newest first. One that cannot be read is as good as none."""
    given = {"fingerprint": fingerprint, "namespace": namespace, "pipeline_name": pipeline_name, "limit": limit}
    found: list[CacheEntryRow] = []
    for record in db.fetch(conn, _NEWEST, given):
        try:
            found.append(_ENTRY.one(record))
        except Corrupt:
            continue  # the step runs again, which is always right
    return found


def delete(conn: Connection, run_id: str) -> None:
    """Forget what the tasks of a run have made."""
    conn.execute(_DELETE, {"run_id": run_id})


def damaged(conn: Connection) -> Iterator[Problem]:
    """Rows that cannot be read."""
    yield from _ENTRY.damaged(conn)
