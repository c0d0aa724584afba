"""Our messages are those of the reference's protos: every field, by its name on the wire and its type, and no more."""

from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from lodestep.spec import ir, platform
from lodestep.spec.ir import Message
from lodestep.spec.protojson import fields

_PIPELINE = {
    "PipelineSpec": ir.PipelineSpec,
    "PlatformSpec": ir.PlatformSpec,
    # Struct in the proto; the reference reads this message out of it.
    "PipelineDeploymentConfig": ir.DeploymentConfig,
}
# Messages that no pipeline file holds, and why.
_ELSEWHERE = {
    "PipelineJob": "a request of another product",
    "PipelineJob.RuntimeConfig": "a request of another product",
    "PipelineSpec.RuntimeParameter": "nothing refers to it",
    "DagOutputsSpec.MapParameterSelectorsSpec": "nothing refers to it",
    "TaskOutputsSpec": "nothing refers to it",
    "TaskOutputsSpec.OutputArtifactSpec": "nothing refers to it",
    "TaskOutputsSpec.OutputParameterSpec": "nothing refers to it",
    "PrimitiveType": "holds an enumeration only",
    "ParameterType": "holds an enumeration only",
    "TaskConfigPassthroughType": "holds an enumeration only",
    "PipelineStateEnum": "holds an enumeration only: the states of tasks, which core has",
    "RuntimeArtifact": "what a step is given: core.executor_input",
    "ArtifactList": "what a step is given: core.executor_input",
    "ExecutorInput": "what a step is given: core.executor_input",
    "ExecutorInput.Inputs": "what a step is given: core.executor_input",
    "ExecutorInput.Outputs": "what a step is given: core.executor_input",
    "ExecutorInput.OutputParameter": "what a step is given: core.executor_input",
    "ExecutorOutput": "what a step gives back",
    "PipelineTaskFinalStatus": "what a step is given: core.executor_input",
}
_NOT_IN_EXECUTOR_CONFIG = {
    "CreatePvc": "the arguments of a component, as parameters",
    "DeletePvc": "the arguments of a component, as parameters",
    "TypedLocalObjectReference": "an argument of CreatePvc",
}
# Fields that we have and the published proto has not.
_OURS = {"KubernetesExecutorConfig": {"initContainers": "on the reference's main branch; read to be refused in words"}}
_STRUCT = "google.protobuf.Struct"
_VALUE = "google.protobuf.Value"
_SCALARS = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_INT64: int,
}


def _plain_type(kind: Any) -> Any:
    if get_origin(kind) is UnionType:
        return next(arm for arm in get_args(kind) if arm is not type(None))
    return kind


def _check(message: Descriptor, struct: type[Message], seen: dict[str, type[Message]]) -> None:
    name = message.full_name.partition(".")[2]
    if name in seen:
        assert seen[name] is struct
        return
    seen[name] = struct
    ours = {field.encode_name: _plain_type(field.type) for field in msgspec.structs.fields(struct)}
    theirs = {field.json_name: field for field in message.fields}
    assert set(ours) - set(_OURS.get(name, ())) == set(theirs), name
    assert set(fields(struct)) >= {field.name for field in message.fields}
    for wire_name, field in theirs.items():
        _check_field(field, ours[wire_name], seen)


def _check_field(field: FieldDescriptor, kind: Any, seen: dict[str, type[Message]]) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        assert get_origin(kind) is dict, field.full_name
        _check_single(entry.fields_by_name["value"], get_args(kind)[1], seen)
    elif field.is_repeated:
        assert get_origin(kind) is list, field.full_name
        _check_single(field, get_args(kind)[0], seen)
    else:
        _check_single(field, kind, seen)


def _check_single(field: FieldDescriptor, kind: Any, seen: dict[str, type[Message]]) -> None:
    if field.enum_type is not None:
        assert issubclass(kind, StrEnum)
        assert [member.value for member in kind] == [value.name for value in field.enum_type.values]
        assert [value.number for value in field.enum_type.values] == list(range(len(kind)))
    elif field.message_type is None:
        assert kind is _SCALARS[field.type], field.full_name
    elif field.full_name == "ml_pipelines.PipelineSpec.deployment_spec":
        assert kind is ir.DeploymentConfig
    elif field.message_type.full_name == _VALUE:
        assert kind is Any, field.full_name
    elif field.message_type.full_name == _STRUCT:
        assert kind == dict[str, Any], field.full_name
    elif field.message_type.full_name == "google.protobuf.Duration":
        assert kind is str
    else:
        _check(field.message_type, kind, seen)


def _all(descriptors: Any) -> set[str]:
    names: set[str] = set()
    waiting = list(descriptors)
    while waiting:
        message = waiting.pop()
        if not message.GetOptions().map_entry:
            names.add(message.full_name.partition(".")[2])
            waiting.extend(message.nested_types)
    return names


def test_every_field_of_every_message_is_there() -> None:
    seen: dict[str, type[Message]] = {}
    messages = pipeline_spec_pb2.DESCRIPTOR.message_types_by_name
    for name, struct in _PIPELINE.items():
        _check(messages[name], struct, seen)
    assert _all(messages.values()) == set(seen) | set(_ELSEWHERE)


def test_every_field_of_the_kubernetes_settings_is_there() -> None:
    messages = kubernetes_executor_config_pb2.DESCRIPTOR.message_types_by_name
    seen: dict[str, type[Message]] = {}
    _check(messages["KubernetesExecutorConfig"], platform.KubernetesExecutorConfig, seen)
    known = {name for name in seen if name in _all(messages.values())}
    assert _all(messages.values()) == known | set(_NOT_IN_EXECUTOR_CONFIG)


@pytest.mark.parametrize("module", [ir, platform])
def test_no_message_is_unused(module: Any) -> None:
    seen: dict[str, type[Message]] = {}
    for name, struct in _PIPELINE.items():
        _check(pipeline_spec_pb2.DESCRIPTOR.message_types_by_name[name], struct, seen)
    _check(
        kubernetes_executor_config_pb2.DESCRIPTOR.message_types_by_name["KubernetesExecutorConfig"],
        platform.KubernetesExecutorConfig,
        seen,
    )
    defined = {
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Message)
        and value.__module__ == module.__name__
        and value is not Message
    }
    assert defined == set(seen.values()) & defined
