"""A run from a request: which pipeline it is of, whether its parameters fit, and what is fixed from here on."""

from typing import Any

import msgspec

from lodestep import ids, jsonio
from lodestep.api import experiments, pipelines
from lodestep.api.inputs import RunIn
from lodestep.api.naming import run_name
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.core import plan
from lodestep.core.model import Moment, RunHeader
from lodestep.errors import Conflict, FailedPrecondition, InvalidInput, NotFound
from lodestep.lang.macros import Meaning, expand_value
from lodestep.spec import load, values
from lodestep.spec.document import PipelineDocument
from lodestep.store import experiments as experiment_rows
from lodestep.store import pipelines as pipeline_rows
from lodestep.store import runs, specs
from lodestep.store.db import Connection
from lodestep.store.rows import RunRow, VersionRow

_SERVICE_ACCOUNT = "pipeline-runner"


class Source(msgspec.Struct, frozen=True):
    """What a run is of: a version that is kept, or a spec that came with it."""

    document: PipelineDocument
    version: VersionRow | None


def checked(spec: Any) -> PipelineDocument:
    """The spec of a request, in every respect that a run of it would meet. Takes its time: not for the event loop."""
    document = load.from_wire(spec)
    plan.build(document)  # conditions are compiled here
    return document


def referred(conn: Connection, given: RunIn) -> Source:
    """The version that the request names; the newest where it names a pipeline alone."""
    reference = given.pipeline_version_reference
    version_id = (reference.pipeline_version_id if reference else "") or given.pipeline_version_id
    pipeline_id = reference.pipeline_id if reference else ""
    if version_id:
        version = pipelines.existing_version(conn, version_id)
    elif pipeline_id:
        pipelines.existing(conn, pipeline_id)
        newest = pipeline_rows.newest_version(conn, pipeline_id)
        if newest is None:
            raise FailedPrecondition(f"pipeline {pipeline_id!r} has no version", hint="upload one first")
        version = newest
    else:
        raise InvalidInput(
            "the run is of no pipeline: expected pipeline_version_reference or pipeline_spec", place="body"
        )
    canonical = specs.get(conn, version.spec_digest)
    if canonical is None:
        raise NotFound(f"the spec of pipeline version {version.id!r} is gone")
    return Source(load.from_canonical(canonical), version)


def check_one_source(given: RunIn) -> None:
    """The three fields that say what a run is of are one choice on the wire."""
    named = {
        "pipeline_spec": given.pipeline_spec is not None,
        "pipeline_version_reference": given.pipeline_version_reference is not None,
        "pipeline_version_id": bool(given.pipeline_version_id),
    }
    chosen = [name for name, is_given in named.items() if is_given]
    if len(chosen) > 1:
        raise InvalidInput(f"the run is of {' and of '.join(chosen)}: expected one of them", place="body")


class NewRun:
    """A run that fits its pipeline. Nothing of it is kept before `insert`."""

    def __init__(self, given: RunIn, source: Source, settings: Settings, clock: Clock) -> None:
        """Raises `InvalidInput` where it does not fit, `Conflict` where it says what only the server may say."""
        document = source.document
        self._given = given
        self._source = source
        self.run_id = ids.new_id()
        self.now_ms = clock.now_ms()
        name = run_name(given.display_name)
        if given.plugins_output:
            raise Conflict("plugins_output is written by the server alone", place="body.pluginsOutput")
        meaning = Meaning(run_id=self.run_id, now_ms=self.now_ms)
        parameters = values.run_parameters(document.spec, expand_value(given.runtime_config.parameters, meaning))
        workspace = document.platform.kubernetes if document.platform else None
        has_workspace = workspace is not None and workspace.pipeline_config.workspace is not None
        self.header = RunHeader(
            run_id=self.run_id,
            name=name,
            pipeline_name=document.name,
            resource_name=f"{document.name}-{ids.new_suffix()}",
            spec_digest=document.digest,
            namespace=settings.namespace,
            created_ms=self.now_ms,
            scheduled_ms=self.now_ms,
            parameters=parameters,
            pipeline_root=(given.runtime_config.pipeline_root or document.spec.default_pipeline_root).rstrip("/"),
            workspace=str(settings.home_path / "runs" / self.run_id / "workspace") if has_workspace else "",
            cache=settings.cache,
            final_status_success=settings.final_status_success,
            max_iterations=settings.limits.loop_iterations,
            max_tasks=settings.limits.tasks_per_run,
        )

    def insert(self, conn: Connection) -> RunRow:
        """Keep it, in the experiment that it names or in the default one."""
        given, document, version = self._given, self._source.document, self._source.version
        if given.experiment_id:
            experiment = experiment_rows.get(conn, given.experiment_id, salvage=True)
            if experiment is None:
                raise NotFound(f"experiment {given.experiment_id!r} does not exist")
            if experiment.storage_state == "ARCHIVED":
                raise FailedPrecondition(f"experiment {experiment.name!r} is archived", hint="unarchive it first")
        else:
            experiment = experiments.default(conn, self.header.namespace, self.now_ms)
        specs.put(conn, document.digest, document.canonical, self.now_ms)
        config: dict[str, Any] = {}
        if given.runtime_config.parameters:
            config["parameters"] = self.header.parameters
        if given.runtime_config.pipeline_root:
            config["pipeline_root"] = given.runtime_config.pipeline_root
        row = RunRow(
            id=self.run_id,
            name=self.header.name,
            description=given.description,
            experiment_id=experiment.id,
            namespace=self.header.namespace,
            service_account=given.service_account or _SERVICE_ACCOUNT,
            pipeline_name=document.name,
            pipeline_id=version.pipeline_id if version else "",
            version_id=version.id if version else "",
            spec_digest=document.digest,
            inline_spec=version is None,
            runtime_config=jsonio.encode(config),
            header=jsonio.encode(self.header),
            state="PENDING",
            generation=1,
            history=jsonio.encode([Moment("PENDING", self.now_ms)]),
            created_ms=self.now_ms,
            scheduled_ms=self.now_ms,
        )
        runs.insert(conn, row)
        experiment_rows.note_run(conn, experiment.id, self.now_ms)
        return msgspec.structs.replace(row, spec=document.canonical if version is None else None)
