"""Tasks and attempts: the projection of a run's event log that people look at.

The whole of a task is kept as one JSON document, beside it as columns what is searched or ordered by. Attempts have a
table of their own and are put back into their tasks on reading.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from lodestep.core.model import Attempt, Failure, FailureKind, Task, TaskKind
from lodestep.core.states import TaskStatus
from lodestep.store import db, revisions
from lodestep.store.db import Connection
from lodestep.store.rows import Problem

_COLUMNS = (
    "id",
    "run_id",
    "parent_id",
    "path",
    "name",
    "kind",
    "iteration",
    "state",
    "created_ms",
    "started_ms",
    "ended_ms",
    "doc",
    "rev",
)
_ATTEMPT_COLUMNS = (
    "id",
    "run_id",
    "task_id",
    "number",
    "generation",
    "state",
    "created_ms",
    "started_ms",
    "ended_ms",
    "doc",
)
_READ = ", ".join(f"task.{column}" for column in ("seq", "id", "run_id", "parent_id", "path", "name", "state", "doc"))


class _Choice:
    """Two statements about the same tasks: the tasks themselves, and their attempts."""

    def __init__(self, condition: str, order: str) -> None:
        self.tasks = f"SELECT {_READ} FROM task WHERE {condition} ORDER BY {order} LIMIT :limit"
        chosen = f"SELECT task.id FROM task WHERE {condition} ORDER BY {order} LIMIT :limit"
        self.attempts = f"""
            SELECT attempt.task_id, attempt.doc FROM ({chosen}) AS chosen
            JOIN attempt ON attempt.task_id = chosen.id
        """


_TASKS = db.Rows("task", _COLUMNS, key="id")
_ATTEMPTS = db.Rows("attempt", _ATTEMPT_COLUMNS, key="id")
_BY_ID = _Choice("task.id = :id", "task.seq")
_OF_RUN = _Choice("task.run_id = :run_id AND task.seq > :after", "task.seq")
_OF_PARENT = _Choice("task.run_id = :run_id AND task.parent_id = :parent_id AND task.seq > :after", "task.seq")
_CHANGED = _Choice("task.run_id = :run_id AND task.rev > :rev", "task.rev, task.seq")
_ALL = 2**31 - 1

_COUNT = "SELECT state, count(*) FROM task WHERE run_id = :run_id GROUP BY state"
_EVERY_TASK = "SELECT id, doc FROM task"
_EVERY_ATTEMPT = "SELECT id, doc FROM attempt"
_DELETE_ATTEMPTS = "DELETE FROM attempt WHERE run_id = :run_id"
_DELETE = "DELETE FROM task WHERE run_id = :run_id"

_encode = msgspec.json.Encoder().encode
_decode_task = msgspec.json.Decoder(Task).decode
_decode_attempt = msgspec.json.Decoder(Attempt).decode


def upsert_tasks(conn: Connection, changed: Iterable[Task]) -> int:
    """Write tasks as they are now. Returns the revision that all of them got.

    A task that has succeeded moves no more; the database refuses it.
    """
    rev = revisions.following(conn)
    _TASKS.write(conn, [_values(task, rev) for task in changed])
    return rev


def upsert_attempts(conn: Connection, run_id: str, changed: Iterable[Attempt]) -> None:
    """Write attempts as they are now, after their tasks. The database refuses to change one that has ended."""
    _ATTEMPTS.write(conn, [_attempt_values(run_id, attempt) for attempt in changed])


def get(conn: Connection, task_id: str) -> Task | None:
    """The task with its attempts."""
    found = _read(conn, _BY_ID, {"id": task_id, "limit": 1})
    return found[0][1] if found else None


def of_run(conn: Connection, run_id: str, *, after_rev: int = 0) -> list[Task]:
    """All tasks of a run in the order in which they came to be; or those changed after a revision, by their change."""
    choice = _CHANGED if after_rev else _OF_RUN
    return [task for _, task in _read(conn, choice, {"run_id": run_id, "rev": after_rev, "after": 0, "limit": _ALL})]


def page(
    conn: Connection, run_id: str, *, parent_id: str | None = None, after: int = 0, limit: int = 500
) -> tuple[list[Task], int | None]:
    """Some tasks of a run, or of one group in it, in the order in which they came to be.

    Returns them, and what to give as `after` for the next page (None at the end).
    """
    given = {"run_id": run_id, "parent_id": parent_id, "after": after, "limit": limit + 1}
    found = _read(conn, _OF_RUN if parent_id is None else _OF_PARENT, given)
    return [task for _, task in found[:limit]], found[limit - 1][0] if len(found) > limit else None


def counts(conn: Connection, run_id: str) -> dict[str, int]:
    """How many tasks a run has in each state."""
    return dict(conn.execute(_COUNT, {"run_id": run_id}).fetchall())


def delete(conn: Connection, run_id: str) -> None:
    conn.execute(_DELETE_ATTEMPTS, {"run_id": run_id})
    conn.execute(_DELETE, {"run_id": run_id})


def damaged(conn: Connection) -> Iterator[Problem]:
    """Tasks and attempts that cannot be read."""
    for table, kind, text in (("task", Task, _EVERY_TASK), ("attempt", Attempt, _EVERY_ATTEMPT)):
        for row_id, doc in db.fetch(conn, text, {}):
            try:
                msgspec.json.decode(doc, type=kind)
            except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
                yield Problem(table, str(row_id), _unreadable(table, row_id, error).message)


def _values(task: Task, rev: int) -> tuple[Any, ...]:
    bare = msgspec.structs.replace(task, attempts=[]) if task.attempts else task
    return (
        task.id,
        task.run_id,
        task.parent_id,
        task.path,
        task.name,
        task.kind.value,
        task.iteration,
        task.state.value,
        task.created_ms,
        task.started_ms,
        task.ended_ms,
        _encode(bare),
        rev,
    )


def _attempt_values(run_id: str, attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.id,
        run_id,
        attempt.task_id,
        attempt.number,
        attempt.generation,
        attempt.state.value,
        attempt.created_ms,
        attempt.started_ms,
        attempt.ended_ms,
        _encode(attempt),
    )


def _read(conn: Connection, choice: _Choice, given: dict[str, Any]) -> list[tuple[int, Task]]:
    """The tasks with their attempts, each with its place in the order of all."""
    found = [(record[0], _task(record)) for record in db.fetch(conn, choice.tasks, given)]
    by_id = {task.id: task for _, task in found}
    for task_id, doc in db.fetch(conn, choice.attempts, given):
        if owner := by_id.get(task_id):
            try:
                owner.attempts.append(_decode_attempt(doc))
            except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
                owner.failure = owner.failure or _unreadable("attempt", task_id, error)
    for owner in by_id.values():
        if len(owner.attempts) > 1:
            owner.attempts.sort(key=lambda attempt: attempt.number)
    return found


def _task(record: Any) -> Task:
    """The task; or, where its document cannot be read, what its columns say of it, and why."""
    _, task_id, run_id, parent_id, path, name, state, doc = record
    try:
        return _decode_task(doc)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
        return Task(
            id=str(task_id),
            run_id=str(run_id),
            parent_id=str(parent_id),
            path=str(path),
            name=str(name),
            display_name=str(name),
            kind=TaskKind.EXECUTOR,
            component="",
            state=TaskStatus(state) if state in set(TaskStatus) else TaskStatus.FAILED,
            failure=_unreadable("task", task_id, error),
        )


def _unreadable(table: str, row_id: object, error: Exception) -> Failure:
    return Failure(
        kind=FailureKind.SYSTEM,
        message=f"row {row_id!r} of table {table} cannot be read: {error}",
        hint="run `lodestep doctor`",
        retryable=False,
    )
