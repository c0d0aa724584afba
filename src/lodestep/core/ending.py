"""What follows from a task's end: those who waited for it, its group, and in the end the run.

A group ends when everything in it has ended. It has failed if anything in it failed, whoever ignored that failure;
being skipped is no failure. Tasks that do not depend on a failed one go on. The outputs of a DAG are those of its
tasks; a loop collects the outputs of its iterations in the order of the items, without those that have none (their
task was skipped). Parameters of an inner loop stay a list in the list, as `dsl.Collected` is typed; artifacts, of which
there are only flat lists, are joined.
"""

from lodestep.core.model import Failure, FailureKind, Task, Values
from lodestep.core.state import Group, Loop, Node
from lodestep.core.states import RunStatus, TaskStatus
from lodestep.core.steps import Scope, Step
from lodestep.core.turn import Next, Turn
from lodestep.errors import InvariantError

_RUN_OF = {
    TaskStatus.SUCCEEDED: RunStatus.SUCCEEDED,
    TaskStatus.FAILED: RunStatus.FAILED,
    TaskStatus.CANCELED: RunStatus.CANCELED,
}


def ended(turn: Turn, node: Node) -> None:
    """Tell those who wait for the task, and its group."""
    match node.parent:
        case None:
            _end_run(turn, node.task)
        case Loop() as loop:
            loop.open -= 1
            _note(loop, node.task)
            turn.follow(Next.ITERATE, loop)
        case Group() as group:
            for name in node.step.downstream if node.step else ():
                follower = group.children[name]
                follower.waiting -= 1
                if follower.waiting == 0:
                    turn.follow(Next.START, follower)
            group.open -= 1
            _note(group, node.task)
            if group.open == 0:
                turn.follow(Next.FINISH, group)


def finish(turn: Turn, group: Group | Loop) -> None:
    """Everything in the group has ended."""
    task = group.task
    if task.id not in turn.state.nodes:
        return
    is_root = group.parent is None
    if group.canceled or (is_root and turn.state.canceling):
        failure = Failure(kind=FailureKind.CANCELED, message="the run was cancelled")
        turn.end(group, TaskStatus.CANCELED, failure.message, failure=failure)
    elif group.failed is not None:
        turn.end(group, TaskStatus.FAILED, group.failed.message, failure=group.failed)
    else:
        task.outputs = _collected(group) if isinstance(group, Loop) else _outputs(group)
        turn.end(group, TaskStatus.SUCCEEDED, _success(group))
    if isinstance(group, Group):
        group.children = {}
    else:
        group.items, group.iterations = [], []


def _note(group: Group | Loop, child: Task) -> None:
    if child.state is TaskStatus.CANCELED:
        group.canceled = True
    elif child.state is TaskStatus.FAILED and group.failed is None:
        group.failed = _because(child)


def _because(child: Task) -> Failure:
    """Why a group failed: the task that failed first, wherever in it that is."""
    failure = child.failure
    if failure is None:
        raise InvariantError(f"task {child.path!r} failed without a failure")
    if failure.kind is FailureKind.UPSTREAM:
        return failure
    message = f"'{child.path}' failed: {failure.message}"
    return Failure(
        kind=FailureKind.UPSTREAM,
        message=message,
        hint=failure.hint,
        exit_code=failure.exit_code,
        signal=failure.signal,
        task=child.path,
    )


def _success(group: Group | Loop) -> str:
    if isinstance(group, Loop):
        return f"all {len(group.iterations)} iterations succeeded" if group.iterations else "there was no item"
    return "all tasks in it succeeded or were not needed"


def _outputs(group: Group) -> Values:
    found = Values()
    for output in group.scope.outputs:
        for selector in output.selectors:
            given = group.children[selector.producer].task.outputs
            if output.is_artifact:
                if selector.key in given.artifacts:
                    found.artifacts[output.key] = given.artifacts[selector.key]
                    break
            elif selector.key in given.parameters:
                found.parameters[output.key] = given.parameters[selector.key]
                break
    return found


def _collected(loop: Loop) -> Values:
    found = Values()
    for output in _scope(loop).outputs:
        if output.is_artifact:
            found.artifacts[output.key] = [
                artifact for task in loop.iterations for artifact in task.outputs.artifacts.get(output.key, ())
            ]
            continue
        found.parameters[output.key] = [
            task.outputs.parameters[output.key] for task in loop.iterations if output.key in task.outputs.parameters
        ]
    return found


def _scope(loop: Loop) -> Scope:
    step: Step | None = loop.step
    if step is None or step.scope is None:
        raise InvariantError(f"the loop {loop.task.path!r} has no body")
    return step.scope


def _end_run(turn: Turn, root: Task) -> None:
    state = turn.state
    state.failure = root.failure if root.state is TaskStatus.FAILED else None
    turn.move_run(_RUN_OF[root.state], root.reason)
