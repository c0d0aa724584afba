"""How groups open: the children of a DAG, the iterations of a loop, and what a retried run finds of them.

A group that is opened for the first time makes its tasks. One that is taken up again by a retry finds some: what has
succeeded is kept, what has not runs again, and so does everything that depends on it, for its inputs may change.
Loops open their iterations as others end, so one event never opens more than `WINDOW`.
"""

from collections.abc import Iterator

from lodestep.core import resolve
from lodestep.core.model import Failure, FailureKind, Task, TaskKind, Values
from lodestep.core.state import Group, Loop, Node, RunState, child_path, task_id
from lodestep.core.states import SkipReason, TaskStatus
from lodestep.core.steps import Scope, Step
from lodestep.core.turn import Next, Turn
from lodestep.errors import LodestepError

# How many iterations of one loop are open at a time where the pipeline sets no limit. More than any runner has places
# for, and few enough that opening them is a short turn.
WINDOW = 1000

_RETRIED = "the run is retried"
_GROUPS = (TaskKind.DAG, TaskKind.LOOP)
_ABANDONED = (SkipReason.UPSTREAM_FAILED, SkipReason.RUN_ENDED)


def open_body(turn: Turn, node: Group | Loop) -> None:
    """Start what is in a group that has just begun to run."""
    if isinstance(node, Loop):
        node.task.iterations = len(node.items)
        open_iterations(turn, node)
    else:
        _open_children(turn, node)


def make_node(task: Task, step: Step, parent: Group) -> Node:
    if step.loop is not None:
        limit = step.loop.parallelism or WINDOW
        return Loop(task=task, step=step, parent=parent, retry=step.retry or parent.retry, limit=limit)
    if step.scope is not None:
        return Group(task=task, step=step, parent=parent, retry=step.retry or parent.retry, scope=step.scope)
    return Node(task=task, step=step, parent=parent)


def _open_children(turn: Turn, group: Group) -> None:
    state = turn.state
    if _too_many(turn, group):
        return
    free: list[Node] = []
    running: set[str] = set()
    for name, step in group.scope.steps.items():
        path = child_path(group.task, name)
        key = task_id(state.header.run_id, path)
        found = state.tasks.get(key)
        waiting = sum(other in running for other in step.upstream)
        if found is not None and not waiting and _is_kept(found):
            group.children[name] = Node(task=found, step=step, parent=group)
            continue
        task = found or _new_task(turn, key, path, step, group.task)
        node = make_node(task, step, group)
        node.waiting = waiting
        group.children[name] = node
        state.nodes[task.id] = node
        running.add(name)
        if found is not None and not _take_up(turn, node, step):
            continue
        if waiting:
            task.reason = step.waits
        else:
            free.append(node)
    group.open = len(running)
    for node in free:
        turn.follow(Next.START, node)
    if not running:
        turn.follow(Next.FINISH, group)


def open_iterations(turn: Turn, loop: Loop) -> None:
    """Open iterations until the loop's limit is reached; finish the loop where none is left."""
    state = turn.state
    if loop.task.id not in state.nodes:
        return
    while loop.open < loop.limit and len(loop.iterations) < len(loop.items) and not loop.stopped:
        path = f"{loop.task.path}[{len(loop.iterations)}]"
        key = task_id(state.header.run_id, path)
        task = state.tasks.get(key)
        if task is not None and task.state is TaskStatus.SUCCEEDED:
            loop.iterations.append(task)
            continue
        if task is None:
            if _is_full(turn, loop):
                break
            task = _new_iteration(turn, key, path, loop)
        _open_iteration(turn, loop, task)
    if loop.open == 0 and (loop.stopped or len(loop.iterations) == len(loop.items)):
        turn.follow(Next.FINISH, loop)


def _open_iteration(turn: Turn, loop: Loop, task: Task) -> None:
    step, state = loop.step, turn.state
    assert step is not None
    assert step.loop is not None
    assert step.scope is not None
    index = len(loop.iterations)
    node = Group(task=task, step=step, parent=loop, retry=loop.retry, scope=step.scope)
    loop.iterations.append(task)
    loop.open += 1
    state.nodes[task.id] = node
    if task.state is not TaskStatus.WAITING and not _take_up(turn, node, step):
        return
    declared = state.plan.named(step.component).input_definitions.parameters.get(step.loop.item_input)
    try:
        task.inputs = resolve.iteration_inputs(step, step.loop, loop.task.inputs, loop.items[index], declared)
    except LodestepError as error:
        failure = Failure(kind=FailureKind.BAD_INPUT, message=str(error), retryable=False)
        turn.end(node, TaskStatus.FAILED, failure.message, failure=failure)
        return
    task.started_ms = turn.at_ms
    turn.move(task, TaskStatus.RUNNING, f"item {index + 1} of {len(loop.items)}")
    turn.follow(Next.OPEN, node)


def _is_kept(task: Task) -> bool:
    """Has it ended for good, or did a person retry the run so that it may run now?"""
    if task.state is TaskStatus.SKIPPED:
        return task.skip not in _ABANDONED
    return task.state is TaskStatus.SUCCEEDED


def _take_up(turn: Turn, node: Node, step: Step) -> bool:
    """A task from before the retry. True if it is to be started anew; else it goes on from where it was.

    A group that had begun goes on with the inputs that it had; only what failed in it runs again. Unless it waits for
    something that runs again: then it begins anew.
    """
    task = node.task
    goes_on = isinstance(node, Group | Loop) and task.started_ms and not node.waiting
    if goes_on and task.state in (TaskStatus.FAILED, TaskStatus.CANCELED):
        if isinstance(node, Loop):
            assert step.loop is not None
            node.items = resolve.items(step.loop, task.inputs, turn.state.header, task)
            task.iterations = len(node.items)
        task.failure = None
        task.ended_ms = 0
        turn.move(task, TaskStatus.RUNNING, _RETRIED)
        turn.follow(Next.OPEN, node)
        return False
    for inner in _inside(turn.state, task, node.scope if isinstance(node, Group) else step.scope, node):
        if inner.state is not TaskStatus.SKIPPED:
            forget(turn, inner)
            turn.move(inner, TaskStatus.SKIPPED, "from before the retry: the group around it runs again")
        inner.skip = SkipReason.RUN_ENDED
        turn.touch(inner)
    forget(turn, task)
    return True


def forget(turn: Turn, task: Task) -> None:
    """Back to the beginning, for another generation. Attempts and history stay."""
    turn.move(task, TaskStatus.WAITING, _RETRIED)
    task.skip = None
    task.failure = None
    task.started_ms = task.ended_ms = 0
    task.inputs = Values()
    task.outputs = Values()
    task.fingerprint = task.cached_from = task.cache_reason = ""


def _inside(state: RunState, task: Task, scope: Scope | None, node: Node) -> Iterator[Task]:
    """All tasks below a group, parents first."""
    if scope is None:
        return
    below: list[tuple[Task, Scope, bool]] = [(task, scope, isinstance(node, Loop))]
    while below:
        group, body, is_loop = below.pop()
        if is_loop:
            for iteration in _iterations(state, group):
                yield iteration
                below.append((iteration, body, False))
            continue
        for name, step in body.steps.items():
            child = state.tasks.get(task_id(group.run_id, child_path(group, name)))
            if child is not None:
                yield child
                if step.scope is not None:
                    below.append((child, step.scope, step.loop is not None))


def _iterations(state: RunState, loop: Task) -> Iterator[Task]:
    index = 0
    while (found := state.tasks.get(task_id(loop.run_id, f"{loop.path}[{index}]"))) is not None:
        yield found
        index += 1


def _new_task(turn: Turn, key: str, path: str, step: Step, parent: Task) -> Task:
    return _added(
        turn,
        Task(
            id=key,
            run_id=parent.run_id,
            path=path,
            name=step.name,
            display_name=step.display_name,
            kind=step.kind,
            component=step.component,
            parent_id=parent.id,
            created_ms=turn.at_ms,
        ),
    )


def _new_iteration(turn: Turn, key: str, path: str, loop: Loop) -> Task:
    task, index = loop.task, len(loop.iterations)
    return _added(
        turn,
        Task(
            id=key,
            run_id=task.run_id,
            path=path,
            name=task.name,
            display_name=f"{task.display_name}[{index}]",
            kind=TaskKind.ITERATION,
            component=task.component,
            parent_id=task.id,
            iteration=index,
            created_ms=turn.at_ms,
        ),
    )


def _added(turn: Turn, task: Task) -> Task:
    turn.state.tasks[task.id] = task
    turn.touch(task)
    return task


def _is_full(turn: Turn, loop: Loop) -> bool:
    """Has the run as many tasks as it may have? Then the loop opens no further iterations, and fails."""
    count, allowed = len(turn.state.tasks), turn.state.header.max_tasks
    if count < allowed:
        return False
    loop.stopped = True
    loop.failed = _limit(count + 1, allowed)
    return True


def _too_many(turn: Turn, group: Group) -> bool:
    header = turn.state.header
    wanted = len(turn.state.tasks) + len(group.scope.steps)
    if wanted <= header.max_tasks or task_id(header.run_id, _first(group)) in turn.state.tasks:
        return False
    failure = _limit(wanted, header.max_tasks)
    turn.end(group, TaskStatus.FAILED, failure.message, failure=failure)
    return True


def _first(group: Group) -> str:
    return child_path(group.task, next(iter(group.scope.steps), ""))


def _limit(wanted: int, allowed: int) -> Failure:
    return Failure(
        kind=FailureKind.BAD_INPUT,
        message=f"the run would have {wanted} tasks: at most {allowed} are allowed",
        hint="split the pipeline, or raise the limit of tasks in a run",
        retryable=False,
    )
