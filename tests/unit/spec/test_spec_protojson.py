"""The lenient side of protobuf's JSON mapping: what it allows beside the plain form becomes the plain form."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from lodestep.errors import InvalidInput
from lodestep.spec import ir, protojson
from tests.unit.spec.hostile_corpus import PIPELINE

# The reference's server refuses a field twice; Python's protobuf takes it, and numbers that an enumeration lacks.
LAX_IN_PYTHON = ("which are one field", "7 is none of")
TASK: dict[str, Any] = {"componentRef": {"name": "c"}}


@pytest.mark.parametrize(
    ("kind", "lenient", "plain"),
    [
        (ir.TaskSpec, {"component_ref": {"name": "c"}}, TASK),
        (ir.TaskSpec, {**TASK, "inputs": None, "retryPolicy": None, "dependentTasks": None}, TASK),
        (ir.RetryPolicy, {"maxRetryCount": "3", "backoffFactor": "1.5"}, {"maxRetryCount": 3, "backoffFactor": 1.5}),
        (ir.RetryPolicy, {"max_retry_count": 3.0, "backoffFactor": 2}, {"maxRetryCount": 3, "backoffFactor": 2.0}),
        (ir.TriggerPolicy, {"strategy": 2}, {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}),
        (ir.InputParameter, {"parameterType": 3, "type": 1}, {"parameterType": "STRING", "type": "INT"}),
        (ir.AcceleratorSpec, {"count": "2", "type": "T4"}, {"count": 2, "type": "T4"}),
        (ir.TypedValue, {"intValue": "-5"}, {"intValue": -5}),
        (ir.RuntimeValue, {"constant_value": {"string_value": "x"}}, {"constantValue": {"stringValue": "x"}}),
    ],
)
def test_lenient_forms(kind: type[ir.Message], lenient: Any, plain: Any) -> None:
    assert protojson.convert(lenient, kind) == protojson.convert(plain, kind)


def test_null_is_a_value_where_the_proto_says_so() -> None:
    assert protojson.convert({"constant": None}, ir.RuntimeValue).constant is None
    given = protojson.convert({"default_value": None, "isOptional": None}, ir.InputParameter)
    assert given.has_default
    assert given.default_value is None


def test_values_of_users_keep_their_keys() -> None:
    value = {"some_key": {"other_key": None}, "someKey": 1}
    assert protojson.convert({"runtime_value": {"constant": value}}, ir.TaskInputParameter).runtime_value == (
        ir.RuntimeValue(constant=value)
    )


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"components": []}, "$.components", "expected an object, found a list"),
        ({"pipelineInfo": "x"}, "$.pipelineInfo", "expected an object, found 'x'"),
        ({"pipelineInfo": {"name": 5}}, "$.pipelineInfo.name", "expected a text, found 5"),
        ({"pipelinInfo": {}}, "$", "did you mean 'pipelineInfo'?"),
        ({"pipeline_info": {}}, "$", "which are one field"),
        (
            {"components": {"a-b": {"dag": {"tasks": {"t": {"inputz": {}}}}}}},
            "$.components['a-b'].dag.tasks['t']",
            "inputs",
        ),
        (
            {"components": {"c": {"inputDefinitions": {"parameters": {"p": {"parameterType": "INT"}}}}}},
            "$.components['c'].inputDefinitions.parameters['p'].parameterType",
            "'INT' is none of",
        ),
        (
            {"root": {"dag": {"tasks": {"t": {"retryPolicy": {"maxRetryCount": 1.5}}}}}},
            "$.root.dag.tasks['t'].retryPolicy.maxRetryCount",
            "expected a whole number, found 1.5",
        ),
        (
            {"root": {"dag": {"tasks": {"t": {"dependentTasks": ["a", 1]}}}}},
            "$.root.dag.tasks['t'].dependentTasks[1]",
            "expected a text, found 1",
        ),
        (
            {"root": {"dag": {"tasks": {"t": {"cachingOptions": {"enableCache": "true"}}}}}},
            "$.root.dag.tasks['t'].cachingOptions.enableCache",
            "expected true or false",
        ),
        (
            {"root": {"dag": {"tasks": {"t": {"triggerPolicy": {"strategy": 7}}}}}},
            "$.root.dag.tasks['t'].triggerPolicy.strategy",
            "7 is none of",
        ),
    ],
)
def test_errors_name_the_place(change: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        protojson.convert({**PIPELINE, **change}, ir.PipelineSpec)
    assert caught.value.place == place
    assert words in str(caught.value)
    if words not in LAX_IN_PYTHON:
        text = json.dumps({**PIPELINE, **change})
        with pytest.raises(json_format.ParseError):
            json_format.Parse(text, pipeline_spec_pb2.PipelineSpec())


def test_deprecated_types_and_constants_are_read_as_new_ones() -> None:
    old = protojson.convert({"type": "INT", "defaultValue": 5}, ir.InputParameter)
    assert old.kind is ir.ParameterType.NUMBER_INTEGER
    assert protojson.convert({"type": "DOUBLE"}, ir.OutputParameter).kind is ir.ParameterType.NUMBER_DOUBLE
    assert protojson.convert({"type": "STRING"}, ir.OutputParameter).kind is ir.ParameterType.STRING
    assert protojson.convert({}, ir.OutputParameter).kind is ir.ParameterType.UNSPECIFIED
    for member, value in (("intValue", 3), ("doubleValue", 2.5), ("stringValue", "x")):
        assert protojson.convert({"constantValue": {member: value}}, ir.RuntimeValue).value == value
    assert ir.RuntimeValue(constant=[1]).value == [1]
    assert ir.RuntimeValue(runtime_parameter="p").value is None


def test_resources_of_both_forms_are_one() -> None:
    old = ir.ResourceSpec(cpu_limit=1.5, cpu_request=0.1, memory_limit=2.0, memory_request=0.5)
    assert (old.wanted_cpu_limit, old.wanted_cpu_request) == ("1500m", "100m")
    assert (old.wanted_memory_limit, old.wanted_memory_request) == ("2000000000", "500000000")
    new = ir.ResourceSpec(resource_cpu_limit="2", cpu_limit=1.0, resource_memory_limit="{{x}}")
    assert (new.wanted_cpu_limit, new.wanted_memory_limit, new.wanted_cpu_request) == ("2", "{{x}}", "")
    assert ir.AcceleratorSpec(type="T4", count=2).wanted_type == "T4"
    assert ir.AcceleratorSpec(type="T4", count=2).wanted_count == "2"
    assert ir.AcceleratorSpec(resource_type="gpu", resource_count="{{n}}").wanted_count == "{{n}}"
    assert ir.AcceleratorSpec().wanted_count == ""
