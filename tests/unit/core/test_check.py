"""The checker finds what is broken; else all that leans on it would prove nothing."""

from collections.abc import Callable

import pytest

from lodestep.core import check
from lodestep.core.model import Attempt
from lodestep.core.state import Group, Loop
from lodestep.core.states import AttemptStatus, RunStatus, TaskStatus
from lodestep.errors import InvariantError
from tests.unit.core.flow import INT, Flow, dag, loop, parent, pipeline, task


def running() -> Flow:
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT})
    return Flow(
        pipeline({"a": task("plain"), "b": task("plain", "a"), "l": loop("body", [1, 2, 3], limit=2)}, body=body)
    )


def group(flow: Flow) -> Group:
    found = flow.state.nodes[flow.state.root.id]
    assert isinstance(found, Group)
    return found


def the_loop(flow: Flow) -> Loop:
    found = flow.state.nodes[flow.task("l").id]
    assert isinstance(found, Loop)
    return found


def miscount(flow: Flow) -> None:
    group(flow).open += 1


def waits_too_long(flow: Flow) -> None:
    flow.state.nodes[flow.task("b").id].waiting = 2


def starts_too_early(flow: Flow) -> None:
    flow.task("b").state = TaskStatus.PENDING


def two_open_attempts(flow: Flow) -> None:
    flow.task("a").attempts.append(Attempt(id="x", task_id=flow.task("a").id, number=2, generation=1))


def success_with_an_open_attempt(flow: Flow) -> None:
    flow.task("a").state = TaskStatus.SUCCEEDED


def failure_without_words(flow: Flow) -> None:
    flow.task("a").state = TaskStatus.FAILED
    del flow.state.nodes[flow.task("a").id]
    flow.task("a").attempts[0].state = AttemptStatus.FAILED


def too_many_iterations(flow: Flow) -> None:
    the_loop(flow).limit = 1


def idle_loop(flow: Flow) -> None:
    the_loop(flow).limit = 3


def stuck(flow: Flow) -> None:
    for node in flow.state.nodes.values():
        node.attempt = None


def ended_with_open_tasks(flow: Flow) -> None:
    flow.state.status = RunStatus.SUCCEEDED


def without_a_reason(flow: Flow) -> None:
    flow.task("a").reason = ""


BREAKS = [
    miscount,
    waits_too_long,
    starts_too_early,
    two_open_attempts,
    success_with_an_open_attempt,
    failure_without_words,
    too_many_iterations,
    idle_loop,
    stuck,
    ended_with_open_tasks,
    without_a_reason,
]


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda function: function.__name__)
def test_a_broken_state_is_found(breaks: Callable[[Flow], None]) -> None:
    flow = running()
    check.invariants(flow.state)
    before = check.snapshot(flow.state)
    breaks(flow)
    with pytest.raises(InvariantError):
        check.invariants(flow.state)
    if breaks is not idle_loop and breaks is not too_many_iterations:  # a limit is the plan's, not the events'
        assert check.snapshot(flow.state) != before
