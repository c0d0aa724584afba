"""Attempts: launched, started, ended, followed by another after a delay, or lost with their parent process.

An attempt's end counts only while it is the open attempt of a task that has not ended: a second, late or foreign one
changes nothing.
"""

from lodestep.core.commands import Launch, StartTimer
from lodestep.core.events import AttemptEnded, AttemptStarted, CacheAnswered, TimerFired
from lodestep.core.model import Attempt, CacheHit, Failure, FailureKind, Outcome
from lodestep.core.state import Group, Loop, Node
from lodestep.core.states import AttemptStatus, TaskStatus
from lodestep.core.steps import Retry
from lodestep.core.turn import Turn
from lodestep.ids import derived_id

# An attempt whose parent process died starts again without touching the user's retries, but not for ever.
LOSSES_IN_A_ROW = 5


def launch(turn: Turn, node: Node) -> None:
    """A new attempt of a task that is PENDING."""
    task = node.task
    number = len(task.attempts) + 1
    attempt = Attempt(
        id=derived_id(task.id, str(number)),
        task_id=task.id,
        number=number,
        generation=turn.state.generation,
        created_ms=turn.at_ms,
    )
    task.attempts.append(attempt)
    node.attempt = attempt
    turn.touch(task)
    turn.touch_attempt(attempt)
    turn.commands.append(Launch(task_id=task.id, attempt_id=attempt.id))


def cache_answered(turn: Turn, event: CacheAnswered) -> None:
    node = turn.state.nodes.get(event.task_id)
    if node is None or not node.asked:
        return
    node.asked = False
    task = node.task
    task.cache_reason = event.reason
    turn.touch(task)
    if event.hit is None or not _is_complete(turn, node, event.hit):
        launch(turn, node)
        return
    task.outputs = event.hit.outputs
    task.cached_from = event.hit.task_id
    turn.end(node, TaskStatus.SUCCEEDED, event.reason or f"taken from the cache: run {event.hit.run_id}")


def attempt_started(turn: Turn, event: AttemptStarted) -> None:
    node = turn.state.nodes.get(event.task_id)
    if node is None or (attempt := node.attempt) is None or attempt.id != event.attempt_id:
        return
    if attempt.state is AttemptStatus.CREATED:
        _begin(turn, node, attempt, event.at_ms)


def attempt_ended(turn: Turn, event: AttemptEnded) -> None:
    node = turn.state.nodes.get(event.task_id)
    outcome = event.outcome
    if node is None or (attempt := node.attempt) is None or attempt.id != event.attempt_id:
        return
    if outcome.state in (AttemptStatus.CREATED, AttemptStatus.RUNNING):
        return
    if attempt.state is AttemptStatus.CREATED and outcome.started_ms:
        _begin(turn, node, attempt, outcome.started_ms)  # too short for its start to have been reported
    attempt.failure = outcome.failure
    attempt.usage = outcome.usage
    attempt.ended_ms = outcome.ended_ms or event.at_ms
    turn.move_attempt(attempt, outcome.state)
    turn.touch(node.task)
    node.attempt = None
    _ENDED[outcome.state](turn, node, outcome)


def timer_fired(turn: Turn, event: TimerFired) -> None:
    task_id, _, _ = event.timer.partition("/")
    node = turn.state.nodes.get(task_id)
    if node is None or node.timer is None or node.timer.timer != event.timer:
        return
    node.timer = None
    node.task.reason = "the delay before another attempt is over"
    launch(turn, node)


def _begin(turn: Turn, node: Node, attempt: Attempt, at_ms: int) -> None:
    task = node.task
    attempt.started_ms = at_ms
    turn.move_attempt(attempt, AttemptStatus.RUNNING)
    task.started_ms = task.started_ms or at_ms
    turn.move(task, TaskStatus.RUNNING, f"attempt {attempt.number} started", at_ms)


def _succeeded(turn: Turn, node: Node, outcome: Outcome) -> None:
    node.task.outputs = outcome.outputs
    turn.end(node, TaskStatus.SUCCEEDED, f"attempt {len(node.task.attempts)} succeeded", at_ms=outcome.ended_ms)


def _failed(turn: Turn, node: Node, outcome: Outcome) -> None:
    failure = outcome.failure or Failure(kind=FailureKind.SYSTEM, message="it failed, and its runner gave no reason")
    node.lost = 0
    node.charged += 1
    policy = _policy(node)
    may_retry = failure.retryable and not turn.state.canceling and policy is not None
    if policy is None or not may_retry or node.charged > policy.limit:
        turn.end(node, TaskStatus.FAILED, failure.message, failure=failure, at_ms=outcome.ended_ms)
        return
    delay_s = policy.after(node.charged)
    left = policy.limit - node.charged
    reason = f"attempt {len(node.task.attempts)} failed ({failure.message}); another follows, {left} left after that"
    _wait_again(turn, node, reason)
    if delay_s <= 0:
        launch(turn, node)
        return
    timer = f"{node.task.id}/{len(node.task.attempts) + 1}"
    node.timer = StartTimer(timer=timer, delay_s=delay_s, fire_at_ms=turn.at_ms + round(delay_s * 1000))
    turn.commands.append(node.timer)


def _lost(turn: Turn, node: Node, outcome: Outcome) -> None:
    if turn.state.canceling:
        _canceled(turn, node, outcome)
        return
    node.lost += 1
    cause = outcome.failure.message if outcome.failure else "its parent process died"
    if node.lost < LOSSES_IN_A_ROW:
        _wait_again(turn, node, f"attempt {len(node.task.attempts)} was lost ({cause}); another takes its place")
        launch(turn, node)
        return
    failure = Failure(kind=FailureKind.LOST, message=f"{node.lost} attempts in a row were lost: {cause}")
    turn.end(node, TaskStatus.FAILED, failure.message, failure=failure, at_ms=outcome.ended_ms)


def _canceled(turn: Turn, node: Node, outcome: Outcome) -> None:
    failure = outcome.failure or Failure(
        kind=FailureKind.CANCELED, message="it was ended because the run was cancelled"
    )
    if turn.state.canceling:
        turn.end(node, TaskStatus.CANCELED, failure.message, failure=failure, at_ms=outcome.ended_ms)
        return
    if outcome.failure is None:
        failure = Failure(kind=FailureKind.CANCELED, message="it was ended from outside, though nobody asked us to")
    turn.end(node, TaskStatus.FAILED, failure.message, failure=failure, at_ms=outcome.ended_ms)


_ENDED = {
    AttemptStatus.SUCCEEDED: _succeeded,
    AttemptStatus.FAILED: _failed,
    AttemptStatus.LOST: _lost,
    AttemptStatus.CANCELED: _canceled,
}


def _wait_again(turn: Turn, node: Node, reason: str) -> None:
    """PENDING once more; an attempt that ended before its start was reported never left it."""
    if node.task.state is TaskStatus.PENDING:
        node.task.reason = reason
        turn.touch(node.task)
    else:
        turn.move(node.task, TaskStatus.PENDING, reason)


def _policy(node: Node) -> Retry | None:
    if node.step is not None and node.step.retry is not None:
        return node.step.retry
    return node.parent.retry if isinstance(node.parent, Group | Loop) else None


def _is_complete(turn: Turn, node: Node, hit: CacheHit) -> bool:
    """Does what the cache offers have every output parameter that the component declares today?"""
    declared = turn.state.plan.component_of(node.task).output_definitions.parameters
    return all(name in hit.outputs.parameters for name in declared)
