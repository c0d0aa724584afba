"""What must hold of a simulated run, seen from outside: by the words of its pipeline, not by the machine's notes."""

from collections.abc import Iterator, Mapping

from lodestep import jsonio
from lodestep.core.model import Attempt, Task, TaskKind, Values
from lodestep.core.state import RunState
from lodestep.core.states import RunStatus, SkipReason, TaskStatus
from lodestep.spec.ir import DagSpec, PipelineSpec, TaskSpec
from lodestep.testing import reference
from lodestep.testing.sim_script import SimScript, stable

_SKIPS = {
    SkipReason.CONDITION_FALSE: "condition",
    SkipReason.UPSTREAM_NOT_RUN: "skipped",
    SkipReason.UPSTREAM_FAILED: "failure",
    SkipReason.RUN_ENDED: "superseded",
}


def projection(state: RunState, written: Mapping[str, bytes], attempts: Mapping[str, Attempt]) -> None:
    """What the decisions said to write is what memory holds."""
    for task in state.tasks.values():
        if task.id in written or task is not state.root:
            assert written.get(task.id) == jsonio.encode(task), f"{task.path!r} changed, and no decision said so"
        for attempt in task.attempts:
            assert attempts.get(attempt.id) == attempt, f"attempt {attempt.number} of {task.path!r} changed unsaid"


def parallelism(state: RunState) -> None:
    """No loop runs more iterations at a time than the pipeline allows."""
    running: dict[str, int] = {}
    for task in state.tasks.values():
        if task.kind is TaskKind.ITERATION and task.state is TaskStatus.RUNNING:
            running[task.parent_id] = running.get(task.parent_id, 0) + 1
    for loop_id, count in running.items():
        loop = state.tasks[loop_id]
        limit = _spec_of(state, loop).iterator_policy.parallelism_limit
        assert not limit or count <= limit, f"{loop.path!r} runs {count} iterations at a time: at most {limit}"


def _spec_of(state: RunState, task: Task) -> TaskSpec:
    return _dag(state.plan.spec, state.tasks[task.parent_id].component).tasks[task.name]


def _dag(spec: PipelineSpec, component: str) -> DagSpec:
    return (spec.components[component] if component else spec.root).dag or DagSpec()


def result(state: RunState, spec: PipelineSpec, script: SimScript) -> None:
    """The end of the run is the one that the reference interpreter comes to."""
    script.generation = state.generation
    resource_name = state.header.resource_name
    expected = reference.run(spec, state.header.parameters, script, resource_name=resource_name)
    if state.status is RunStatus.CANCELED:
        _of_canceled(state, expected)
        return
    found = {task.path: task for task in state.tasks.values()}
    for path, wanted in reversed(expected.items()):  # inner tasks first: they say why a group differs
        assert path in found, f"{path!r} was never made; expected {wanted.state}"
        _compare(found[path], wanted)
    for path in found.keys() - expected.keys():
        task = found[path]
        assert task.skip is SkipReason.RUN_ENDED, f"{path!r} is {task.state}, and should not be there"
    assert state.status.value == expected[""].state, f"the run is {state.status}; expected {expected[''].state}"


def _compare(task: Task, wanted: reference.Result) -> None:
    assert task.state.value == wanted.state, f"{task.path!r} is {task.state} ({task.reason}); expected {wanted.state}"
    if task.skip is not None:
        skip = _SKIPS[task.skip]
        assert skip == wanted.skip, f"{task.path!r} was skipped for {skip}; expected {wanted.skip}"
    if task.state is not TaskStatus.SUCCEEDED:
        return
    assert _plain(task.inputs) == _plain(wanted.inputs), f"{task.path!r} has {task.inputs}; expected {wanted.inputs}"
    assert task.outputs == wanted.outputs, f"{task.path!r} gave {task.outputs}; expected {wanted.outputs}"


def _plain(given: Values) -> tuple[object, object]:
    return {name: stable(value) for name, value in given.parameters.items()}, given.artifacts


def _of_canceled(state: RunState, expected: Mapping[str, reference.Result]) -> None:
    """What a cancelled run has done is part of what it would have done."""
    for task in state.tasks.values():
        if task.state is TaskStatus.SUCCEEDED and task.attempts and task.path in expected:
            _compare(task, expected[task.path])


def kept(state: RunState, spec: PipelineSpec) -> dict[str, int]:
    """The tasks that a retry must leave alone, and how many attempts each has.

    They have succeeded, and so has everything that they, or a group around them, depend on.
    """
    loose = {task.id for task in state.tasks.values() if not _has_settled(task)}
    found: dict[str, int] = {}
    for task in state.tasks.values():
        is_leaf = task.kind in (TaskKind.EXECUTOR, TaskKind.IMPORTER)
        if is_leaf and task.state is TaskStatus.SUCCEEDED and not _depends_on(state, spec, task, loose):
            found[task.id] = len(task.attempts)
    return found


def _has_settled(task: Task) -> bool:
    if task.state is TaskStatus.SKIPPED:
        return task.skip in (SkipReason.CONDITION_FALSE, SkipReason.UPSTREAM_NOT_RUN)
    return task.state is TaskStatus.SUCCEEDED


def _depends_on(state: RunState, spec: PipelineSpec, task: Task, loose: set[str]) -> bool:
    by_path = {other.path: other for other in state.tasks.values()}
    while task.parent_id:
        parent = state.tasks[task.parent_id]
        if task.kind is not TaskKind.ITERATION:
            tasks = _dag(spec, parent.component).tasks
            waiting, seen = [task.name], {task.name}
            while waiting:
                for other in reference.upstream(tasks[waiting.pop()]) - seen:
                    seen.add(other)
                    waiting.append(other)
                    sibling = by_path.get(f"{parent.path}/{other}" if parent.path else other)
                    if sibling is None or sibling.id in loose:
                        return True
        task = parent
    return False


def outline(spec: PipelineSpec, component: str = "", indent: str = "") -> Iterator[str]:
    """A pipeline in a few lines."""
    for name, task in _dag(spec, component).tasks.items():
        before = reference.upstream(task)
        notes = [f"after {', '.join(sorted(before))}"] if before else []
        notes += ["always"] if task.trigger_policy.strategy.endswith("COMPLETED") else []
        notes += [f"if {task.trigger_policy.condition}"] if task.trigger_policy.condition else []
        notes += [f"over {over.items}" for over in (task.parameter_iterator, task.artifact_iterator) if over]
        notes += [f"at most {limit} at a time"] if (limit := task.iterator_policy.parallelism_limit) else []
        notes += [f"{task.retry_policy.max_retry_count} retries"] if task.retry_policy else []
        yield f"{indent}{name}: {'; '.join([task.component_ref.name, *notes])}"
        yield from outline(spec, task.component_ref.name, indent + "  ")
