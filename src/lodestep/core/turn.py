"""One turn of the machine: what a single event leads to.

Every change of a state goes through `Turn`, which checks that the move is allowed, keeps the history, and notes what
has to be written. What follows from a change (a task that may start now, a group that has ended) waits in line and is
done one after the other, never by recursion: a chain of ten thousand skipped tasks is a loop here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from lodestep.core.commands import Command, Decision, FinishRun, Transition
from lodestep.core.model import Attempt, Failure, Moment, Task
from lodestep.core.state import Node, RunState
from lodestep.core.states import (
    ATTEMPT_MOVES,
    RUN_MOVES,
    RUN_TERMINAL,
    TASK_MOVES,
    AttemptStatus,
    RunStatus,
    SkipReason,
    TaskStatus,
)
from lodestep.errors import InvariantError


class Next(StrEnum):
    """What may follow from a change of a node."""

    START = "start"  # all that it waited for has ended
    OPEN = "open"  # a group starts what is in it
    ITERATE = "iterate"  # a loop may open further iterations
    ENDED = "ended"  # tell those who wait for it, and its group
    FINISH = "finish"  # all in a group has ended


Follow = Callable[["Turn", Any], None]


class Turn:
    __slots__ = ("_attempts", "_tasks", "_work", "at_ms", "commands", "run_changed", "state", "transitions")

    def __init__(self, state: RunState, at_ms: int) -> None:
        self.state = state
        self.at_ms = at_ms
        self.commands: list[Command] = []
        self.transitions: list[Transition] = []
        self.run_changed = False
        self._work: deque[tuple[Next, Node]] = deque()
        self._tasks: dict[str, Task] = {}
        self._attempts: dict[str, Attempt] = {}

    def follow(self, what: Next, node: Node) -> None:
        self._work.append((what, node))

    def decision(self, follows: Mapping[Next, Follow]) -> Decision:
        """Do all that follows, by the functions of `follows`, and give the whole back."""
        work = self._work
        while work:
            what, node = work.popleft()
            follows[what](self, node)
        return Decision(
            transitions=self.transitions,
            commands=self.commands,
            tasks=list(self._tasks.values()),
            attempts=list(self._attempts.values()),
            run_changed=self.run_changed,
        )

    def touch(self, task: Task) -> None:
        """Note that a field of the task has changed."""
        self._tasks[task.id] = task

    def touch_attempt(self, attempt: Attempt) -> None:
        self._attempts[attempt.id] = attempt

    def move(self, task: Task, after: TaskStatus, reason: str, at_ms: int = 0) -> None:
        """To another state, with the line that says why. Raises `InvariantError` for a move that is not allowed."""
        before = task.state
        if after not in TASK_MOVES[before]:
            raise InvariantError(f"task {task.path!r} cannot go from {before} to {after}: {_story(task)}")
        task.state = after
        task.reason = reason
        task.history.append(Moment(after.value, at_ms or self.at_ms, reason))
        self.transitions.append(Transition(task_id=task.id, before=before.value, after=after.value, reason=reason))
        self._tasks[task.id] = task

    def move_attempt(self, attempt: Attempt, after: AttemptStatus) -> None:
        if after not in ATTEMPT_MOVES[attempt.state]:
            raise InvariantError(f"attempt {attempt.id!r} cannot go from {attempt.state} to {after}")
        attempt.state = after
        self._attempts[attempt.id] = attempt

    def move_run(self, after: RunStatus, reason: str) -> None:
        state = self.state
        before = state.status
        if after not in RUN_MOVES[before]:
            raise InvariantError(f"run {state.header.run_id!r} cannot go from {before} to {after}")
        state.status = after
        state.history.append(Moment(after.value, self.at_ms, reason))
        self.transitions.append(Transition(task_id="", before=before.value, after=after.value, reason=reason))
        self.run_changed = True
        if after in RUN_TERMINAL:
            state.ended_ms = self.at_ms
            self.commands.append(FinishRun(state=after))

    def end(
        self,
        node: Node,
        after: TaskStatus,
        reason: str,
        *,
        failure: Failure | None = None,
        skip: SkipReason | None = None,
        at_ms: int = 0,
    ) -> None:
        """The task's end in this generation. What follows from it is done later in this turn."""
        task = node.task
        task.failure = failure
        task.skip = skip
        task.ended_ms = at_ms or self.at_ms
        self.move(task, after, reason, task.ended_ms)
        node.attempt = None
        node.timer = None
        node.asked = False
        del self.state.nodes[task.id]
        self._work.append((Next.ENDED, node))


def _story(task: Task) -> str:
    return " → ".join(f"{moment.state} ({moment.reason})" for moment in task.history[-5:])
