"""Is a state one that can exist? For tests, the simulator and debugging; it walks the whole run.

`invariants` says what must hold after every event, `snapshot` is the whole state as bytes, so that a replayed state
can be compared with a live one bit for bit.
"""

from collections.abc import Iterator
from typing import Any

from lodestep import jsonio
from lodestep.core.model import Attempt, Task, TaskKind
from lodestep.core.state import Group, Loop, Node, RunState, child_path
from lodestep.core.states import ATTEMPT_TERMINAL, TASK_TERMINAL, AttemptStatus, RunStatus, TaskStatus
from lodestep.errors import InvariantError

_GROUPS = (TaskKind.DAG, TaskKind.LOOP, TaskKind.ITERATION, TaskKind.ROOT)


def invariants(state: RunState) -> None:
    """Raise `InvariantError`, with what is broken, for a state that must not exist."""
    broken = list(problems(state))
    if broken:
        raise InvariantError(f"run {state.header.run_id!r}: {'; '.join(broken)}")


def problems(state: RunState) -> Iterator[str]:
    yield from _of_run(state)
    for task in state.tasks.values():
        yield from _of_task(state, task)
    for node in state.nodes.values():
        yield from _of_node(state, node)


def snapshot(state: RunState) -> bytes:
    """All of a state that the run's events decide."""
    return jsonio.canonical(
        {
            "status": state.status,
            "failure": state.failure,
            "generation": state.generation,
            "history": state.history,
            "started_ms": state.started_ms,
            "ended_ms": state.ended_ms,
            "tasks": list(state.tasks.values()),
            "nodes": [_shown(node) for node in state.nodes.values()],
        }
    )


def _shown(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": node.task.path,
        "waiting": node.waiting,
        "attempt": node.attempt.id if node.attempt else None,
        "timer": node.timer,
        "asked": node.asked,
        "charged": node.charged,
        "lost": node.lost,
    }
    if isinstance(node, Group):
        found |= {"children": list(node.children), "open": node.open, "failed": node.failed, "canceled": node.canceled}
    if isinstance(node, Loop):
        found |= {
            "items": node.items,
            "iterations": [task.path for task in node.iterations],
            "open": node.open,
            "stopped": node.stopped,
            "failed": node.failed,
            "canceled": node.canceled,
        }
    return found


def _of_run(state: RunState) -> Iterator[str]:
    if state.terminal and state.nodes:
        yield f"it is {state.status}, but {len(state.nodes)} tasks have not ended"
    if state.status is RunStatus.RUNNING and not any(_waits(node) for node in state.nodes.values()):
        yield "it runs, but waits for nothing: it would never end"
    if state.status is RunStatus.CANCELING and not any(node.attempt for node in state.nodes.values()):
        yield "it is being cancelled, but no attempt is open: it would never end"
    if (state.status is RunStatus.FAILED) != (state.failure is not None):
        yield f"it is {state.status}, and its failure is {state.failure}"
    if state.root.state is TaskStatus.SUCCEEDED and state.status is not RunStatus.SUCCEEDED:
        yield f"it is {state.status}, but its root succeeded"
    if bool(state.ended_ms) != state.terminal:
        yield f"it is {state.status}, and ended at {state.ended_ms}"


def _waits(node: Node) -> bool:
    return node.attempt is not None or node.timer is not None or node.asked


def _of_task(state: RunState, task: Task) -> Iterator[str]:
    is_open = task.id in state.nodes
    has_ended = task.state in TASK_TERMINAL
    is_pending_root = task is state.root and state.status is RunStatus.PENDING
    if is_open == has_ended and not is_pending_root:
        yield f"{task.path!r} is {task.state}, but its node is {'open' if is_open else 'gone'}"
    if (task.state is TaskStatus.FAILED) and task.failure is None:
        yield f"{task.path!r} failed without a failure"
    if (task.state is TaskStatus.SKIPPED) != (task.skip is not None):
        yield f"{task.path!r} is {task.state}, skipped for {task.skip}"
    if task.state is not TaskStatus.SUCCEEDED and (task.outputs.parameters or task.outputs.artifacts):
        yield f"{task.path!r} is {task.state} and has outputs"
    if not task.reason:
        yield f"{task.path!r} is {task.state} and nobody knows why"
    if task.history and task.history[-1].state != task.state:
        yield f"{task.path!r} is {task.state}, but its history ends with {task.history[-1].state}"
    yield from _of_attempts(task, task.attempts)


def _of_attempts(task: Task, attempts: list[Attempt]) -> Iterator[str]:
    if [attempt.number for attempt in attempts] != list(range(1, len(attempts) + 1)):
        yield f"{task.path!r} has attempts {[attempt.number for attempt in attempts]}"
    live = [attempt for attempt in attempts if attempt.state not in ATTEMPT_TERMINAL]
    if len(live) > 1 or (live and live[0] is not attempts[-1]):
        yield f"{task.path!r} has {len(live)} open attempts"
    if live and task.state in TASK_TERMINAL:
        yield f"{task.path!r} is {task.state} with an open attempt"
    succeeded = [attempt for attempt in attempts if attempt.state is AttemptStatus.SUCCEEDED]
    generations = {attempt.generation for attempt in succeeded}
    if len(succeeded) != len(generations):
        yield f"{task.path!r} succeeded twice in one generation"
    if task.kind in _GROUPS and attempts:
        yield f"{task.path!r} is a group and has attempts"


def _of_node(state: RunState, node: Node) -> Iterator[str]:
    path = node.task.path
    if node.attempt is not None and node.attempt.state in ATTEMPT_TERMINAL:
        yield f"{path!r} holds an attempt that is {node.attempt.state}"
    if sum((node.attempt is not None, node.timer is not None, node.asked)) > 1:
        yield f"{path!r} waits for two things at once"
    if isinstance(node, Group) and node.task.state is TaskStatus.RUNNING:
        yield from _of_group(state, node)
    if isinstance(node, Loop) and node.task.state is TaskStatus.RUNNING:
        yield from _of_loop(state, node)


def _of_group(state: RunState, group: Group) -> Iterator[str]:
    path = group.task.path
    still = sum(child.task.id in state.nodes for child in group.children.values())
    if still != group.open or not still:
        yield f"{path!r} counts {group.open} open children, there are {still}"
    for name, child in group.children.items():
        if child.task.path != child_path(group.task, name):
            yield f"{child.task.path!r} is not where it belongs"
        waiting = [other for other in group.scope.steps[name].upstream if group.children[other].task.id in state.nodes]
        if child.task.id not in state.nodes:
            continue
        if child.waiting != len(waiting):
            yield f"{child.task.path!r} counts {child.waiting} open upstream tasks, there are {len(waiting)}"
        if waiting and child.task.state is not TaskStatus.WAITING:
            yield f"{child.task.path!r} is {child.task.state} before {waiting[0]!r} has ended"
        if not waiting and child.task.state is TaskStatus.WAITING:
            yield f"{child.task.path!r} waits for nothing"


def _of_loop(state: RunState, loop: Loop) -> Iterator[str]:
    path = loop.task.path
    still = sum(task.id in state.nodes for task in loop.iterations)
    if still != loop.open or not still:
        yield f"{path!r} counts {loop.open} open iterations, there are {still}"
    if loop.open > loop.limit:
        yield f"{path!r} has {loop.open} open iterations: at most {loop.limit}"
    if len(loop.iterations) < len(loop.items) and not loop.stopped and loop.open < loop.limit:
        yield f"{path!r} could open another iteration"
    if [task.iteration for task in loop.iterations] != list(range(len(loop.iterations))):
        yield f"{path!r} has its iterations out of order"
