"""The messages that clients send. Both namings are taken, unknown fields are refused (see `spec.protojson`)."""

from typing import Any

from lodestep.spec.ir import Message


class ExperimentIn(Message, frozen=True, kw_only=True):
    experiment_id: str = ""
    display_name: str = ""
    description: str = ""
    created_at: str = ""
    namespace: str = ""
    storage_state: str = ""
    last_run_created_at: str = ""


class PipelineIn(Message, frozen=True, kw_only=True):
    pipeline_id: str = ""
    display_name: str = ""
    name: str = ""
    description: str = ""
    created_at: str = ""
    namespace: str = ""
    error: dict[str, Any] | None = None
    tags: dict[str, str] | None = None


class UrlIn(Message, frozen=True, kw_only=True):
    pipeline_url: str = ""


class VersionIn(Message, frozen=True, kw_only=True):
    pipeline_id: str = ""
    pipeline_version_id: str = ""
    display_name: str = ""
    name: str = ""
    description: str = ""
    created_at: str = ""
    package_url: UrlIn = UrlIn()
    code_source_url: str = ""
    pipeline_spec: Any = None
    error: dict[str, Any] | None = None
    tags: dict[str, str] | None = None


class PipelineAndVersionIn(Message, frozen=True, kw_only=True):
    pipeline: PipelineIn = PipelineIn()
    pipeline_version: VersionIn = VersionIn()


class VersionReferenceIn(Message, frozen=True, kw_only=True):
    pipeline_id: str = ""
    pipeline_version_id: str = ""


class RuntimeConfigIn(Message, frozen=True, kw_only=True):
    parameters: dict[str, Any] = {}
    pipeline_root: str = ""


class RunIn(Message, frozen=True, kw_only=True):
    """Fields that only the server sets are read and passed over."""

    experiment_id: str = ""
    run_id: str = ""
    display_name: str = ""
    storage_state: str = ""
    description: str = ""
    pipeline_version_id: str = ""
    pipeline_spec: Any = None
    pipeline_version_reference: VersionReferenceIn | None = None
    runtime_config: RuntimeConfigIn = RuntimeConfigIn()
    service_account: str = ""
    created_at: str = ""
    scheduled_at: str = ""
    finished_at: str = ""
    state: str = ""
    error: dict[str, Any] | None = None
    run_details: dict[str, Any] | None = None
    recurring_run_id: str = ""
    state_history: list[dict[str, Any]] = []
    plugins_input: dict[str, Any] = {}
    plugins_output: dict[str, Any] = {}


class PreflightIn(Message, frozen=True, kw_only=True):
    pipeline_spec: Any = None
