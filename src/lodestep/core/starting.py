"""Whether a task starts, and how: skipped, failed for want of an input, asked of the cache, launched, or opened."""

from lodestep.core import fingerprint, resolve
from lodestep.core.attempts import launch
from lodestep.core.commands import LookUpCache
from lodestep.core.model import Failure, FailureKind, TaskKind
from lodestep.core.state import Group, Loop, Node
from lodestep.core.states import RunStatus, SkipReason, TaskStatus
from lodestep.core.steps import Step
from lodestep.core.turn import Next, Turn
from lodestep.errors import LodestepError
from lodestep.lang import cel

_AFTER_CANCEL = "the run was cancelled before its turn"


def start_run(turn: Turn, reason: str) -> None:
    """Open the root. On a bad parameter the run fails at once."""
    state = turn.state
    root = state.root
    node = Group(task=root, step=None, parent=None, retry=None, scope=state.plan.root)
    state.nodes[root.id] = node
    state.started_ms = state.started_ms or turn.at_ms
    turn.move_run(RunStatus.RUNNING, reason)
    try:
        root.inputs = resolve.root_inputs(state.header, state.plan)
    except LodestepError as error:
        _fail(turn, node, _bad_input(error))
        return
    root.started_ms = turn.at_ms
    turn.move(root, TaskStatus.RUNNING, reason)
    turn.follow(Next.OPEN, node)


def start(turn: Turn, node: Node) -> None:
    """All that the task waited for has ended: decide what becomes of it."""
    task, step, parent = node.task, node.step, node.parent
    if task.state is not TaskStatus.WAITING or step is None or not isinstance(parent, Group):
        return
    if turn.state.canceling:
        turn.end(node, TaskStatus.CANCELED, _AFTER_CANCEL)
        return
    if not step.always and (blocked := _blocked(step, parent)):
        skip, reason = blocked
        turn.end(node, TaskStatus.SKIPPED, reason, skip=skip)
        return
    try:
        task.inputs = resolve.inputs(turn.state.header, node, step, parent)
        wanted = not step.condition or cel.condition(step.condition, task.inputs.parameters)
        if wanted and isinstance(node, Loop) and step.loop is not None:
            node.items = resolve.items(step.loop, task.inputs, turn.state.header, task)
    except (LodestepError, RecursionError) as error:
        _fail(turn, node, _bad_input(error))
        return
    if not wanted:
        reason = f"its condition is false: {step.condition}"
        turn.end(node, TaskStatus.SKIPPED, reason, skip=SkipReason.CONDITION_FALSE)
    elif isinstance(node, Loop):
        _start_loop(turn, node)
    elif isinstance(node, Group):
        _run(turn, node, f"{_why(step)}, so its tasks start")
    else:
        _start_leaf(turn, node, step)


def _blocked(step: Step, parent: Group) -> tuple[SkipReason, str] | None:
    """Why a task that wants its upstream tasks to succeed cannot run, or None if it can."""
    found: tuple[SkipReason, str] | None = None
    for name in step.upstream:
        upstream = parent.children[name].task
        match upstream.state:
            case TaskStatus.SUCCEEDED:
                continue
            case TaskStatus.FAILED:
                return SkipReason.UPSTREAM_FAILED, f"'{name}' failed, which it depends on"
            case TaskStatus.CANCELED:
                return SkipReason.RUN_ENDED, f"'{name}' was cancelled, which it depends on"
            case _ if (skip := upstream.skip) in (SkipReason.UPSTREAM_FAILED, SkipReason.RUN_ENDED):
                return (
                    skip or SkipReason.UPSTREAM_FAILED,
                    f"'{name}' was skipped after a failure, and it depends on that",
                )
            case _:
                found = found or (SkipReason.UPSTREAM_NOT_RUN, f"'{name}' was skipped, which it depends on")
    return found


def _why(step: Step) -> str:
    if not step.upstream:
        return "it waits for nothing"
    return "all that it waited for has ended" if step.always else "all that it waited for has succeeded"


def _start_loop(turn: Turn, loop: Loop) -> None:
    count, allowed = len(loop.items), turn.state.header.max_iterations
    if count > allowed:
        message = f"the loop has {count} items: at most {allowed} are allowed"
        hint = "loop over fewer items, or raise the limit of iterations"
        _fail(turn, loop, Failure(kind=FailureKind.BAD_INPUT, message=message, hint=hint, retryable=False))
        return
    noun = "item" if count == 1 else "items"
    _run(turn, loop, f"goes over {count} {noun}")


def _run(turn: Turn, node: Group | Loop, reason: str) -> None:
    node.task.started_ms = turn.at_ms
    turn.move(node.task, TaskStatus.RUNNING, reason)
    turn.follow(Next.OPEN, node)


def _start_leaf(turn: Turn, node: Node, step: Step) -> None:
    task, state = node.task, turn.state
    if task.kind is TaskKind.EXECUTOR and (step.executor is None or step.executor.container is None):
        _fail(turn, node, _cannot_run(step))
        return
    turn.move(task, TaskStatus.PENDING, _why(step))
    if not (step.cache and state.header.cache and task.kind is TaskKind.EXECUTOR):
        task.cache_reason = "an importer is not cached" if task.kind is TaskKind.IMPORTER else "caching is off"
        launch(turn, node)
        return
    try:
        task.fingerprint = fingerprint.of(state, step, task)
    except (LodestepError, RecursionError) as error:
        _fail(turn, node, _bad_input(error))
        return
    node.asked = True
    turn.commands.append(LookUpCache(task_id=task.id, fingerprint=task.fingerprint))


def _cannot_run(step: Step) -> Failure:
    executor = step.executor
    noun = "resolver" if executor and executor.resolver else "custom job" if executor and executor.custom_job else ""
    return Failure(
        kind=FailureKind.CANNOT_RUN,
        message=f"its executor is a {noun}, which only Vertex AI runs" if noun else "it has no executor",
        hint="use a container or Python component",
        retryable=False,
    )


def _bad_input(error: LodestepError | RecursionError) -> Failure:
    message = str(error) if isinstance(error, LodestepError) else "an input is nested too deep"
    return Failure(kind=FailureKind.BAD_INPUT, message=message, retryable=False)


def _fail(turn: Turn, node: Node, failure: Failure) -> None:
    turn.end(node, TaskStatus.FAILED, failure.message, failure=failure)
