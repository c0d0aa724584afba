"""The fingerprint of a task: the same for two tasks that would make the same.

It covers the component (the names and types of its inputs and outputs), what runs (image, command, arguments,
environment), the names of secrets, config maps and claims that it gets, the run's variables where the command names
them, and the inputs by content: an artifact by the digest of its bytes, or by its address where that is not known. A
cache key of the user's own replaces all of it but the component's name. Limits of memory and CPU decide no output.
"""

import msgspec

from lodestep import jsonio
from lodestep.core import resolve
from lodestep.core.model import ArtifactValue, Task, Value
from lodestep.core.plan import Plan
from lodestep.core.state import RunState
from lodestep.core.steps import Step
from lodestep.spec.ir import ComponentSpec, ContainerSpec, TaskInputParameter
from lodestep.spec.platform import KubernetesExecutorConfig

# Grows when what is hashed changes, so that entries of an older release do not match.
_VERSION = 1
_VARIABLES = (
    "pipeline_job_name",
    "pipeline_job_resource_name",
    "pipeline_job_uuid",
    "pipeline_task_name",
    "pipeline_task_uuid",
    "pipeline_job_create_time_utc",
    "pipeline_job_schedule_time_utc",
)


class Mark(msgspec.Struct, frozen=True):
    """What is the same for all tasks of a component."""

    digest: str
    variables: tuple[str, ...]  # that its container names
    platform: bool


def of(state: RunState, step: Step, task: Task) -> str:
    """The fingerprint of a task whose inputs are resolved."""
    if step.cache_key:
        return jsonio.digest(jsonio.canonical([_VERSION, step.component, step.cache_key]))
    mark = _mark(state.plan, task)
    named = {name: resolve.variables(state.header, task)[name] for name in mark.variables}
    settings = _settings(state, task) if mark.platform else []
    given = task.inputs
    artifacts = {name: [_content(artifact) for artifact in found] for name, found in given.artifacts.items()}
    return jsonio.digest(jsonio.canonical([_VERSION, mark.digest, given.parameters, artifacts, named, settings]))


def _mark(plan: Plan, task: Task) -> Mark:
    component = task.component
    if component not in plan.marks:
        executor = plan.executor_of(task)
        container = executor.container if executor and executor.container else ContainerSpec()
        code = jsonio.canonical([container.image, container.command, container.args, container.env])
        text = jsonio.canonical([_declared(plan.component_of(task)), jsonio.digest(code)])
        plan.marks[component] = Mark(
            digest=jsonio.digest(text),
            variables=tuple(name for name in _VARIABLES if f"{{{{$.{name}".encode() in code),
            platform=plan.platform_of(task) is not None,
        )
    return plan.marks[component]


def _declared(component: ComponentSpec) -> list[Value]:
    """Names and types; not the descriptions."""
    inputs, outputs = component.input_definitions, component.output_definitions
    return [
        {name: parameter.kind for name, parameter in inputs.parameters.items()},
        {name: artifact.artifact_type for name, artifact in inputs.artifacts.items()},
        {name: parameter.kind for name, parameter in outputs.parameters.items()},
        {name: [artifact.artifact_type, artifact.metadata] for name, artifact in outputs.artifacts.items()},
    ]


def _content(artifact: ArtifactValue) -> list[Value]:
    return [
        artifact.digest or artifact.uri,
        artifact.type,
        artifact.schema_version,
        artifact.metadata,
        artifact.custom_path,
    ]


def _settings(state: RunState, task: Task) -> list[Value]:
    """Names of what the Kubernetes document puts into the step, with where it puts it."""
    config = state.plan.platform_of(task) or KubernetesExecutorConfig()

    def name(source: TaskInputParameter | None, fixed: str) -> Value:
        return resolve.platform_value(state, task, source, fixed)

    return [
        [[name(s.secret_name_parameter, s.secret_name), s.mount_path] for s in config.secret_as_volume],
        [[name(s.secret_name_parameter, s.secret_name), s.key_to_env] for s in config.secret_as_env],
        [[name(c.config_map_name_parameter, c.config_map_name), c.mount_path] for c in config.config_map_as_volume],
        [[name(c.config_map_name_parameter, c.config_map_name), c.key_to_env] for c in config.config_map_as_env],
        [[resolve.claim_name(state, task, p), p.mount_path, p.sub_path] for p in config.pvc_mount],
        [[field.name, field.field_path] for field in config.field_path_as_env],
    ]
