"""Tasks that the engine runs itself, for they start no process: importers, and the making and removing of volumes."""

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lodestep import ids, jsonio
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.core import resolve
from lodestep.core.model import ArtifactValue, Failure, FailureKind, Outcome, Task, TaskKind, Values
from lodestep.core.state import RunState
from lodestep.core.states import AttemptStatus
from lodestep.engine.book import Book
from lodestep.engine.emulate import Emulation
from lodestep.errors import InvalidInput
from lodestep.lang import placeholders
from lodestep.runners import settle
from lodestep.spec.ir import ImporterSpec
from lodestep.store import artifacts
from lodestep.store.store import Store

_CREATE = "argostub/createpvc"
_DELETE = "argostub/deletepvc"
_VOLUME_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class Builtin:
    def __init__(self, *, book: Book, store: Store, settings: Settings, clock: Clock) -> None:
        self._book = book
        self._store = store
        self._clock = clock
        self._emulation = Emulation(settings.home_path)

    async def run(self, run_id: str, task_id: str, attempt_id: str) -> Outcome | None:
        """The outcome of a task that the engine runs itself; None for any other."""
        state = self._book.take(run_id).state
        task = state.tasks[task_id]
        executor = state.plan.executor_of(task)
        started_ms = self._clock.now_ms()
        try:
            if task.kind is TaskKind.IMPORTER and executor is not None and executor.importer is not None:
                outputs = self._import(state, task, executor.importer, attempt_id)
            elif executor is not None and executor.container is not None and executor.container.image == _CREATE:
                outputs = self._create_volume(task)
            elif executor is not None and executor.container is not None and executor.container.image == _DELETE:
                outputs = self._delete_volume(task)
            else:
                return None
        except InvalidInput as error:
            failure = Failure(kind=FailureKind.CANNOT_RUN, message=str(error), retryable=False)
            return Outcome(
                state=AttemptStatus.FAILED, failure=failure, started_ms=started_ms, ended_ms=self._clock.now_ms()
            )
        except OSError as error:
            failure = Failure(kind=FailureKind.SYSTEM, message=f"could not be done: {error}")
            return Outcome(
                state=AttemptStatus.FAILED, failure=failure, started_ms=started_ms, ended_ms=self._clock.now_ms()
            )
        return Outcome(
            state=AttemptStatus.SUCCEEDED, outputs=outputs, started_ms=started_ms, ended_ms=self._clock.now_ms()
        )

    # importers

    def _import(self, state: RunState, task: Task, importer: ImporterSpec, attempt_id: str) -> Values:
        scope = placeholders.Scope(
            executor_input={"inputs": {"parameterValues": task.inputs.parameters}},
            variables=resolve.variables(state.header, task),
        )
        uri = _as_uri(self._uri(task, importer, scope))
        metadata: dict[str, Any] = placeholders.value(dict(importer.metadata), scope)
        name = next(iter(state.plan.component_of(task).output_definitions.artifacts), "artifact")
        artifact = ArtifactValue(
            name=name,
            type=importer.type_schema.title,
            schema_version=importer.type_schema.schema_version,
            uri=uri,
            metadata=metadata,
        )
        if importer.download_to_workspace:
            artifact = self._into_workspace(state, artifact, attempt_id)
        elif not importer.reimport and (known := self._known(state, artifact)):
            artifact = known
        return Values(artifacts={name: [artifact]})

    def _uri(self, task: Task, importer: ImporterSpec, scope: placeholders.Scope) -> str:
        source = importer.artifact_uri
        if source.runtime_parameter is not None:
            uri = task.inputs.parameters.get(source.runtime_parameter)
        else:
            uri = source.value
        if not isinstance(uri, str) or not uri:
            raise InvalidInput(f"there is nothing to import: the URI is {uri!r}")
        return placeholders.substitute(uri, scope)

    def _known(self, state: RunState, artifact: ArtifactValue) -> ArtifactValue | None:
        """An artifact that was imported before: the same URI, type and metadata."""
        found = self._store.read_now(lambda conn: artifacts.by_uri(conn, artifact.uri))
        for row in found:
            if row.namespace != state.header.namespace or row.type != artifact.type or row.error:
                continue
            known = jsonio.decode_as(row.value, ArtifactValue)
            if known.metadata == artifact.metadata:
                return known
        return None

    def _into_workspace(self, state: RunState, artifact: ArtifactValue, attempt_id: str) -> ArtifactValue:
        if not state.header.workspace:
            raise InvalidInput("the pipeline has no workspace to download to: expected one in its PipelineConfig")
        source = settle.local_path(artifact.uri)
        if not source:
            scheme = urlsplit(artifact.uri).scheme
            raise InvalidInput(f"{artifact.uri} cannot be downloaded: {scheme}:// cannot be read on this machine yet")
        target = Path(state.header.workspace) / ".artifacts" / attempt_id / Path(source).name
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(source).is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
        digest, size = settle.settle(str(target))
        return ArtifactValue(
            name=artifact.name,
            type=artifact.type,
            schema_version=artifact.schema_version,
            uri=target.as_uri(),
            metadata={**artifact.metadata, "_kfp_workspace": True},
            digest=digest,
            size=size,
        )

    # volumes

    def _create_volume(self, task: Task) -> Values:
        given = task.inputs.parameters
        name = str(given.get("pvc_name") or "")
        if not name:
            name = f"{ids.derived_id(task.run_id, task.path)}{given.get('pvc_name_suffix') or ''}"
        if not _VOLUME_NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name for a volume: expected lower-case letters, digits, '-' and '.'")
        self._emulation.volume(name)
        return Values(parameters={"name": name})

    def _delete_volume(self, task: Task) -> Values:
        name = str(task.inputs.parameters.get("pvc_name") or "")
        folder = self._emulation.volume(name)
        shutil.rmtree(folder)
        return Values()


def _as_uri(uri: str) -> str:
    return settle.file_uri(uri) if uri.startswith("/") else uri
