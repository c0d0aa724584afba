"""The state of a run, as the machine keeps it. Only the machine's own modules change it.

`RunState.nodes` holds a node for every task that has not ended, and is the only way from an event to a task: what has
no node cannot be moved any more, so late and foreign events find nothing. A group keeps the nodes of its children
until it has ended itself; then the tasks alone remain.
"""

from typing import Any

import msgspec

from lodestep.core.commands import StartTimer
from lodestep.core.model import Attempt, Failure, Moment, RunHeader, Task
from lodestep.core.plan import Plan
from lodestep.core.states import RUN_TERMINAL, RunStatus
from lodestep.core.steps import Retry, Scope, Step
from lodestep.ids import derived_id


class Node(msgspec.Struct, kw_only=True, eq=False):
    """What the machine knows of a task beyond the task itself. `step` is None for the root."""

    task: Task
    step: Step | None
    parent: "Group | Loop | None"
    waiting: int = 0  # upstream tasks that have not ended
    attempt: Attempt | None = None  # the open one
    timer: StartTimer | None = None  # until its next attempt
    asked: bool = False  # the cache's answer is awaited
    charged: int = 0  # failed attempts that count against the retries, in this generation
    lost: int = 0  # attempts lost in a row


class Group(Node, kw_only=True, eq=False):
    """A DAG, an iteration, or the root."""

    scope: Scope
    retry: Retry | None  # for the tasks in it that have no policy of their own
    children: dict[str, Node] = {}
    open: int = 0  # children that have not ended
    failed: Failure | None = None  # of the first child that failed
    canceled: bool = False  # a child was cancelled


class Loop(Node, kw_only=True, eq=False):
    """A loop. Iterations are opened in the order of their items, as many at a time as `limit`."""

    retry: Retry | None
    items: list[Any] = []
    limit: int = 0
    iterations: list[Task] = []
    open: int = 0
    stopped: bool = False  # no further iterations are opened
    failed: Failure | None = None
    canceled: bool = False


class RunState(msgspec.Struct, kw_only=True, eq=False):
    """A run between two events. Everything public is on the first lines; `nodes` is the machine's own."""

    header: RunHeader
    plan: Plan
    root: Task
    tasks: dict[str, Task]
    status: RunStatus = RunStatus.PENDING
    failure: Failure | None = None
    generation: int = 1
    history: list[Moment] = []
    started_ms: int = 0
    ended_ms: int = 0
    nodes: dict[str, Node] = {}

    @property
    def terminal(self) -> bool:
        return self.status in RUN_TERMINAL

    @property
    def canceling(self) -> bool:
        return self.status is RunStatus.CANCELING


def task_id(run_id: str, path: str) -> str:
    """The id of the task at `path`: always the same, so that a replay finds it again."""
    return derived_id(run_id, path)


def child_path(group: Task, name: str) -> str:
    return f"{group.path}/{name}" if group.path else name
