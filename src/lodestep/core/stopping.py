"""The end of a run before its time, and its second life.

Cancelled: open attempts are ended, and nothing new starts, exit tasks included (as the reference's proto says of a
cancelled run: no new tasks are triggered). Retried: a new generation; what succeeded stays as it is.
"""

from lodestep.core.commands import Cancel
from lodestep.core.events import CancelRequested, RetryRequested, RunStarted
from lodestep.core.opening import forget
from lodestep.core.starting import start_run
from lodestep.core.state import Group, Loop
from lodestep.core.states import RunStatus, TaskStatus
from lodestep.core.turn import Next, Turn

_CANCELED = "the run was cancelled before its turn"
_CAN_CANCEL = (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED)


def run_started(turn: Turn, event: RunStarted) -> None:
    if turn.state.status is RunStatus.PENDING:
        start_run(turn, "the run was started")


def cancel_requested(turn: Turn, event: CancelRequested) -> None:
    state = turn.state
    if state.status not in _CAN_CANCEL:
        return
    was_pending = state.status is RunStatus.PENDING
    reason = event.reason or "the run was asked to end"
    turn.move_run(RunStatus.CANCELING, reason)
    if was_pending:
        state.root.ended_ms = turn.at_ms
        turn.move(state.root, TaskStatus.CANCELED, _CANCELED)
        turn.move_run(RunStatus.CANCELED, reason)
        return
    for node in list(state.nodes.values()):
        if node.attempt is not None:
            turn.commands.append(Cancel(task_id=node.task.id, attempt_id=node.attempt.id))
        elif isinstance(node, Group | Loop) and node.task.state is TaskStatus.RUNNING:
            if isinstance(node, Loop):
                node.stopped = True
                node.canceled = node.canceled or len(node.iterations) < len(node.items)
        else:
            turn.end(node, TaskStatus.CANCELED, _CANCELED)


def retry_requested(turn: Turn, event: RetryRequested) -> None:
    state = turn.state
    if state.status not in (RunStatus.FAILED, RunStatus.CANCELED):
        return
    state.generation += 1
    state.failure = None
    state.ended_ms = 0
    reason = f"retried, for the {_ordinal(state.generation)} time in all"
    root = state.root
    if not root.started_ms:
        forget(turn, root)
        start_run(turn, reason)
        return
    turn.move_run(RunStatus.RUNNING, reason)
    root.failure = None
    root.ended_ms = 0
    turn.move(root, TaskStatus.RUNNING, reason)
    node = Group(task=root, step=None, parent=None, retry=None, scope=state.plan.root)
    state.nodes[root.id] = node
    turn.follow(Next.OPEN, node)


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0, "th")
    return f"{number}{suffix}"
