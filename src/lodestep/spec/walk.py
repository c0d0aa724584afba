"""Ways through a pipeline: its components and its tasks, each with the path of its place in the document.

Reads only; follows references by name, so it goes through a component that two tasks share once.
"""

from collections.abc import Iterator

import msgspec

from lodestep.spec.ir import ComponentSpec, ExecutorSpec, PipelineSpec, TaskSpec


class ComponentAt(msgspec.Struct, frozen=True):
    """A component; `name` "" is the root."""

    place: str
    name: str
    component: ComponentSpec


class TaskAt(msgspec.Struct, frozen=True):
    """A task, and the component in whose dag it stands."""

    place: str
    name: str
    task: TaskSpec
    parent: ComponentAt


def key(name: str) -> str:
    """A map's key as a part of a path: `['train']`."""
    return f"[{name!r}]"


def components(spec: PipelineSpec) -> Iterator[ComponentAt]:
    """The root, then all components in the order of the document."""
    yield ComponentAt("$.root", "", spec.root)
    for name, component in spec.components.items():
        yield ComponentAt(f"$.components{key(name)}", name, component)


def tasks(spec: PipelineSpec) -> Iterator[TaskAt]:
    """All tasks of all dags, those of the root first."""
    for found in components(spec):
        if found.component.dag is not None:
            for name, task in found.component.dag.tasks.items():
                yield TaskAt(f"{found.place}.dag.tasks{key(name)}", name, task, found)


def component_of(spec: PipelineSpec, task: TaskSpec) -> ComponentSpec | None:
    """What the task runs; None where the reference leads nowhere."""
    return spec.components.get(task.component_ref.name)


def executor_of(spec: PipelineSpec, component: ComponentSpec) -> ExecutorSpec | None:
    """How the component runs; None for a dag, or where the label leads nowhere."""
    return spec.deployment_spec.executors.get(component.executor_label or "")


def upstream(task: TaskSpec) -> set[str]:
    """The tasks of the same dag that this one waits for: named ones, and those whose outputs or end it takes."""
    found = set(task.dependent_tasks)
    for source in task.inputs.parameters.values():
        if source.task_output_parameter:
            found.add(source.task_output_parameter.producer_task)
        if source.task_final_status:
            found.add(source.task_final_status.producer_task)
    for source in task.inputs.artifacts.values():
        if source.task_output_artifact:
            found.add(source.task_output_artifact.producer_task)
    return found
