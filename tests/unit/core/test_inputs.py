"""Where inputs come from, what stands in for those that are missing, and what is refused."""

from typing import Any

import pytest

from lodestep.core.states import RunStatus
from tests.unit.core.flow import DATASET, INT, LIST, STRUCT, TEXT, Flow, dag, leaf, out, parent, pipeline, task

OPTIONAL = leaf(
    {"x": {**INT, "isOptional": True, "defaultValue": 7}, "s": {**TEXT, "isOptional": True}}, {"Output": INT}
)


def given(flow: Flow, path: str) -> dict[str, Any]:
    return flow.task(path).inputs.parameters


def test_root_parameters_and_their_defaults() -> None:
    inputs = {"a": INT, "b": {**INT, "defaultValue": 3.0}, "c": {**TEXT, "isOptional": True}}
    flow = Flow(pipeline({"t": task("int", x=parent("b"))}, inputs), {"a": 1})
    assert flow.state.root.inputs.parameters == {"a": 1, "b": 3, "c": None}
    assert given(flow, "t") == {"x": 3}


def test_a_missing_root_parameter_fails_the_run() -> None:
    flow = Flow(pipeline({"t": task("int", x=parent("a"))}, {"a": INT}))
    assert flow.state.status is RunStatus.FAILED
    assert flow.state.failure is not None
    assert flow.state.failure.message == "the input 'a' is required, but the run was not given it"
    assert flow.states() == {}


def test_component_defaults_and_nothing_for_optional_inputs() -> None:
    flow = Flow(pipeline({"t": task("optional")}, optional=OPTIONAL))
    assert given(flow, "t") == {"x": 7, "s": None}


def test_null_takes_the_default_at_every_level() -> None:
    inner = dag({"t": task("optional", x=parent("p"), s=parent("p"))}, {"p": {**INT, "isOptional": True}})
    flow = Flow(
        pipeline(
            {"g": task("inner", p=parent("r"))}, {"r": {**INT, "isOptional": True}}, inner=inner, optional=OPTIONAL
        )
    )
    assert given(flow, "g") == {"p": None}
    assert given(flow, "g/t") == {"x": 7, "s": None}


def test_defaults_of_a_pipeline_in_a_pipeline() -> None:
    inner = dag({"t": task("int", x=parent("p"))}, {"p": {**INT, "isOptional": True, "defaultValue": 4}})
    flow = Flow(pipeline({"g": task("inner")}, inner=inner))
    assert given(flow, "g/t") == {"x": 4}


def test_groups_of_the_compiler_pass_nothing_on_as_nothing() -> None:
    name = "pipelinechannel--r"
    inner = dag({"t": task("optional", s=parent(name))}, {name: TEXT})
    tasks = {"g": {**task("inner"), "inputs": {"parameters": {name: parent("r")}}}}
    flow = Flow(pipeline(tasks, {"r": {**TEXT, "isOptional": True}}, inner=inner, optional=OPTIONAL))
    assert given(flow, "g") == {name: None}
    assert given(flow, "g/t")["s"] is None


def test_a_null_for_a_required_input_is_refused() -> None:
    flow = Flow(pipeline({"t": task("int", x=parent("r"))}, {"r": {**INT, "isOptional": True}}))
    assert flow.task("t").reason == "the input 'x' is required, but 'r' of the group around it has no value"
    assert flow.task("t").failure is not None
    assert not flow.task("t").failure.retryable


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (INT, 5.0, 5),
        (INT, "12", 12),
        (TEXT, 5, "5"),
        (TEXT, [1, 2.0], "[1,2]"),
        (LIST, "[1, 2]", [1, 2]),
        (STRUCT, '{"a": 1}', {"a": 1}),
        ({"parameterType": "NUMBER_DOUBLE"}, 2, 2),
        ({"parameterType": "BOOLEAN"}, "true", True),
    ],
)
def test_values_are_fitted_to_the_declared_type(kind: dict[str, str], value: Any, expected: Any) -> None:
    tasks = {"a": task("make"), "t": task("take", v=out("a"))}
    flow = Flow(pipeline(tasks, make=leaf(outputs={"Output": TEXT}), take=leaf({"v": kind})))
    flow.ok("a", Output=value)
    found = given(flow, "t")["v"]
    assert found == expected
    assert type(found) is type(expected)


def test_a_value_of_the_wrong_type_is_refused_in_words() -> None:
    tasks = {"a": task("make"), "t": task("int", x=out("a"))}
    flow = Flow(pipeline(tasks, make=leaf(outputs={"Output": TEXT})))
    flow.ok("a", Output="many")
    assert "expected a whole number" in flow.task("t").reason
    assert "'x'" in flow.task("t").reason


def test_literals_are_enforced() -> None:
    tasks = {"a": task("make"), "t": task("take", v=out("a"))}
    flow = Flow(
        pipeline(tasks, make=leaf(outputs={"Output": TEXT}), take=leaf({"v": {**TEXT, "literals": ["x", "y"]}}))
    )
    flow.ok("a", Output="z")
    assert flow.task("t").reason == "the input 'v' is 'z', which is not one of 'x', 'y'"


def test_placeholders_in_constants() -> None:
    tasks = {
        "a": task("make"),
        "t": task(
            "take",
            v="run {{$.pipeline_job_uuid}} of {{$.pipeline_job_resource_name}}: {{$.pipeline_task_name}}",
            w="got {{$.inputs.parameters['hidden']}}",
            hidden=out("a"),
        ),
    }
    flow = Flow(pipeline(tasks, make=leaf(outputs={"Output": TEXT}), take=leaf({"v": TEXT, "w": TEXT})))
    flow.ok("a", Output="{{$.pipeline_job_uuid}}")
    assert given(flow, "t")["v"] == "run run-1 of tested-abcde: t"
    assert given(flow, "t")["w"] == "got {{$.pipeline_job_uuid}}"  # data that looks like a placeholder stays data


def test_placeholders_inside_structures() -> None:
    flow = Flow(pipeline({"t": task("take", v={"deep": ["{{$.pipeline_job_name}}"]})}, take=leaf({"v": STRUCT})))
    assert given(flow, "t") == {"v": {"deep": ["a run"]}}


def test_a_placeholder_for_a_number() -> None:
    tasks = {"t": task("int", x="{{$.inputs.parameters['n']}}", n=parent("r"))}
    flow = Flow(pipeline(tasks, {"r": INT}), {"r": 9})
    assert given(flow, "t")["x"] == 9


def test_optional_artifacts_are_left_out_and_required_ones_asked_for() -> None:
    make = leaf(makes={"out": DATASET})
    source = {"taskOutputArtifact": {"producerTask": "a", "outputArtifactKey": "out"}}
    for declared, expected in (({**DATASET, "isOptional": True}, "PENDING"), (DATASET, "FAILED")):
        use = task("use")
        use["inputs"]["artifacts"] = {"ds": source}
        flow = Flow(pipeline({"a": task("make"), "t": use}, make=make, use=leaf(artifacts={"ds": declared})))
        flow.ok("a", Output=1)  # succeeds without the artifact
        assert flow.states()["t"] == expected
    assert "the input artifact 'ds' is required, but 'a', whose output 'out' it is" in flow.task("t").reason


def test_outputs_rise_through_dags() -> None:
    inner = dag({"t": task("plain")}, outputs={"o": ("t", "Output")}, kind=INT)
    outer = dag({"g": task("inner")}, outputs={"p": ("g", "o")}, kind=INT)
    flow = Flow(pipeline({"h": task("outer"), "c": task("int", x=out("h", "p"))}, inner=inner, outer=outer))
    flow.ok("h/g/t", Output=42)
    assert given(flow, "c") == {"x": 42}
