"""The plan: edges, order, conditions, and what is shared."""

import pytest

from lodestep.core import plan
from lodestep.core.steps import Retry
from lodestep.errors import InvalidInput
from lodestep.spec import load
from tests.unit.core.flow import INT, Flow, dag, loop, out, parent, pipeline, task


def planned(document: object) -> plan.Plan:
    return plan.build(load.from_wire(document))


def test_steps_stand_after_what_they_wait_for() -> None:
    made = planned(pipeline({"a": task("int", x=out("b")), "b": task("plain", "c"), "c": task("plain")}))
    assert list(made.root.steps) == ["c", "b", "a"]
    assert made.root.steps["b"].upstream == ("c",)
    assert made.root.steps["b"].downstream == ("a",)
    assert made.root.steps["a"].waits == "waits for 'b'"


def test_a_component_that_is_used_twice_has_one_scope() -> None:
    made = planned(pipeline({"a": task("g"), "b": task("g")}, g=dag({"t": task("plain")})))
    assert made.root.steps["a"].scope is made.root.steps["b"].scope


def test_a_condition_that_is_no_expression_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        planned(pipeline({"a": task("int", condition="inputs.parameter_values['x' ==", x=1)}))
    assert "$.root.dag.tasks['a'].triggerPolicy.condition" in str(caught.value)


def test_what_runs_a_task() -> None:
    flow = Flow(pipeline({"a": task("plain"), "g": task("g")}, g=dag({"t": task("plain")})))
    made = flow.plan
    executor = made.executor_of(flow.task("g/t"))
    assert executor is not None
    assert executor.container is not None
    assert executor.container.image == "none"
    assert made.executor_of(flow.task("g")) is None
    assert made.named("").dag is not None
    assert made.platform_of(flow.task("a")) is None


def test_iterations_need_not_carry_the_list_unless_it_is_read() -> None:
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT})
    over = planned(pipeline({"l": loop("body", [1])}, body=body)).root.steps["l"].loop
    assert over is not None
    assert over.raw == [1]
    assert not over.keeps_items


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (Retry(limit=9), [0, 0, 0]),
        (Retry(limit=9, delay_s=10), [10, 20, 40]),
        (Retry(limit=9, delay_s=10, factor=1.0), [10, 10, 10]),
        (Retry(limit=9, delay_s=2000), [2000, 3600, 3600]),
        (Retry(limit=9, delay_s=1, factor=10, longest_s=50), [1, 10, 50]),
    ],
)
def test_delays(policy: Retry, delays: list[float]) -> None:
    assert [policy.after(failures) for failures in (1, 2, 3)] == delays
    assert policy.after(100_000) <= 3600
