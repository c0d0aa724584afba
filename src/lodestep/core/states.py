"""The states of runs, tasks and attempts, and which moves between them are allowed.

The values are the words of the wire where the wire has one. `api` maps what it has no word for: `WAITING` is shown as
`PENDING`, and a task that was taken from the cache (`SUCCEEDED` with `Task.cached_from`) as `SKIPPED`.
"""

from enum import StrEnum


class RunStatus(StrEnum):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"


class TaskStatus(StrEnum):
    WAITING = "WAITING"  # upstream tasks are not done
    PENDING = "PENDING"  # ready: waits for the cache's answer, a free place, or the delay before a retry
    RUNNING = "RUNNING"  # an attempt runs, or a child of this group has started
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"  # never ran: `Task.skip` says why
    CANCELED = "CANCELED"


class SkipReason(StrEnum):
    CONDITION_FALSE = "condition_false"
    UPSTREAM_NOT_RUN = "upstream_not_run"
    UPSTREAM_FAILED = "upstream_failed"
    RUN_ENDED = "run_ended"  # the run failed or was cancelled before this task's turn


class AttemptStatus(StrEnum):
    CREATED = "CREATED"  # recorded, to be launched
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    LOST = "LOST"  # its parent died: proven gone, not charged to the user's retries
    CANCELED = "CANCELED"


RUN_TERMINAL = frozenset({RunStatus.SUCCEEDED, RunStatus.SKIPPED, RunStatus.FAILED, RunStatus.CANCELED})
TASK_TERMINAL = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.CANCELED})
ATTEMPT_TERMINAL = frozenset(
    {AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.LOST, AttemptStatus.CANCELED}
)

# A terminal run or task leaves only by a retry of the run, which starts a new generation.
RUN_MOVES: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELING}),
    RunStatus.RUNNING: frozenset(
        {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.SKIPPED, RunStatus.CANCELING, RunStatus.PAUSED}
    ),
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.CANCELING}),
    RunStatus.CANCELING: frozenset({RunStatus.CANCELED}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.SKIPPED: frozenset(),
    RunStatus.FAILED: frozenset({RunStatus.RUNNING}),
    RunStatus.CANCELED: frozenset({RunStatus.RUNNING}),
}
TASK_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.WAITING: frozenset(
        {
            TaskStatus.PENDING,
            TaskStatus.RUNNING,
            TaskStatus.SKIPPED,
            TaskStatus.FAILED,
            TaskStatus.CANCELED,
            TaskStatus.SUCCEEDED,
        }
    ),
    TaskStatus.PENDING: frozenset({TaskStatus.RUNNING, TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED}),
    TaskStatus.RUNNING: frozenset({TaskStatus.PENDING, TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELED}),
    # Only in a retried run, where something that the task depends on runs again and so may give it other inputs.
    TaskStatus.SUCCEEDED: frozenset({TaskStatus.WAITING}),
    TaskStatus.FAILED: frozenset({TaskStatus.WAITING, TaskStatus.RUNNING}),
    TaskStatus.SKIPPED: frozenset({TaskStatus.WAITING}),
    TaskStatus.CANCELED: frozenset({TaskStatus.WAITING, TaskStatus.RUNNING}),
}
ATTEMPT_MOVES: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.CREATED: frozenset({AttemptStatus.RUNNING, *ATTEMPT_TERMINAL}),
    AttemptStatus.RUNNING: ATTEMPT_TERMINAL,
    **{state: frozenset() for state in ATTEMPT_TERMINAL},
}
