"""The fields that requests may name are exactly those that the store can answer for."""

import pytest

from lodestep.errors import InvalidInput
from lodestep.lang import fields
from lodestep.lang.fields import Kind, Resource
from lodestep.store import artifacts, experiments, pipelines, runs

STORED = {
    Resource.RUNS: runs.FIELDS,
    Resource.EXPERIMENTS: experiments.FIELDS,
    Resource.PIPELINES: pipelines.FIELDS,
    Resource.VERSIONS: pipelines.VERSION_FIELDS,
    Resource.ARTIFACTS: artifacts.FIELDS,
}


@pytest.mark.parametrize("resource", STORED)
def test_every_field_is_a_column_and_aliases_agree_on_it(resource: Resource) -> None:
    columns = STORED[resource]
    for name in fields.names(resource):
        field = fields.field(resource, name, place="filter")
        if field.kind is not Kind.READY:
            assert columns[name] == columns[field.name]
            assert columns[field.name].endswith("_ms") == (field.kind is Kind.TIME)
    assert columns[fields.id_field(resource).name] == "id"


@pytest.mark.parametrize("resource", Resource)
def test_every_resource_can_be_sorted_by_default(resource: Resource) -> None:
    assert fields.field(resource, fields.DEFAULT_SORT, place="sort_by").kind is Kind.TIME


def test_an_unknown_field_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput, match=r"pipelines have no field 'state'.*created_at"):
        fields.field(Resource.PIPELINES, "state", place="filter")
