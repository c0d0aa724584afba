"""What a task is given: its inputs, out of its parent's inputs, its siblings' outputs and constants.

The rules for a value that is not there (null, an optional input that nobody set, an output of a task that failed or
was skipped): the default of the component's input, else nothing if it is optional, else `InvalidInput`. Groups that
the compiler makes (conditions, loops, exit handlers) declare what they pass through (`pipelinechannel--…`) without
saying that it is optional, so they pass nothing on as nothing.
"""

from datetime import UTC, datetime
from typing import Any

from lodestep.core.model import ArtifactValue, RunHeader, Task, TaskKind, Value, Values
from lodestep.core.plan import Plan
from lodestep.core.state import Group, Node, RunState, child_path, task_id
from lodestep.core.states import TaskStatus
from lodestep.core.steps import ArtifactSource, Iteration, ParameterSource, Step
from lodestep.errors import InvalidInput
from lodestep.lang import cel, placeholders
from lodestep.spec import values
from lodestep.spec.ir import InputParameter, ParameterType, TaskInputParameter
from lodestep.spec.platform import PvcMount

_PASSED_THROUGH = "pipelinechannel--"
_FILLED_IN = (ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG)
_GROUPS = (TaskKind.DAG, TaskKind.LOOP)


def root_inputs(header: RunHeader, plan: Plan) -> Values:
    """The run's parameters, with defaults. Raises `InvalidInput` where a required one is missing."""
    found: dict[str, Value] = {}
    for name, declared in plan.spec.root.input_definitions.parameters.items():
        value = header.parameters.get(name)
        found[name] = _default(name, declared, "the run was not given it") if value is None else value
    return Values(parameters=found)


def inputs(header: RunHeader, node: Node, step: Step, parent: Group) -> Values:
    """The inputs of a task whose upstream tasks have ended. Raises `InvalidInput` for one that is not to be had."""
    found = Values()
    for source in step.artifacts:
        _artifact(source, step, parent, found)
    for name in step.unset_artifacts:
        raise InvalidInput(f"the input artifact '{name}' is required, but nothing is given for it")
    for source in step.parameters:
        value = _parameter(source, header, node, parent, found)
        found.parameters[source.name] = _fitted(source, value, step, parent)
    for name, declared in step.unset:
        if declared.kind not in _FILLED_IN:
            found.parameters[name] = _default(name, declared, "nothing is given for it")
        elif declared.kind is ParameterType.TASK_FINAL_STATUS:
            found.parameters[name] = None
    return found


def items(loop: Iteration, given: Values, header: RunHeader, task: Task) -> list[Any]:
    """What a loop goes over. Raises `InvalidInput` where that is no list."""
    if loop.over_artifacts:
        return given.artifacts.get(loop.items_input, [])
    if loop.raw is not None:
        return placeholders.value(loop.raw, scope(header, task, given)) if loop.template else loop.raw
    value = given.parameters.get(loop.items_input)
    if value is None:
        raise InvalidInput(f"there is no list to go over: '{loop.items_input}' has no value")
    if isinstance(value, list):
        return value
    return values.coerce(value, ParameterType.LIST, place=loop.items_input)


def iteration_inputs(step: Step, loop: Iteration, given: Values, item: Any, declared: InputParameter | None) -> Values:
    """A loop's inputs with the item in place of the list. Raises `InvalidInput` for an item of the wrong type."""
    parameters, artifacts = given.parameters, given.artifacts
    if loop.over_artifacts:
        artifacts = {name: value for name, value in artifacts.items() if loop.keeps_items or name != loop.items_input}
        artifacts[loop.item_input] = [item]
        return Values(parameters=parameters, artifacts=artifacts)
    parameters = {name: value for name, value in parameters.items() if loop.keeps_items or name != loop.items_input}
    if declared is not None and item is not None:
        item = _as_declared(loop.item_input, declared, item, step)
    parameters[loop.item_input] = item
    return Values(parameters=parameters, artifacts=artifacts)


def scope(header: RunHeader, task: Task, given: Values) -> placeholders.Scope:
    """What placeholders in a task's constants stand for."""
    artifacts = {
        name: {"artifacts": [{"name": a.name, "uri": a.uri, "metadata": a.metadata} for a in found]}
        for name, found in given.artifacts.items()
    }
    document = {"inputs": {"parameterValues": given.parameters, "artifacts": artifacts}}
    return placeholders.Scope(executor_input=document, variables=variables(header, task))


def variables(header: RunHeader, task: Task) -> dict[str, str]:
    """What the placeholders `{{$.pipeline_…}}` stand for in a task."""
    return {
        "pipeline_job_name": header.name,
        "pipeline_job_resource_name": header.resource_name,
        "pipeline_job_uuid": header.run_id,
        "pipeline_task_name": task.name,
        "pipeline_task_uuid": task.id,
        "pipeline_root": header.pipeline_root,
        "pipeline_job_create_time_utc": _utc(header.created_ms),
        "pipeline_job_schedule_time_utc": _utc(header.scheduled_ms or header.created_ms),
        "workspace_path": header.workspace,
    }


def _utc(at_ms: int) -> str:
    """RFC 3339 to the second. (`clock` says it too, but knows the time, which nothing in here may.)"""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def final_status(header: RunHeader, producer: Task) -> dict[str, Value]:
    """What a task learns of another's end: the content of a `PipelineTaskFinalStatus`."""
    state = {
        TaskStatus.SUCCEEDED: header.final_status_success,
        TaskStatus.CANCELED: "CANCELLED",
    }.get(producer.state, producer.state.value)
    error: dict[str, Value] = {}
    if failure := producer.failure:
        error = {"code": 1 if failure.exit_code is None else failure.exit_code, "message": failure.message}
    return {
        "state": state,
        "pipelineJobResourceName": header.resource_name,
        "pipelineTaskName": producer.name,
        "error": error,
    }


def platform_value(state: RunState, task: Task, source: TaskInputParameter | None, fixed: str = "") -> Value:
    """A value that the Kubernetes document takes from the run (`source`), or names itself (`fixed`, the older form).

    None where it comes to nothing: the setting is to be dropped then. Names are looked up where the task stands, and
    outside of that, for the compiler does not pass them into conditions and loops.
    """
    if source is None:
        return fixed or None
    if (constant := source.runtime_value) is not None:
        return _selected(source.parameter_expression_selector, placeholders.value(constant.value, _own(state, task)))
    value: Value = None
    at = task
    while value is None and (parent := state.tasks.get(at.parent_id)) is not None:
        if output := source.task_output_parameter:
            producer = state.tasks.get(task_id(task.run_id, child_path(parent, output.producer_task)))
            value = producer.outputs.parameters.get(output.output_parameter_key) if producer else None
        elif (name := source.component_input_parameter) is not None:
            value = _named(parent.inputs.parameters, name)
        at = parent
    if value is None and source.component_input_parameter is not None:
        value = _named(task.inputs.parameters, source.component_input_parameter)
    return _selected(source.parameter_expression_selector, value)


def claim_name(state: RunState, task: Task, mount: PvcMount) -> Value:
    """The claim that a mount is of, in the newer form or an older one; None where it comes to nothing."""
    source = mount.pvc_name_parameter
    if source is None and mount.task_output_parameter is not None:
        source = TaskInputParameter(task_output_parameter=mount.task_output_parameter)
    if source is None and mount.component_input_parameter:
        source = TaskInputParameter(component_input_parameter=mount.component_input_parameter)
    return platform_value(state, task, source, mount.constant)


def _named(parameters: dict[str, Value], name: str) -> Value:
    found = parameters.get(name)
    return parameters.get(name.removeprefix(_PASSED_THROUGH)) if found is None else found


def _own(state: RunState, task: Task) -> placeholders.Scope:
    return scope(state.header, task, task.inputs)


def _selected(selector: str, value: Value) -> Value:
    return cel.select(selector, value) if selector and value is not None else value


def _artifact(source: ArtifactSource, step: Step, parent: Group, found: Values) -> None:
    given: list[ArtifactValue] | None
    if source.producer:
        given = parent.children[source.producer].task.outputs.artifacts.get(source.key)
    else:
        given = parent.task.inputs.artifacts.get(source.parent_input or "")
    if given is not None:
        found.artifacts[source.name] = given
        return
    declared = source.declared
    if declared is None or declared.is_optional or (step.kind in _GROUPS and _is_passed_through(source.name)):
        return
    raise InvalidInput(f"the input artifact '{source.name}' is required, but {_missing(source, parent)}")


def _parameter(source: ParameterSource, header: RunHeader, node: Node, parent: Group, found: Values) -> Value:
    if source.producer:
        value = parent.children[source.producer].task.outputs.parameters.get(source.key)
    elif source.parent_input is not None:
        value = parent.task.inputs.parameters.get(source.parent_input)
    elif source.final_status:
        value = final_status(header, parent.children[source.final_status].task)
    elif source.template:
        value = placeholders.value(source.constant, scope(header, node.task, found))
    else:
        value = source.constant
    return _selected(source.selector, value) if source.selector else value


def _fitted(source: ParameterSource, value: Value, step: Step, parent: Group) -> Value:
    """`value` as the component wants it, or what stands in for it where there is none."""
    declared = source.declared
    if declared is None:
        return value
    if value is None:
        if step.kind in _GROUPS and not declared.has_default and _is_passed_through(source.name):
            return None
        return _default(source.name, declared, _missing(source, parent))
    return _as_declared(source.name, declared, value, step)


def _as_declared(name: str, declared: InputParameter, value: Value, step: Step) -> Value:
    kind = declared.kind
    match value:
        case str():
            fits = kind is ParameterType.STRING
        case bool():
            fits = kind is ParameterType.BOOLEAN
        case int():
            fits = kind is ParameterType.NUMBER_INTEGER or kind is ParameterType.NUMBER_DOUBLE
        case float():
            fits = kind is ParameterType.NUMBER_DOUBLE and not value.is_integer()
        case list():
            fits = kind is ParameterType.LIST
        case _:
            fits = kind is ParameterType.STRUCT
    if not fits:
        try:
            value = values.coerce(value, kind, place=f"the input '{name}'")
        except InvalidInput:
            if step.kind in _GROUPS and _is_passed_through(name):
                return value  # what takes it in the end says what it must be
            raise
    if declared.literals and value not in [values.coerce(item, kind) for item in declared.literals]:
        allowed = ", ".join(repr(item) for item in declared.literals)
        raise InvalidInput(f"the input '{name}' is {repr(value)[:80]}, which is not one of {allowed}")
    return value


def _default(name: str, declared: InputParameter, why: str) -> Value:
    if declared.has_default and declared.default_value is not None:
        return values.coerce(declared.default_value, declared.kind, place=f"the default of '{name}'")
    if declared.is_optional or declared.has_default:
        return None
    raise InvalidInput(f"the input '{name}' is required, but {why}")


def _missing(source: ParameterSource | ArtifactSource, parent: Group) -> str:
    if source.producer:
        producer = parent.children[source.producer].task
        how = "succeeded without it" if producer.state is TaskStatus.SUCCEEDED else f"is {producer.state}"
        return f"'{source.producer}', whose output '{source.key}' it is, {how}"
    if source.parent_input is not None:
        return f"'{source.parent_input}' of the group around it has no value"
    return "it was given null"


def _is_passed_through(name: str) -> bool:
    return name.startswith(_PASSED_THROUGH)
