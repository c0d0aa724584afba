"""A document comes back from every form it is written in."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from lodestep.errors import TooLarge
from lodestep.spec import dump, load, values
from lodestep.spec.ir import ParameterType
from tests.unit.spec.hostile_corpus import PIPELINE

NAMES = st.text(max_size=12) | st.sampled_from(["on", "1", "~", "null", "<<", "a: b", "# x", "- y", "é" * 130])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=120),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def _with_value(name: str, value: Any, platform: bool) -> Any:
    parameters = {name: {"parameterType": "STRUCT", "defaultValue": value, "isOptional": True, "description": name}}
    root = {**PIPELINE["root"], "inputDefinitions": {"parameters": parameters}}
    pipeline = {**PIPELINE, "root": root}
    if not platform:
        return pipeline
    settings = {"platforms": {"kubernetes": {"config": {name: value}, "pipelineConfig": {"resourceTtlOnSuccess": 5}}}}
    return {"pipeline_spec": pipeline, "platform_spec": settings}


@given(NAMES, JSON, st.booleans())
def test_it_comes_back(name: str, value: Any, platform: bool) -> None:
    document = load.from_wire(_with_value(name, value, platform))
    assert load.read_upload(dump.to_yaml(document).encode()) == document
    assert load.read_upload(dump.to_json(document).encode()) == document
    assert load.from_canonical(document.canonical) == document


@given(JSON, st.sampled_from(list(ParameterType)))
def test_a_coerced_value_is_of_its_type(value: Any, kind: ParameterType) -> None:
    try:
        first = values.coerce(value, kind)
    except (values.InvalidInput, TooLarge):
        return
    assert values.coerce(first, kind) == first
    assert values.parse_output(values.as_text(first), kind) == (
        values.as_text(first) if kind is ParameterType.UNSPECIFIED else first
    )
