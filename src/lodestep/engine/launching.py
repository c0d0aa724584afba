"""From a recorded attempt to what a runner needs: placeholders substituted, places chosen, settings resolved.

The same attempt always leads to the same `LaunchSpec` (but for secrets, which are read anew), so one can be made again
after a restart.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from lodestep.config import Settings
from lodestep.core import executor_input, resolve, task_config
from lodestep.core.launch import LaunchSpec, ParameterTarget, Resources
from lodestep.core.model import ArtifactValue, Task, Values
from lodestep.core.state import RunState
from lodestep.engine.book import Book, OpenRun
from lodestep.engine.emulate import CannotLaunch, Emulated, Emulation
from lodestep.errors import InvalidInput
from lodestep.lang import placeholders
from lodestep.runners import settle
from lodestep.spec import values
from lodestep.spec.ir import ComponentSpec, ContainerSpec

_STORES = ("gs", "s3", "minio", "http", "https", "oci", "az")


class Launcher:
    def __init__(self, *, book: Book, settings: Settings) -> None:
        self._book = book
        self._settings = settings
        self._home = settings.home_path
        self.emulation = Emulation(settings.home_path)
        self._root_uri = lru_cache(256)(self._uri_of_root)

    def directory(self, run_id: str, attempt_id: str) -> Path:
        return self._home / "runs" / run_id / attempt_id

    def build(self, run_id: str, task_id: str, attempt_id: str) -> LaunchSpec:
        """Everything that a runner needs. Raises `CannotLaunch` with what is missing here."""
        opened = self._book.take(run_id)
        task = opened.state.tasks[task_id]
        try:
            return self._build(opened, task, attempt_id)
        except InvalidInput as error:
            raise CannotLaunch(str(error)) from error

    def _build(self, opened: OpenRun, task: Task, attempt_id: str) -> LaunchSpec:
        state = opened.state
        plan = state.plan
        component, container = plan.component_of(task), self._container(state, task)
        folder = str(self.directory(task.run_id, attempt_id))
        root = self.artifact_root(state, task, attempt_id)
        output_uris = {name: f"{root}/{quote(name)}" for name in component.output_definitions.artifacts}
        # Beside the artifacts, as components that make their own URIs expect it.
        output_file = f"{_path(root) if output_uris else folder + '/outputs'}/executor_output.json"
        files = {name: f"{folder}/outputs/{name}" for name in component.output_definitions.parameters}
        shown = _as_seen(task)
        variables = resolve.variables(state.header, task)
        first = placeholders.Scope(
            executor_input={"inputs": {"parameterValues": task.inputs.parameters}}, variables=variables
        )
        env = {entry.name: placeholders.substitute(entry.value, first) for entry in container.env}
        resources = {
            kind: {name: placeholders.substitute(text, first) for name, text in amounts.items()}
            for kind, amounts in task_config.resources_of(container).items()
        }
        document = executor_input.build(
            shown,
            component,
            output_uris={name: _path(uri) for name, uri in output_uris.items()},
            parameter_files=files,
            output_file=output_file,
            task_config=task_config.build(state, task, resources, env),
        )
        scope = placeholders.Scope(executor_input=document, variables=variables)
        settings = self._emulated(state, task, attempt_id)
        if state.header.workspace:
            Path(state.header.workspace).mkdir(parents=True, exist_ok=True)
        return LaunchSpec(
            attempt_id=attempt_id,
            run_id=task.run_id,
            task_id=task.id,
            task_name=task.name,
            task_path=task.path,
            directory=folder,
            image=placeholders.substitute(container.image, scope),
            command=placeholders.argv([*container.command, *container.args], scope),
            env={**self._own_env(state, attempt_id), **_applied(component, env), **settings.env},
            secret_env=settings.secret_env,
            resources=_resources(component, resources),
            mounts=settings.mounts,
            input_artifacts=task.inputs.artifacts,
            output_parameters={
                name: ParameterTarget(type=declared.kind, file=files[name])
                for name, declared in component.output_definitions.parameters.items()
            },
            output_artifacts={
                name: executor_input.new_artifact(name, declared, output_uris[name])
                for name, declared in component.output_definitions.artifacts.items()
            },
            executor_output_file=output_file,
            timeout_s=settings.timeout_s,
            grace_s=self._settings.runner.cancel_grace_s,
            log_bytes=self._settings.limits.log_bytes,
            output_parameter_bytes=self._settings.limits.output_parameter_bytes,
        )

    def _container(self, state: RunState, task: Task) -> ContainerSpec:
        executor = state.plan.executor_of(task)
        if executor is None or executor.container is None:
            raise CannotLaunch("the executor is no container: resolver and custom job executors cannot be run")
        for name, group in task.inputs.artifacts.items():
            for artifact in group:
                _check_readable(name, artifact)
        return executor.container

    def _emulated(self, state: RunState, task: Task, attempt_id: str) -> Emulated:
        config = state.plan.platform_of(task)
        if config is None:
            return Emulated()
        return self.emulation.settings(state, task, config, attempt_id)

    def _own_env(self, state: RunState, attempt_id: str) -> dict[str, str]:
        return {
            "KFP_POD_NAME": attempt_id,
            "KFP_POD_UID": attempt_id,
            "KFP_RUN_ID": state.header.run_id,
            "NAMESPACE": state.header.namespace or "default",
        }

    def artifact_root(self, state: RunState, task: Task, attempt_id: str) -> str:
        """Where an attempt's artifacts go: `ROOT/PIPELINE/RUN/TASK/ATTEMPT`, as the reference lays them out."""
        parts = (state.header.pipeline_name, task.run_id, task.name, attempt_id)
        return "/".join((self._root_uri(state.header.pipeline_root), *(quote(part, safe="") for part in parts)))

    def _uri_of_root(self, pipeline_root: str) -> str:
        return self.local_root(pipeline_root).as_uri()

    def local_root(self, pipeline_root: str) -> Path:
        """A pipeline root as a folder. One in an object store is kept below the home, under its own name."""
        parts = urlsplit(pipeline_root)
        if local := settle.local_path(pipeline_root):
            return Path(local)
        below = [
            part for part in f"{parts.scheme}/{parts.netloc}{parts.path}".split("/") if part not in ("", ".", "..")
        ]
        return self._home.joinpath("artifacts", *below)


def _as_seen(task: Task) -> Task:
    """The task with its input artifacts as the step sees them: local ones by path, so that `.path` is the file.

    A custom path was the producer's own; what it wrote there has been brought to the URI.
    """
    if not task.inputs.artifacts:
        return task
    artifacts = {
        name: [msgspec.structs.replace(artifact, uri=_path(artifact.uri), custom_path="") for artifact in group]
        for name, group in task.inputs.artifacts.items()
    }
    return msgspec.structs.replace(task, inputs=Values(parameters=task.inputs.parameters, artifacts=artifacts))


def _path(uri: str) -> str:
    """The path of a local artifact; any other URI as it is."""
    return settle.local_path(uri) or uri


def _check_readable(name: str, artifact: ArtifactValue) -> None:
    scheme = urlsplit(artifact.uri).scheme
    if scheme in _STORES:
        raise CannotLaunch(
            f"the input artifact {name!r} is at {artifact.uri}, and {scheme}:// cannot be read on this machine yet",
            "copy it to this machine and import it by its path",
        )
    if scheme == "file" and not Path(_path(artifact.uri)).exists() and artifact.size >= 0:
        raise CannotLaunch(f"the input artifact {name!r} is gone: {artifact.uri}", "run the task that made it again")


def _applied(component: ComponentSpec, env: dict[str, str]) -> dict[str, str]:
    return env if task_config.applies(component, task_config.ENV) else {}


def _resources(component: ComponentSpec, resources: dict[str, dict[str, Any]]) -> Resources:
    if not task_config.applies(component, task_config.RESOURCES):
        return Resources()
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    accelerators = {name: count for name, count in limits.items() if name not in ("cpu", "memory")}
    kind, count = next(iter(accelerators.items()), ("", "0"))
    return Resources(
        cpu_limit=_amount(limits.get("cpu"), values.cpu),
        memory_limit_bytes=int(_amount(limits.get("memory"), values.quantity_bytes)),
        cpu_request=_amount(requests.get("cpu"), values.cpu),
        memory_request_bytes=int(_amount(requests.get("memory"), values.quantity_bytes)),
        accelerator_type=kind,
        accelerator_count=int(count) if count.isdigit() else 0,
    )


def _amount(text: str | None, parse: Any) -> float:
    """An amount that may come from an input: nothing, or 0, means no limit."""
    return parse(text) if text else 0.0
