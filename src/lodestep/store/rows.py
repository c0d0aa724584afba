"""The rows of the tables as values. No SQL, no behaviour.

The order of the fields is the order of the columns that are read. Times are wall milliseconds, 0 means not yet; text
that is absent is "". `error` is no column: a row that cannot be read is still shown in lists, with what could be read
of it and the reason in `error`.
"""

import msgspec

from lodestep.core.model import Values


class ExperimentRow(msgspec.Struct, frozen=True):
    id: str
    name: str
    description: str = ""
    namespace: str = ""
    storage_state: str = "AVAILABLE"
    created_ms: int = 0
    last_run_ms: int = 0
    error: str = ""


class PipelineRow(msgspec.Struct, frozen=True):
    id: str
    name: str
    display_name: str = ""
    description: str = ""
    namespace: str = ""
    tags: dict[str, str] = {}
    created_ms: int = 0
    error: str = ""


class VersionRow(msgspec.Struct, frozen=True):
    id: str
    pipeline_id: str
    name: str
    display_name: str = ""
    description: str = ""
    code_source_url: str = ""
    package_url: str = ""
    spec_digest: str = ""
    tags: dict[str, str] = {}
    created_ms: int = 0
    error: str = ""
    spec: bytes | None = None  # the canonical document, where it was asked for


class RunRow(msgspec.Struct, frozen=True):
    """A run as people see it. The truth is its event log; this is its projection."""

    id: str
    name: str
    description: str = ""
    experiment_id: str = ""
    namespace: str = ""
    storage_state: str = "AVAILABLE"
    service_account: str = ""
    pipeline_name: str = ""
    pipeline_id: str = ""
    version_id: str = ""
    spec_digest: str = ""
    inline_spec: bool = False  # the caller gave the spec itself, not a reference to a version
    runtime_config: bytes = b"{}"  # JSON as it was given
    header: bytes = b"{}"  # JSON of `core.model.RunHeader`
    recurring_run_id: str = ""
    state: str = "PENDING"
    failure: bytes | None = None  # JSON of `core.model.Failure`
    generation: int = 0
    history: bytes = b"[]"  # JSON of `list[core.model.Moment]`
    created_ms: int = 0
    scheduled_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    rev: int = 0
    error: str = ""
    spec: bytes | None = None  # the canonical document of an inline spec, where it was asked for


class ArtifactRow(msgspec.Struct, frozen=True):
    id: str
    run_id: str
    task_id: str  # the task that made it ("" for one that was imported without a task)
    key: str  # the output's name
    name: str
    type: str
    uri: str
    digest: str
    size: int
    namespace: str
    created_ms: int
    value: bytes  # JSON of `core.model.ArtifactValue`
    error: str = ""


class ArtifactTaskRow(msgspec.Struct, frozen=True):
    """That a task took (INPUT) or made (OUTPUT) an artifact."""

    artifact_id: str
    task_id: str
    run_id: str
    kind: str
    key: str
    position: int


class CacheEntryRow(msgspec.Struct, frozen=True):
    task_id: str
    run_id: str
    fingerprint: str
    namespace: str
    pipeline_name: str
    outputs: Values
    created_ms: int


class RequestRow(msgspec.Struct, frozen=True):
    """The answer that was given to a request with an idempotency key. `digest` is that of the request's body."""

    key: str
    scope: str  # method and path
    digest: str
    status: int
    headers: dict[str, str]
    body: bytes
    created_ms: int


class InboxRow(msgspec.Struct, frozen=True):
    id: int
    run_id: str
    event: bytes


class Problem(msgspec.Struct, frozen=True):
    """Something that `check` found. `table` is "" where the file itself is damaged."""

    table: str
    id: str
    message: str
