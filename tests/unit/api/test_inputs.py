"""The messages that clients send: every field by both of its names, and no other."""

import re
from typing import Any

import msgspec
import pytest

from lodestep.api import inputs
from lodestep.errors import InvalidInput
from lodestep.spec import protojson
from lodestep.spec.ir import Message

MESSAGES: list[type[Message]] = [
    kind
    for kind in vars(inputs).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == inputs.__name__
]
# The fields that the reference's generated client may send, by its models.
SENT = {
    inputs.ExperimentIn: "V2beta1Experiment",
    inputs.PipelineIn: "V2beta1Pipeline",
    inputs.VersionIn: "V2beta1PipelineVersion",
    inputs.VersionReferenceIn: "V2beta1PipelineVersionReference",
    inputs.RuntimeConfigIn: "V2beta1RuntimeConfig",
    inputs.RunIn: "V2beta1Run",
}


def camel(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_each_field_goes_by_both_names(kind: type[Message]) -> None:
    for field in msgspec.structs.fields(kind):
        value: Any = {"str": "x"}.get(getattr(field.type, "__name__", ""))
        if value is None:
            continue
        both = [protojson.convert({name: value}, kind) for name in (field.name, camel(field.name))]
        assert getattr(both[0], field.name) == value
        assert both[0] == both[1]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_null_is_absence(kind: type[Message]) -> None:
    nothing = protojson.convert({field.name: None for field in msgspec.structs.fields(kind)}, kind)
    assert nothing == protojson.convert({}, kind)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_an_unknown_field_is_refused(kind: type[Message]) -> None:
    with pytest.raises(InvalidInput, match="unknown field 'colour'"):
        protojson.convert({"colour": 1}, kind, place="body")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", SENT, ids=lambda kind: kind.__name__)
def test_whatever_the_official_client_may_send_is_known(kind: type[Message]) -> None:
    client = pytest.importorskip("kfp_server_api")
    model = getattr(client, SENT[kind])
    ours = {field.name for field in msgspec.structs.fields(kind)}
    assert set(model.attribute_map) - ours == set()
