"""Is everything in order? What `lodestep doctor` asks of the database: the file, the links between rows, the counts.

Reads everything, changes nothing.
"""

from collections.abc import Iterator
from itertools import islice

from lodestep.store import artifacts, cache, db, experiments, pipelines, runs, tasks
from lodestep.store.db import Connection
from lodestep.store.rows import Problem

_MOST = 100

# What no foreign key can say: table, what is wrong, the ids of the rows for which it is.
_DANGLING = (
    (
        "run",
        "its pipeline version is gone, and its spec with it",
        "SELECT id FROM run WHERE NOT EXISTS (SELECT 1 FROM spec WHERE spec.digest = run.spec_digest)",
    ),
    (
        "run",
        "it has moved on, but has no events",
        """SELECT id FROM run WHERE state <> 'PENDING'
           AND NOT EXISTS (SELECT 1 FROM event WHERE event.run_id = run.id)""",
    ),
    (
        "run",
        "its events are not numbered without a gap",
        "SELECT run_id FROM event GROUP BY run_id HAVING min(seq) <> 1 OR max(seq) <> count(*)",
    ),
    (
        "run",
        "it has ended, but a task of it has not",
        """SELECT DISTINCT run.id FROM run JOIN task ON task.run_id = run.id
           WHERE run.state IN ('SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED')
           AND task.state IN ('WAITING', 'PENDING', 'RUNNING')""",
    ),
    (
        "task",
        "its parent is gone",
        """SELECT id FROM task WHERE parent_id <> ''
           AND NOT EXISTS (SELECT 1 FROM task AS parent WHERE parent.id = task.parent_id)""",
    ),
    (
        "attempt",
        "it has not ended, but its task has",
        """SELECT attempt.id FROM attempt JOIN task ON task.id = attempt.task_id
           WHERE attempt.state IN ('CREATED', 'RUNNING')
           AND task.state IN ('SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELED')""",
    ),
    (
        "artifact_task",
        "its task is gone",
        """SELECT artifact_id FROM artifact_task
           WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.id = artifact_task.task_id)""",
    ),
    (
        "artifact",
        "no task has made or taken it",
        """SELECT id FROM artifact
           WHERE NOT EXISTS (SELECT 1 FROM artifact_task WHERE artifact_task.artifact_id = artifact.id)""",
    ),
    (
        "cache_entry",
        "its task is gone",
        """SELECT task_id FROM cache_entry
           WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.id = cache_entry.task_id)""",
    ),
    (
        "run_count",
        "the count of runs is wrong",
        """SELECT experiment_id || ' ' || storage_state || ' ' || state FROM run_count
           WHERE n <> (SELECT count(*) FROM run WHERE run.namespace = run_count.namespace
                       AND (run_count.experiment_id = '*' OR run.experiment_id = run_count.experiment_id)
                       AND run.storage_state = run_count.storage_state AND run.state = run_count.state)""",
    ),
)


def check(conn: Connection) -> list[Problem]:
    """What is wrong; empty if nothing is. At most a hundred of each kind."""
    return [*_file_faults(conn), *_foreign_key_faults(conn), *_dangling(conn), *_damaged(conn)]


def _damaged(conn: Connection) -> Iterator[Problem]:
    for resource in (experiments, pipelines, runs, tasks, artifacts, cache):
        yield from islice(resource.damaged(conn), _MOST)


def _file_faults(conn: Connection) -> Iterator[Problem]:
    for message in db.file_faults(conn, _MOST):
        yield Problem("", "", message)


def _foreign_key_faults(conn: Connection) -> Iterator[Problem]:
    for table, number, parent in db.foreign_key_faults(conn, _MOST):
        yield Problem(table, f"row {number}", f"it refers to a row of table {parent} that is not there")


def _dangling(conn: Connection) -> Iterator[Problem]:
    for table, message, question in _DANGLING:
        for (row_id,) in conn.execute(question).fetchmany(_MOST):
            yield Problem(table, str(row_id), message)
