"""Bugs put into the machine on purpose: the simulator must find each within few seeds, or it proves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from lodestep.core import attempts, ending, machine, opening, starting, stopping
from lodestep.core.commands import Decision, Launch
from lodestep.core.events import AttemptEnded, CacheAnswered, CancelRequested
from lodestep.core.model import Task, Values
from lodestep.core.state import Group, Loop, Node, RunState
from lodestep.core.states import AttemptStatus, RunStatus, SkipReason, TaskStatus
from lodestep.core.steps import Retry, Step
from lodestep.core.turn import Next, Turn
from lodestep.ids import derived_id, new_id
from lodestep.testing.sim import SimulationError, simulate

ENOUGH = 400
Patch = pytest.MonkeyPatch


def handler(patch: Patch, event: type, function: Callable[[Turn, Any], None]) -> None:
    patch.setattr(machine, "_HANDLERS", {**machine._HANDLERS, event: function})


def follower(patch: Patch, what: Next, function: Callable[[Turn, Any], None]) -> None:
    patch.setattr(machine, "_FOLLOWS", {**machine._FOLLOWS, what: function})


def no_fence(patch: Patch) -> None:
    """Any attempt's end ends the task's open attempt."""

    def ended(turn: Turn, event: AttemptEnded) -> None:
        node = turn.state.nodes.get(event.task_id)
        if node is not None and node.attempt is not None:
            attempts.attempt_ended(
                turn,
                AttemptEnded(
                    at_ms=event.at_ms, attempt_id=node.attempt.id, task_id=event.task_id, outcome=event.outcome
                ),
            )

    handler(patch, AttemptEnded, ended)


def collected_in_order_of_ending(patch: Patch) -> None:
    original = ending._collected

    def collected(loop: Loop) -> Values:
        loop.iterations.sort(key=lambda task: task.ended_ms)
        return original(loop)

    patch.setattr(ending, "_collected", collected)


def nested_lists_joined(patch: Patch) -> None:
    original = ending._collected

    def collected(loop: Loop) -> Values:
        found = original(loop)
        for key, values in found.parameters.items():
            if values and all(isinstance(value, list) for value in values):
                found.parameters[key] = [each for value in values for each in value]
        return found

    patch.setattr(ending, "_collected", collected)


def exit_task_skipped(patch: Patch) -> None:
    """A failed upstream stops a task that runs whatever happens."""

    def start(turn: Turn, node: Node) -> None:
        step, parent = node.step, node.parent
        if step is not None and step.always and isinstance(parent, Group) and starting._blocked(step, parent):
            turn.end(node, TaskStatus.SKIPPED, "a bug", skip=SkipReason.UPSTREAM_FAILED)
            return
        starting.start(turn, node)

    follower(patch, Next.START, start)


def replay_makes_new_attempts(patch: Patch) -> None:
    """Ids are drawn, not derived: after a crash the same attempt is launched once more under another id."""

    def launch_id(*parts: str) -> str:
        return new_id() if len(parts) == 2 and parts[1].isdigit() else derived_id(*parts)

    patch.setattr(attempts, "derived_id", launch_id)


def restart_launches_what_ended(patch: Patch) -> None:
    original = machine.outstanding

    def outstanding(state: RunState) -> list[Any]:
        again = [
            Launch(task_id=task.id, attempt_id=task.attempts[-1].id)
            for task in state.tasks.values()
            if task.attempts and task.state is TaskStatus.SUCCEEDED
        ]
        return original(state) + again

    patch.setattr(machine, "outstanding", outstanding)


def restart_forgets_timers(patch: Patch) -> None:
    original = machine.outstanding

    def outstanding(state: RunState) -> list[Any]:
        timers = [node.timer for node in state.nodes.values() if node.timer]
        return [command for command in original(state) if command not in timers]

    patch.setattr(machine, "outstanding", outstanding)


def loop_without_limit(patch: Patch) -> None:
    original = opening.make_node

    def make_node(task: Task, step: Step, parent: Group) -> Node:
        node = original(task, step, parent)
        if isinstance(node, Loop):
            node.limit = opening.WINDOW
        return node

    patch.setattr(opening, "make_node", make_node)


def retry_runs_all_again(patch: Patch) -> None:
    patch.setattr(opening, "_is_kept", lambda task: False)


def retry_keeps_dependents(patch: Patch) -> None:
    """What succeeded is kept, though what it depends on runs again."""
    original = opening._take_up

    def take_up(turn: Turn, node: Node, step: Step) -> bool:
        if node.task.state is not TaskStatus.SUCCEEDED:
            return original(turn, node, step)
        node.waiting = 0
        del turn.state.nodes[node.task.id]
        return False

    patch.setattr(opening, "_take_up", take_up)


def one_retry_too_many(patch: Patch) -> None:
    original = attempts._policy

    def policy(node: Node) -> Retry | None:
        found = original(node)
        return Retry(limit=found.limit + 1, delay_s=found.delay_s) if found else None

    patch.setattr(attempts, "_policy", policy)


def retries_are_not_inherited(patch: Patch) -> None:
    patch.setattr(attempts, "_policy", lambda node: node.step.retry if node.step else None)


def losses_cost_retries(patch: Patch) -> None:
    original = attempts._lost

    def lost(turn: Turn, node: Node, outcome: Any) -> None:
        node.charged += 1
        original(turn, node, outcome)

    patch.setattr(attempts, "_ENDED", {**attempts._ENDED, AttemptStatus.LOST: lost})


def hit_is_launched_too(patch: Patch) -> None:
    def answered(turn: Turn, event: CacheAnswered) -> None:
        node = turn.state.nodes.get(event.task_id)
        if event.hit is not None and node is not None:
            turn.commands.append(Launch(task_id=event.task_id, attempt_id=derived_id(event.task_id, "1")))
        attempts.cache_answered(turn, event)

    handler(patch, CacheAnswered, answered)


def change_unsaid(patch: Patch) -> None:
    """A decision leaves out a task that changed."""
    original = machine.step

    def step(state: RunState, event: Any) -> Decision:
        decision = original(state, event)
        decision.tasks = [task for task in decision.tasks if task.state is not TaskStatus.SKIPPED]
        return decision

    patch.setattr(machine, "step", step)


def cancelled_run_starts_exit_tasks(patch: Patch) -> None:
    """Waiting tasks get their turn although the run is being cancelled."""

    def cancel(turn: Turn, event: CancelRequested) -> None:
        waiting = {key: node for key, node in turn.state.nodes.items() if node.task.state is TaskStatus.WAITING}
        turn.state.nodes = {key: node for key, node in turn.state.nodes.items() if key not in waiting}
        stopping.cancel_requested(turn, event)
        turn.state.nodes |= waiting

    def start(turn: Turn, node: Node) -> None:
        status, turn.state.status = turn.state.status, RunStatus.RUNNING
        starting.start(turn, node)
        turn.state.status = status

    handler(patch, CancelRequested, cancel)
    follower(patch, Next.START, start)


def false_condition_is_a_failure(patch: Patch) -> None:
    original = ending._note

    def note(group: Group | Loop, child: Task) -> None:
        if child.skip is SkipReason.UPSTREAM_NOT_RUN:
            group.canceled = True
        original(group, child)

    patch.setattr(ending, "_note", note)


MUTANTS = [
    no_fence,
    collected_in_order_of_ending,
    nested_lists_joined,
    exit_task_skipped,
    replay_makes_new_attempts,
    restart_launches_what_ended,
    restart_forgets_timers,
    loop_without_limit,
    retry_runs_all_again,
    retry_keeps_dependents,
    one_retry_too_many,
    retries_are_not_inherited,
    losses_cost_retries,
    hit_is_launched_too,
    change_unsaid,
    cancelled_run_starts_exit_tasks,
    false_condition_is_a_failure,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_mutant_is_caught(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    story = first_failure()
    assert story.startswith("seed "), f"{ENOUGH} seeds did not find: {mutant.__doc__ or mutant.__name__}"
    assert "what happened:" in story


def first_failure() -> str:
    for seed in range(ENOUGH):
        try:
            simulate(seed)
        except SimulationError as error:
            return str(error)
    return ""
