"""Data never makes the machine raise: whatever a step gives, the run goes on or fails in words."""

from typing import Any

import pytest

from tests.unit.core.flow import INT, LIST, STRUCT, TEXT, Flow, Json, leaf, out, pipeline, task

DEEP: list[Any] = []
for _ in range(900):
    DEEP = [DEEP]
VALUES: list[Any] = [
    2**70,
    -(2**70),
    1e308,
    "9" * 5000,
    "1e999",
    "",
    None,
    True,
    [],
    {},
    {"a": None},
    [None],
    DEEP,
    "\0",
    "{{$.inputs.parameters['x']}}",
    "{{$",
    "{{$.outputs.artifacts['q'].uri}}",
    "'] || true",
]
CONDITIONS = [
    "int(inputs.parameter_values['x']) == 1",
    "inputs.parameter_values['x'] == 'a'",
    "!(inputs.parameter_values['x'] > 3)",
]
SELECTORS = ['parseJson(string_value)["a"]', "parseJson(string_value)[0]", "string_value"]
CACHED = {"cachingOptions": {"enableCache": True}}


def fed(value: Any, consumer: Json, kind: Json) -> str:
    flow = Flow(
        pipeline(
            {"a": task("make"), "t": consumer | CACHED}, make=leaf(outputs={"Output": kind}), take=leaf({"x": kind})
        )
    )
    flow.ok("a", Output=value)
    found = flow.task("t")
    assert found.state in ("PENDING", "SKIPPED", "FAILED")
    assert found.reason
    return found.state


@pytest.mark.parametrize("kind", [INT, TEXT, LIST, STRUCT], ids=lambda kind: kind["parameterType"])
def test_any_value_for_any_type(kind: Json) -> None:
    states = {fed(value, task("take", condition=text, x=out("a")), kind) for value in VALUES for text in CONDITIONS}
    assert "FAILED" in states


@pytest.mark.parametrize("selector", SELECTORS)
def test_any_value_for_a_selector(selector: str) -> None:
    source = out("a") | {"parameterExpressionSelector": selector}
    assert "FAILED" in {fed(value, task("take", x=source), TEXT) for value in VALUES}


def test_what_is_nested_too_deep_for_a_text_is_said_so() -> None:
    tasks = {"a": task("make"), "t": task("take", x=out("a"))}
    flow = Flow(pipeline(tasks, make=leaf(outputs={"Output": TEXT}), take=leaf({"x": TEXT})))
    flow.ok("a", Output=DEEP)
    assert flow.task("t").reason == "the input 'x': nested deeper than 100 levels"
