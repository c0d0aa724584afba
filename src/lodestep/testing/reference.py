"""A simple interpreter of pipelines: what a run must come to, by the shortest way of saying it.

Recursive, one task after the other, without events, attempts or time. It shares no code with `core` but the types of
values, so that the two can be compared. What each task does comes from a `Script`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from lodestep.core.model import Values
from lodestep.errors import LodestepError
from lodestep.lang import cel, placeholders
from lodestep.spec import values
from lodestep.spec.ir import (
    ComponentSpec,
    DagSpec,
    ParameterType,
    PipelineSpec,
    TaskInputParameter,
    TaskSpec,
    TriggerStrategy,
)

_CHANNEL = "pipelinechannel--"


class Script(Protocol):
    """What the tasks of a run do."""

    def succeeds(self, path: str, retries: int) -> bool:
        """Does the task succeed in the end, when it is tried again up to `retries` times?"""
        ...

    def outputs(self, path: str, given: Values, component: ComponentSpec) -> Values: ...


class Result(msgspec.Struct):
    """What became of a task. `skip` says why it was skipped: `condition`, `failure` or `skipped`."""

    state: str
    inputs: Values = msgspec.field(default_factory=Values)
    outputs: Values = msgspec.field(default_factory=Values)
    skip: str = ""


def run(spec: PipelineSpec, parameters: Mapping[str, Any], script: Script, *, resource_name: str) -> dict[str, Result]:
    """The results of all tasks by path; the run's own is at ""."""
    interpreter = _Interpreter(spec, script, resource_name)
    given = Values()
    for name, declared in spec.root.input_definitions.parameters.items():
        value = parameters.get(name)
        if value is None and declared.has_default:
            value = values.coerce(declared.default_value, declared.kind)
        if value is None and not declared.is_optional and not declared.has_default:
            interpreter.results[""] = Result("FAILED")
            return interpreter.results
        given.parameters[name] = value
    interpreter.results[""] = Result("FAILED", given)
    interpreter.dag(spec.root, given, "", None)
    return interpreter.results


class _Interpreter:
    def __init__(self, spec: PipelineSpec, script: Script, resource_name: str) -> None:
        self.spec = spec
        self.script = script
        self.resource_name = resource_name
        self.results: dict[str, Result] = {}

    def dag(self, component: ComponentSpec, given: Values, path: str, retries: int | None) -> None:
        """Run all tasks of a DAG whose result is at `path` already, and finish that result."""
        dag = component.dag or DagSpec()
        done: dict[str, Result] = {}
        waiting = dict(dag.tasks)
        while waiting:
            name = next(n for n, task in waiting.items() if not (upstream(task) & waiting.keys()))
            task = waiting.pop(name)
            inner = f"{path}/{name}" if path else name
            done[name] = self.results[inner] = Result("SKIPPED")
            self.task(task, given, done, inner, name, retries)
        result = self.results[path]
        result.state = "FAILED" if any(r.state == "FAILED" for r in done.values()) else "SUCCEEDED"
        if result.state == "SUCCEEDED":
            result.outputs = _dag_outputs(dag, done)

    def task(
        self, task: TaskSpec, around: Values, done: dict[str, Result], path: str, name: str, retries: int | None
    ) -> None:
        result = done[name]
        if task.trigger_policy.strategy is not TriggerStrategy.ALL_UPSTREAM_TASKS_COMPLETED:
            before = [done[other] for other in upstream(task)]
            if any(r.state == "FAILED" or r.skip == "failure" for r in before):
                result.skip = "failure"
                return
            if any(r.state == "SKIPPED" for r in before):
                result.skip = "skipped"
                return
        component = self.spec.components[task.component_ref.name]
        try:
            result.inputs = self.inputs(task, component, around, done, name)
            condition = task.trigger_policy.condition
            if condition and not cel.condition(condition, result.inputs.parameters):
                result.skip = "condition"
                return
        except LodestepError:
            result.state = "FAILED"
            return
        if task.retry_policy is not None:
            retries = task.retry_policy.max_retry_count
        if task.parameter_iterator or task.artifact_iterator:
            self.loop(task, component, path, retries)
        elif component.dag is not None:
            self.dag(component, result.inputs, path, retries)
        elif self.script.succeeds(path, retries or 0):
            result.state = "SUCCEEDED"
            result.outputs = self.script.outputs(path, result.inputs, component)
        else:
            result.state = "FAILED"

    def loop(self, task: TaskSpec, component: ComponentSpec, path: str, retries: int | None) -> None:
        result = self.results[path]
        given = result.inputs
        if over := task.artifact_iterator:
            items: list[Any] = given.artifacts.get(over.items.input_artifact, [])
            item_input, source = over.item_input, over.items.input_artifact
        else:
            over = task.parameter_iterator
            assert over is not None
            item_input, source = over.item_input, over.items.input_parameter or ""
            try:
                listed = given.parameters.get(source) if over.items.raw is None else over.items.raw
                items = values.coerce(listed, ParameterType.LIST)
            except LodestepError:
                result.state = "FAILED"
                return
        result.state = "SUCCEEDED"
        iterations: list[Result] = []
        for index, item in enumerate(items):
            inner = Values(parameters=dict(given.parameters), artifacts=dict(given.artifacts))
            if task.artifact_iterator:
                if not _reads(component.dag, source):
                    inner.artifacts.pop(source, None)
                inner.artifacts[item_input] = [item]
            else:
                if not _reads(component.dag, source):
                    inner.parameters.pop(source, None)
                inner.parameters[item_input] = self.fitted(item_input, item, component)
            iteration = self.results[f"{path}[{index}]"] = Result("FAILED", inner)
            self.dag(component, inner, f"{path}[{index}]", retries)
            iterations.append(iteration)
        if any(iteration.state == "FAILED" for iteration in iterations):
            result.state = "FAILED"
            return
        dag = component.dag or DagSpec()
        for key in dag.outputs.parameters:
            result.outputs.parameters[key] = [
                iteration.outputs.parameters[key] for iteration in iterations if key in iteration.outputs.parameters
            ]
        for key in dag.outputs.artifacts:
            result.outputs.artifacts[key] = [a for r in iterations for a in r.outputs.artifacts.get(key, [])]

    def inputs(
        self, task: TaskSpec, component: ComponentSpec, around: Values, done: dict[str, Result], name: str
    ) -> Values:
        found = Values()
        declared = component.input_definitions
        is_group = component.dag is not None
        for key, artifact in task.inputs.artifacts.items():
            if output := artifact.task_output_artifact:
                listed = done[output.producer_task].outputs.artifacts.get(output.output_artifact_key)
            else:
                listed = around.artifacts.get(artifact.component_input_artifact or "")
            if listed is not None:
                found.artifacts[key] = listed
            elif not declared.artifacts[key].is_optional and not (is_group and key.startswith(_CHANNEL)):
                raise LodestepError("missing")
        constants = {key: p for key, p in task.inputs.parameters.items() if p.runtime_value is not None}
        for key, source in {**task.inputs.parameters, **constants}.items():
            if source.runtime_value is None:
                found.parameters[key] = self.fitted(key, self.value(source, around, done), component)
        for key, source in constants.items():
            assert source.runtime_value is not None
            document = {"inputs": {"parameterValues": found.parameters}}
            scope = placeholders.Scope(executor_input=document, variables={"pipeline_task_name": name})
            value = placeholders.value(source.runtime_value.value, scope)
            found.parameters[key] = self.fitted(key, value, component)
        items = {over.item_input for over in (task.parameter_iterator, task.artifact_iterator) if over}
        for key in declared.parameters.keys() - task.inputs.parameters.keys() - items:
            found.parameters[key] = self.fitted(key, None, component)
        return found

    def value(self, source: TaskInputParameter, around: Values, done: dict[str, Result]) -> Any:
        if output := source.task_output_parameter:
            value = done[output.producer_task].outputs.parameters.get(output.output_parameter_key)
        elif status := source.task_final_status:
            state = done[status.producer_task].state
            value = {
                "state": state,
                "pipelineJobResourceName": self.resource_name,
                "pipelineTaskName": status.producer_task,
                "error": {},
            }
        else:
            value = around.parameters.get(source.component_input_parameter or "")
        if source.parameter_expression_selector and value is not None:
            return cel.select(source.parameter_expression_selector, value)
        return value

    def fitted(self, key: str, value: Any, component: ComponentSpec) -> Any:
        declared = component.input_definitions.parameters.get(key)
        if declared is None:
            return value
        passes_on = component.dag is not None and key.startswith(_CHANNEL)
        if value is not None:
            try:
                return values.coerce(value, declared.kind)
            except LodestepError:
                if passes_on:  # the task that takes it says what it must be
                    return value
                raise
        if declared.has_default and declared.default_value is not None:
            return values.coerce(declared.default_value, declared.kind)
        if declared.is_optional or passes_on:
            return None
        raise LodestepError("missing")


def upstream(task: TaskSpec) -> set[str]:
    """The tasks of the same DAG that this one waits for."""
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


def _reads(dag: DagSpec | None, name: str) -> bool:
    """Does a task of a loop's body take the whole list as well?"""
    for task in dag.tasks.values() if dag else ():
        if any(source.component_input_parameter == name for source in task.inputs.parameters.values()):
            return True
        if any(source.component_input_artifact == name for source in task.inputs.artifacts.values()):
            return True
    return False


def _dag_outputs(dag: DagSpec, done: dict[str, Result]) -> Values:
    found = Values()
    for key, parameter in dag.outputs.parameters.items():
        for selector in reversed(parameter.selectors):
            given = done[selector.producer_subtask].outputs.parameters
            if selector.output_parameter_key in given:
                found.parameters[key] = given[selector.output_parameter_key]
    for key, artifact in dag.outputs.artifacts.items():
        for selector in reversed(artifact.artifact_selectors):
            given = done[selector.producer_subtask].outputs.artifacts
            if selector.output_artifact_key in given:
                found.artifacts[key] = given[selector.output_artifact_key]
    return found
