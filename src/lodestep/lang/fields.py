"""What lists can be filtered and sorted by: the fields of each resource, by the names that clients use.

The tables say what a request may name, no more: which column a field is, is the store's affair. A field has one proper
name (`name`, `run_id`); the other names that the two versions of the interface have for it are kept as aliases.
"""

from enum import StrEnum

import msgspec

from lodestep.errors import InvalidInput


class Resource(StrEnum):
    RUNS = "runs"
    EXPERIMENTS = "experiments"
    PIPELINES = "pipelines"
    VERSIONS = "pipeline_versions"
    RECURRING_RUNS = "recurring_runs"
    ARTIFACTS = "artifacts"


class Kind(StrEnum):
    """What a field holds: `TIME` is milliseconds at rest and seconds in a filter, `STATE` one word in capitals."""

    TEXT = "text"
    TIME = "time"
    STATE = "state"
    READY = "ready"  # a state that is always READY, and stored nowhere


class Field(msgspec.Struct, frozen=True):
    name: str
    kind: Kind


DEFAULT_SORT = "created_at"
TAG_PREFIX = "tags."
_TAGGED = frozenset({Resource.PIPELINES, Resource.VERSIONS})
_KINDS = {
    "created_at": Kind.TIME,
    "updated_at": Kind.TIME,
    "finished_at": Kind.TIME,
    "scheduled_at": Kind.TIME,
    "last_run_created_at": Kind.TIME,
    "storage_state": Kind.STATE,
    "state": Kind.STATE,
}
_NAMES: dict[Resource, str] = {
    Resource.RUNS: "run_id display_name created_at finished_at scheduled_at description storage_state state namespace "
    "experiment_id recurring_run_id",
    Resource.EXPERIMENTS: "experiment_id display_name created_at last_run_created_at description namespace "
    "storage_state",
    Resource.PIPELINES: "pipeline_id name display_name created_at description namespace",
    Resource.VERSIONS: "pipeline_version_id name display_name created_at description",
    Resource.RECURRING_RUNS: "recurring_run_id display_name created_at updated_at description",
    Resource.ARTIFACTS: "artifact_id name type uri created_at namespace run_id",
}


def _table(resource: Resource) -> dict[str, Field]:
    names = _NAMES[resource].split()
    fields = {name: Field(name, _KINDS.get(name, Kind.TEXT)) for name in names}
    fields["id"] = fields[names[0]]
    fields.setdefault("name", fields.get("display_name", fields["id"]))
    if "state" in fields:
        fields["status"] = fields["state"]
    if resource is Resource.VERSIONS:
        fields["status"] = Field("status", Kind.READY)
    return fields


_TABLES = {resource: _table(resource) for resource in Resource}


def names(resource: Resource) -> list[str]:
    """The names that a filter or a sort of this resource may use."""
    return sorted(_TABLES[resource])


def field(resource: Resource, name: str, *, place: str) -> Field:
    """The field that a client's name means. Raises `InvalidInput` where there is none."""
    found = _TABLES[resource].get(name)
    if found is None:
        raise InvalidInput(
            f"{resource} have no field {name[:60]!r}", place=place, hint=f"known: {', '.join(names(resource))}"
        )
    return found


def has_tags(resource: Resource) -> bool:
    return resource in _TAGGED


def id_field(resource: Resource) -> Field:
    return _TABLES[resource]["id"]
