"""Random messages, in all the forms that the JSON mapping of protobuf allows, mean to us what they mean to protobuf."""

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given, settings
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from lodestep.spec import ir, platform, protojson

NAMES = st.text("abcXYZ-_ é0", min_size=1, max_size=8)
TEXTS = st.text(max_size=8)
WHOLE = st.integers(-(2**31), 2**31 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.sampled_from([0.5, -1.25, 1e30]) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.sampled_from([0, 1, 1.5, -2.0, "3.25", "4"]),
    FieldDescriptor.TYPE_INT32: WHOLE | WHOLE.map(str) | st.sampled_from([5.0, "-1"]),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**63 - 1).map(str),
}
EMPTY: tuple[Any, ...] = ({}, [], "", False)
MESSAGES: list[tuple[Any, type[ir.Message]]] = [
    (pipeline_spec_pb2.ComponentSpec, ir.ComponentSpec),
    (pipeline_spec_pb2.PipelineTaskSpec, ir.TaskSpec),
    (pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec, ir.ExecutorSpec),
    (pipeline_spec_pb2.PlatformSpec, ir.PlatformSpec),
    (kubernetes_executor_config_pb2.KubernetesExecutorConfig, platform.KubernetesExecutorConfig),
]


def _message(descriptor: Descriptor, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if descriptor.full_name == "google.protobuf.Struct":
        return st.dictionaries(NAMES, JSON, max_size=3)
    if descriptor.full_name == "google.protobuf.Value":
        return JSON
    if descriptor.full_name == "google.protobuf.Duration":
        return st.sampled_from(["0s", "1.5s", "30s", "0.001s"])  # type: ignore[return-value]
    return st.composite(_draw_message)(descriptor, depth)


def _draw_message(draw: Any, descriptor: Descriptor, depth: int) -> dict[str, Any]:
    usable = [field for field in descriptor.fields if depth > 0 or field.message_type is None]
    chosen = draw(st.lists(st.sampled_from(usable), max_size=4, unique_by=_slot)) if usable else []
    return {draw(st.sampled_from([field.json_name, field.name])): draw(_field(field, depth - 1)) for field in chosen}


def _slot(field: FieldDescriptor) -> str:
    """Of the members of a oneof there may be one."""
    return field.containing_oneof.name if field.containing_oneof else field.name


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return st.dictionaries(NAMES, _single(entry.fields_by_name["value"], depth), max_size=2)
    single = _single(field, depth)
    value = st.lists(single, max_size=2) if field.is_repeated else single
    is_value = entry is not None and entry.full_name == "google.protobuf.Value"
    return value if is_value else value | st.none()


def _single(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        values = field.enum_type.values
        return st.sampled_from([value.name for value in values] + [value.number for value in values])
    if field.message_type is not None:
        return _message(field.message_type, depth)
    return SCALARS[field.type]


@pytest.mark.parametrize(("theirs", "ours"), MESSAGES, ids=lambda kind: kind.__name__)
def test_a_message_means_what_it_means_to_protobuf(theirs: Any, ours: type[ir.Message]) -> None:
    @given(_message(theirs.DESCRIPTOR, 4))
    @settings(max_examples=150)
    def check(value: dict[str, Any]) -> None:
        expected = json_format.ParseDict(value, theirs())
        found = json_format.ParseDict(msgspec.to_builtins(protojson.convert(value, ours)), theirs())
        assert _pruned(json_format.MessageToDict(found)) == _pruned(json_format.MessageToDict(expected))

    check()


def _pruned(value: Any) -> Any:
    """Without what is empty: the structs do not tell that from what is absent, where it means the same."""
    if isinstance(value, dict):
        pruned = {name: _pruned(item) for name, item in value.items()}
        return {name: item for name, item in pruned.items() if item not in EMPTY or item is None}
    return [_pruned(item) for item in value] if isinstance(value, list) else value
