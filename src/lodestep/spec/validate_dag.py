"""The part of `validate` that looks at one dag: its tasks, where their inputs come from, its outputs, its order."""

from collections.abc import Iterator, Mapping

from lodestep.errors import InvalidInput
from lodestep.spec import graph, values
from lodestep.spec.ir import (
    ComponentSpec,
    DagSpec,
    ParameterIterator,
    ParameterType,
    PipelineSpec,
    TaskInputArtifact,
    TaskInputParameter,
    TaskSpec,
)
from lodestep.spec.problem import Problem, unknown
from lodestep.spec.walk import component_of, executor_of, key, upstream

# Types between which no value can pass. A text may hold any of them, and what is not declared may be anything.
_CLASSES = {
    ParameterType.NUMBER_DOUBLE: "a number",
    ParameterType.NUMBER_INTEGER: "a number",
    ParameterType.BOOLEAN: "a boolean",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "an object",
    ParameterType.TASK_FINAL_STATUS: "an object",
}
# The engine gives these itself.
_GIVEN = (ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG)


def dag_problems(spec: PipelineSpec, owner: ComponentSpec, dag: DagSpec, place: str) -> Iterator[Problem]:
    """What is wrong with the dag of the component `owner`."""
    if not dag.tasks:
        yield Problem(f"{place}.tasks", "the dag has no tasks: expected at least one")
    for name, task in dag.tasks.items():
        yield from _task(spec, owner, dag, task, f"{place}.tasks{key(name)}")
    order = {name: {other for other in upstream(task) if other in dag.tasks} for name, task in dag.tasks.items()}
    if cycle := graph.cycle(order):
        yield Problem(f"{place}.tasks{key(cycle[0])}", f"the tasks wait for each other: {graph.shown(cycle)}")
    yield from _outputs(spec, dag, place)


def _task(spec: PipelineSpec, owner: ComponentSpec, dag: DagSpec, task: TaskSpec, place: str) -> Iterator[Problem]:
    for at, other in enumerate(task.dependent_tasks):
        if other not in dag.tasks:
            yield unknown(f"{place}.dependentTasks[{at}]", "task", other, dag.tasks)
    for name, source in task.inputs.parameters.items():
        yield from _parameter_source(spec, owner, dag, source, f"{place}.inputs.parameters{key(name)}")
    for name, source in task.inputs.artifacts.items():
        yield from _artifact_source(spec, owner, dag, source, f"{place}.inputs.artifacts{key(name)}")
    yield from _policies(task, place)
    called = component_of(spec, task)
    if called is None:
        yield unknown(f"{place}.componentRef.name", "component", task.component_ref.name, spec.components)
        return
    yield from _iterators(task, called, place)
    yield from _required(task, called, place)
    for name, source in task.inputs.parameters.items():
        if name in called.input_definitions.parameters and not source.parameter_expression_selector:
            kind = called.input_definitions.parameters[name].kind
            yield from _types(spec, owner, dag, source, kind, f"{place}.inputs.parameters{key(name)}")
    executor = executor_of(spec, called)
    if executor and executor.importer is not None and task.trigger_policy.condition:
        yield Problem(
            f"{place}.triggerPolicy.condition",
            "an importer cannot have a condition",
            "put the importer and what uses it into a condition together",
        )


def _policies(task: TaskSpec, place: str) -> Iterator[Problem]:
    if retry := task.retry_policy:
        for name, text in (
            ("backoffDuration", retry.backoff_duration),
            ("backoffMaxDuration", retry.backoff_max_duration),
        ):
            try:
                values.duration_s(text)
            except InvalidInput as error:
                yield Problem(f"{place}.retryPolicy.{name}", error.message)
        if retry.max_retry_count < 0:
            yield Problem(f"{place}.retryPolicy.maxRetryCount", f"{retry.max_retry_count} is negative")
    if task.iterator_policy.parallelism_limit < 0:
        limit = task.iterator_policy.parallelism_limit
        yield Problem(f"{place}.iteratorPolicy.parallelismLimit", f"{limit} is negative: expected 0 for no limit")


def _parameter_source(
    spec: PipelineSpec, owner: ComponentSpec, dag: DagSpec, source: TaskInputParameter, place: str
) -> Iterator[Problem]:
    sources = {
        "taskOutputParameter": source.task_output_parameter,
        "runtimeValue": source.runtime_value,
        "componentInputParameter": source.component_input_parameter,
        "taskFinalStatus": source.task_final_status,
    }
    yield from _exactly_one(sources, place)
    own = owner.input_definitions.parameters
    if source.component_input_parameter is not None and source.component_input_parameter not in own:
        yield unknown(f"{place}.componentInputParameter", "input parameter", source.component_input_parameter, own)
    if reference := source.task_output_parameter:
        where = f"{place}.taskOutputParameter"
        yield from _producer(spec, dag, reference.producer_task, reference.output_parameter_key, "parameter", where)
    if source.task_final_status and source.task_final_status.producer_task not in dag.tasks:
        yield unknown(f"{place}.taskFinalStatus", "task", source.task_final_status.producer_task, dag.tasks)


def _artifact_source(
    spec: PipelineSpec, owner: ComponentSpec, dag: DagSpec, source: TaskInputArtifact, place: str
) -> Iterator[Problem]:
    sources = {
        "taskOutputArtifact": source.task_output_artifact,
        "componentInputArtifact": source.component_input_artifact,
    }
    yield from _exactly_one(sources, place)
    own = owner.input_definitions.artifacts
    if source.component_input_artifact is not None and source.component_input_artifact not in own:
        yield unknown(f"{place}.componentInputArtifact", "input artifact", source.component_input_artifact, own)
    if reference := source.task_output_artifact:
        where = f"{place}.taskOutputArtifact"
        yield from _producer(spec, dag, reference.producer_task, reference.output_artifact_key, "artifact", where)


def _exactly_one(members: Mapping[str, object], place: str) -> Iterator[Problem]:
    found = [name for name, value in members.items() if value is not None]
    if len(found) != 1:
        yield Problem(place, f"expected one of {', '.join(members)}, found {' and '.join(found) or 'none'}")


def _producer(spec: PipelineSpec, dag: DagSpec, producer: str, name: str, noun: str, place: str) -> Iterator[Problem]:
    task = dag.tasks.get(producer)
    if task is None:
        yield unknown(place, "task", producer, dag.tasks)
        return
    component = component_of(spec, task)
    if component is None:
        return  # reported at the task itself
    outputs = component.output_definitions
    known = outputs.parameters if noun == "parameter" else outputs.artifacts
    if name not in known:
        yield unknown(place, f"output {noun} of task {producer!r}", name, known)


def _iterators(task: TaskSpec, called: ComponentSpec, place: str) -> Iterator[Problem]:
    if task.parameter_iterator and task.artifact_iterator:
        yield Problem(place, "has both parameterIterator and artifactIterator: expected one")
    inputs = called.input_definitions
    if iterator := task.parameter_iterator:
        where = f"{place}.parameterIterator"
        yield from _parameter_items(iterator, task, called, where)
        if iterator.item_input not in inputs.parameters:
            yield unknown(f"{where}.itemInput", "input parameter", iterator.item_input, inputs.parameters)
    if iterator := task.artifact_iterator:
        where = f"{place}.artifactIterator"
        name = iterator.items.input_artifact
        if name not in task.inputs.artifacts:
            yield unknown(f"{where}.items.inputArtifact", "input artifact", name, task.inputs.artifacts)
        if iterator.item_input not in inputs.artifacts:
            yield unknown(f"{where}.itemInput", "input artifact", iterator.item_input, inputs.artifacts)


def _parameter_items(
    iterator: ParameterIterator, task: TaskSpec, called: ComponentSpec, place: str
) -> Iterator[Problem]:
    items = iterator.items
    yield from _exactly_one({"raw": items.raw, "inputParameter": items.input_parameter}, f"{place}.items")
    declared = called.input_definitions.parameters
    if items.input_parameter is not None:
        if items.input_parameter not in task.inputs.parameters and items.input_parameter not in declared:
            known = task.inputs.parameters
            yield unknown(f"{place}.items.inputParameter", "input parameter", items.input_parameter, known)
        elif items.input_parameter in declared:
            found = _CLASSES.get(declared[items.input_parameter].kind, "a list")
            if found != "a list":
                yield Problem(f"{place}.items.inputParameter", f"expected a list, {items.input_parameter!r} is {found}")
    elif items.raw is not None:
        try:
            values.coerce(items.raw, ParameterType.LIST)
        except InvalidInput as error:
            yield Problem(f"{place}.items.raw", error.message)


def _required(task: TaskSpec, called: ComponentSpec, place: str) -> Iterator[Problem]:
    """Does the task give what the component asks for?"""
    inputs = called.input_definitions
    items = {iterator.item_input for iterator in (task.parameter_iterator, task.artifact_iterator) if iterator}
    for name, parameter in inputs.parameters.items():
        free = parameter.has_default or parameter.is_optional or parameter.kind in _GIVEN
        if name not in task.inputs.parameters and name not in items and not free:
            yield Problem(f"{place}.inputs.parameters", f"the component's input parameter {name!r} is not given")
    for name, artifact in inputs.artifacts.items():
        if name not in task.inputs.artifacts and name not in items and not artifact.is_optional:
            yield Problem(f"{place}.inputs.artifacts", f"the component's input artifact {name!r} is not given")


def _types(
    spec: PipelineSpec, owner: ComponentSpec, dag: DagSpec, source: TaskInputParameter, kind: ParameterType, place: str
) -> Iterator[Problem]:
    if (constant := source.runtime_value) and constant.runtime_parameter is None:
        yield from _constant(constant.value, kind, place)
        return
    given: ParameterType | None = None
    if source.component_input_parameter in owner.input_definitions.parameters:
        given = owner.input_definitions.parameters[source.component_input_parameter].kind
    elif (reference := source.task_output_parameter) and reference.producer_task in dag.tasks:
        producer = component_of(spec, dag.tasks[reference.producer_task])
        output = producer.output_definitions.parameters.get(reference.output_parameter_key) if producer else None
        given = output.kind if output else None
    found, expected = _CLASSES.get(given) if given else None, _CLASSES.get(kind)
    if found and expected and found != expected:
        yield Problem(place, f"the component expects {expected} ({kind}), but is given {found} ({given})")


def _constant(value: object, kind: ParameterType, place: str) -> Iterator[Problem]:
    """A constant is of its type, but for null (nothing is given) and placeholders (their values come later)."""
    if value is None or (isinstance(value, str) and "{{" in value):
        return
    try:
        values.coerce(value, kind)
    except InvalidInput as error:
        yield Problem(f"{place}.runtimeValue", error.message)


def _outputs(spec: PipelineSpec, dag: DagSpec, place: str) -> Iterator[Problem]:
    for name, output in dag.outputs.parameters.items():
        where = f"{place}.outputs.parameters{key(name)}"
        forms = {"valueFromParameter": output.value_from_parameter, "valueFromOneof": output.value_from_oneof}
        yield from _exactly_one(forms, where)
        for selector in output.selectors:
            producer, wanted = selector.producer_subtask, selector.output_parameter_key
            yield from _producer(spec, dag, producer, wanted, "parameter", where)
    for name, output in dag.outputs.artifacts.items():
        where = f"{place}.outputs.artifacts{key(name)}"
        for selector in output.artifact_selectors:
            producer, wanted = selector.producer_subtask, selector.output_artifact_key
            yield from _producer(spec, dag, producer, wanted, "artifact", where)
