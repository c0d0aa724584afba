"""The plan of a pipeline: its specification flattened for running, the same for all runs of a document.

Edges in both directions, inputs as lists of sources, conditions compiled. A loop whose body is a single component
gets a scope of its own around it, so that every iteration is a DAG. Nothing here knows a run.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lodestep.core.model import Task, TaskKind, Value
from lodestep.core.steps import (
    LONGEST_DELAY_S,
    ArtifactSource,
    Iteration,
    Output,
    ParameterSource,
    Retry,
    Scope,
    Selector,
    Step,
)
from lodestep.errors import InvalidInput
from lodestep.lang import cel
from lodestep.spec import values
from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import (
    ArtifactSelector,
    ComponentSpec,
    DagOutputArtifact,
    DagOutputParameter,
    DagOutputs,
    DagSpec,
    ExecutorSpec,
    InputArtifact,
    ParameterSelector,
    ParameterType,
    PipelineSpec,
    RetryPolicy,
    TaskInputArtifact,
    TaskInputParameter,
    TaskInputs,
    TaskSpec,
    TriggerStrategy,
)
from lodestep.spec.platform import KubernetesExecutorConfig, executor_config
from lodestep.spec.walk import upstream

_ROOT = ""  # the name under which the root component is known; no other component can have it


class Plan(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """`platform` is by executor label. `marks` is what `fingerprint` computes once per component."""

    document: PipelineDocument
    root: Scope
    platform: dict[str, KubernetesExecutorConfig]
    marks: dict[str, Any]

    @property
    def spec(self) -> PipelineSpec:
        return self.document.spec

    def named(self, component: str) -> ComponentSpec:
        """A component by its name; the root's is ""."""
        return self.spec.components[component] if component != _ROOT else self.spec.root

    def component_of(self, task: Task) -> ComponentSpec:
        return self.named(task.component)

    def executor_of(self, task: Task) -> ExecutorSpec | None:
        """What runs the task; None for a DAG."""
        return self.spec.deployment_spec.executors.get(self.component_of(task).executor_label or "")

    def platform_of(self, task: Task) -> KubernetesExecutorConfig | None:
        """What the Kubernetes document says of the task's executor."""
        return self.platform.get(self.component_of(task).executor_label or "")


def build(document: PipelineDocument) -> Plan:
    """The plan of a document that `spec.validate` has passed.

    Raises `InvalidInput`, with the place, for a condition that is no expression.
    """
    return Plan(document=document, root=_Builder(document.spec).scope_of(_ROOT), platform=_platform(document), marks={})


def _platform(document: PipelineDocument) -> dict[str, KubernetesExecutorConfig]:
    kubernetes = document.platform.kubernetes if document.platform else None
    if kubernetes is None:
        return {}
    labels = kubernetes.deployment_spec.executors
    return {label: config for label in labels if (config := executor_config(document.platform, label)) is not None}


class _Builder:
    """Makes each component's scope once, inner ones first."""

    def __init__(self, spec: PipelineSpec) -> None:
        self._spec = spec
        self._scopes: dict[str, Scope] = {}

    def scope_of(self, name: str) -> Scope:
        waiting = [name]
        while waiting:  # not by recursion, for DAGs may be nested to any depth
            top = waiting[-1]
            inner = [child for child in self._inner(top) if child not in self._scopes]
            if inner:
                waiting += inner
                continue
            waiting.pop()
            if top not in self._scopes:
                place = f"$.components[{top!r}]" if top != _ROOT else "$.root"
                self._scopes[top] = self._scope(top, self._component(top).dag or DagSpec(), place)
        return self._scopes[name]

    def _component(self, name: str) -> ComponentSpec:
        return self._spec.components[name] if name != _ROOT else self._spec.root

    def _inner(self, name: str) -> Iterator[str]:
        dag = self._component(name).dag
        for task in dag.tasks.values() if dag else ():
            if self._component(task.component_ref.name).dag is not None:
                yield task.component_ref.name

    def _scope(self, name: str, dag: DagSpec, place: str) -> Scope:
        before = {task: tuple(sorted(upstream(spec))) for task, spec in dag.tasks.items()}
        after: dict[str, list[str]] = {task: [] for task in dag.tasks}
        for task, others in before.items():
            for other in others:
                after[other].append(task)
        steps = {
            task: self._step(task, dag.tasks[task], before[task], tuple(after[task]), f"{place}.dag.tasks[{task!r}]")
            for task in _ordered(before, after)
        }
        return Scope(steps=steps, outputs=tuple(self._outputs(name, dag)))

    def _outputs(self, name: str, dag: DagSpec) -> Iterator[Output]:
        for key, parameter in dag.outputs.parameters.items():
            found = [(s.producer_subtask, s.output_parameter_key) for s in parameter.selectors]
            yield self._output((key, False), found)
        for key, artifact in dag.outputs.artifacts.items():
            found = [(s.producer_subtask, s.output_artifact_key) for s in artifact.artifact_selectors]
            yield self._output((key, True), found)

    def _output(self, output: tuple[str, bool], found: list[tuple[str, str]]) -> Output:
        key, is_artifact = output
        selectors = tuple(Selector(producer, inner) for producer, inner in found)
        return Output(key=key, is_artifact=is_artifact, selectors=selectors)

    def _step(self, name: str, task: TaskSpec, before: tuple[str, ...], after: tuple[str, ...], place: str) -> Step:
        component = self._component(task.component_ref.name)
        executor = self._spec.deployment_spec.executors.get(component.executor_label or "")
        body = self._body(name, task, component, place)
        items = {iterator.item_input for iterator in (task.parameter_iterator, task.artifact_iterator) if iterator}
        inputs = component.input_definitions
        return Step(
            name=name,
            display_name=task.task_info.name or name,
            kind=_kind(task, component, executor),
            component=task.component_ref.name,
            parameters=tuple(sorted(_parameters(task.inputs, component), key=lambda source: source.template)),
            artifacts=tuple(_artifacts(task.inputs, component)),
            unset=tuple(
                (key, declared)
                for key, declared in inputs.parameters.items()
                if key not in task.inputs.parameters and key not in items
            ),
            unset_artifacts=tuple(
                key
                for key, declared in inputs.artifacts.items()
                if key not in task.inputs.artifacts and key not in items and not declared.is_optional
            ),
            upstream=before,
            downstream=after,
            always=task.trigger_policy.strategy is TriggerStrategy.ALL_UPSTREAM_TASKS_COMPLETED,
            condition=_condition(task, place),
            retry=_retry(task.retry_policy),
            cache=task.caching_options.enable_cache,
            cache_key=task.caching_options.cache_key,
            executor=executor,
            scope=body,
            loop=_iteration(task, body),
            waits=f"waits for {_listed(before)}" if before else "",
        )

    def _body(self, name: str, task: TaskSpec, component: ComponentSpec, place: str) -> Scope | None:
        if component.dag is not None:
            return self._scopes[task.component_ref.name]
        if task.parameter_iterator or task.artifact_iterator:
            return self._scope(f"{task.component_ref.name}\0{name}", _dag_around(name, task, component), place)
        return None


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _ordered(before: Mapping[str, tuple[str, ...]], after: Mapping[str, list[str]]) -> Iterator[str]:
    """Every task after those that it waits for; else in the order of the document."""
    missing = {name: len(others) for name, others in before.items()}
    free = [name for name, count in missing.items() if count == 0]
    for name in free:  # grows while it is walked
        yield name
        for follower in after[name]:
            missing[follower] -= 1
            if missing[follower] == 0:
                free.append(follower)


def _dag_around(name: str, task: TaskSpec, component: ComponentSpec) -> DagSpec:
    """A DAG with one task, for a loop over a component that is none: the same inputs, the same outputs."""
    inputs, outputs = component.input_definitions, component.output_definitions
    inner = TaskSpec(
        task_info=task.task_info,
        component_ref=task.component_ref,
        caching_options=task.caching_options,
        inputs=TaskInputs(
            parameters={key: TaskInputParameter(component_input_parameter=key) for key in inputs.parameters},
            artifacts={key: TaskInputArtifact(component_input_artifact=key) for key in inputs.artifacts},
        ),
    )
    passed_on = DagOutputs(
        parameters={
            key: DagOutputParameter(
                value_from_parameter=ParameterSelector(producer_subtask=name, output_parameter_key=key)
            )
            for key in outputs.parameters
        },
        artifacts={
            key: DagOutputArtifact(
                artifact_selectors=[ArtifactSelector(producer_subtask=name, output_artifact_key=key)]
            )
            for key in outputs.artifacts
        },
    )
    return DagSpec(tasks={name: inner}, outputs=passed_on)


def _kind(task: TaskSpec, component: ComponentSpec, executor: ExecutorSpec | None) -> TaskKind:
    if task.parameter_iterator or task.artifact_iterator:
        return TaskKind.LOOP
    if component.dag is not None:
        return TaskKind.DAG
    return TaskKind.IMPORTER if executor and executor.importer else TaskKind.EXECUTOR


def _condition(task: TaskSpec, place: str) -> str:
    text = task.trigger_policy.condition.strip()
    if text:
        try:
            cel.compile(text)
        except InvalidInput as error:
            raise InvalidInput(error.message, hint=error.hint, place=f"{place}.triggerPolicy.condition") from error
    return text


def _retry(policy: RetryPolicy | None) -> Retry | None:
    if policy is None:
        return None
    longest_s = values.duration_s(policy.backoff_max_duration) or LONGEST_DELAY_S
    return Retry(
        limit=policy.max_retry_count,
        delay_s=values.duration_s(policy.backoff_duration),
        factor=policy.backoff_factor or 2.0,
        longest_s=min(longest_s, LONGEST_DELAY_S),
    )


def _parameters(inputs: TaskInputs, component: ComponentSpec) -> Iterator[ParameterSource]:
    for name, given in inputs.parameters.items():
        declared = component.input_definitions.parameters.get(name)
        if declared and declared.kind is ParameterType.TASK_CONFIG:
            continue  # filled in when the attempt is launched: see `task_config`
        output, status, constant = given.task_output_parameter, given.task_final_status, given.runtime_value
        value: Value = constant.value if constant else None
        if constant and constant.runtime_parameter is not None:  # deprecated: names a parameter of the pipeline
            yield ParameterSource(name=name, declared=declared, parent_input=constant.runtime_parameter)
            continue
        yield ParameterSource(
            name=name,
            declared=declared,
            producer=output.producer_task if output else "",
            key=output.output_parameter_key if output else "",
            parent_input=given.component_input_parameter,
            final_status=status.producer_task if status else "",
            constant=value,
            template=has_placeholder(value),
            selector=given.parameter_expression_selector,
        )


def has_placeholder(value: Value) -> bool:
    match value:
        case str():
            return "{{$" in value
        case list():
            return any(has_placeholder(item) for item in value)
        case dict():
            return any(has_placeholder(item) for item in value.values())
        case _:
            return False


def _artifacts(inputs: TaskInputs, component: ComponentSpec) -> Iterator[ArtifactSource]:
    for name, given in inputs.artifacts.items():
        output = given.task_output_artifact
        declared: InputArtifact | None = component.input_definitions.artifacts.get(name)
        yield ArtifactSource(
            name=name,
            declared=declared,
            producer=output.producer_task if output else "",
            key=output.output_artifact_key if output else "",
            parent_input=given.component_input_artifact,
        )


def _iteration(task: TaskSpec, body: Scope | None) -> Iteration | None:
    parallelism = max(task.iterator_policy.parallelism_limit, 0)
    if over := task.artifact_iterator:
        items = over.items.input_artifact
        return Iteration(
            item_input=over.item_input,
            over_artifacts=True,
            items_input=items,
            parallelism=parallelism,
            keeps_items=_reads(body, items, artifacts=True),
        )
    if over := task.parameter_iterator:
        raw = None if over.items.raw is None else values.coerce(over.items.raw, ParameterType.LIST)
        items = over.items.input_parameter or ""
        return Iteration(
            item_input=over.item_input,
            over_artifacts=False,
            items_input=items,
            raw=raw,
            template=has_placeholder(raw),
            parallelism=parallelism,
            keeps_items=_reads(body, items, artifacts=False),
        )
    return None


def _reads(body: Scope | None, name: str, *, artifacts: bool) -> bool:
    """Does a task of the loop's body take the input `name`? Else iterations need not carry the whole list."""
    for step in body.steps.values() if body else ():
        sources = step.artifacts if artifacts else step.parameters
        if any(source.parent_input == name for source in sources):
            return True
    return False
