"""The tasks of a run as a tree to look at. Pure: no terminal, no clock, no server.

Tasks come and change in any order. Groups know the counts of what is below them, so that a loop of ten thousand
iterations costs nothing to show.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from lodestep.cli.wire import TASK_ENDED, Task

GROUPS = frozenset({"root", "dag", "loop", "iteration"})


class Node:
    """A task and what is below it. Belongs to a `Tree`."""

    __slots__ = ("children", "parent", "states", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.parent: Node | None = None
        self.children: dict[str, Node] = {}
        self.states: Counter[str] = Counter()  # of the direct children

    @property
    def is_group(self) -> bool:
        return self.task.kind in GROUPS

    @property
    def ended(self) -> bool:
        return self.task.state in TASK_ENDED

    @property
    def shown_state(self) -> str:
        """The state as it is shown: an output taken from the cache is a success of its own kind."""
        return "CACHED" if self.task.cached_from and self.task.state == "SUCCEEDED" else self.task.state

    def in_order(self) -> list["Node"]:
        """The children as they began; those that have not begun come last, as they were made.

        Iterations go by their number.
        """
        if self.task.kind == "loop":
            return sorted(self.children.values(), key=lambda node: node.task.iteration or 0)
        return sorted(self.children.values(), key=lambda node: (not node.task.started_ms, node.task.started_ms))


class Tree:
    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.nodes: dict[str, Node] = {}
        self._orphans: dict[str, list[Node]] = {}
        self.root: Node | None = None
        self.steps_known = 0
        self.steps_ended = 0
        for task in tasks:
            self.put(task)

    def put(self, task: Task) -> str:
        """Take in a new task or a changed one. Returns the state that it had before ("" for a new one)."""
        node = self.nodes.get(task.id)
        if node is None:
            self._add(task)
            return ""
        before = node.task.state
        self._count(node, -1)
        node.task = task
        self._count(node, 1)
        if node.parent is not None and before != task.state:
            node.parent.states[before] -= 1
            node.parent.states[task.state] += 1
        return before

    def walk(self) -> Iterator[Node]:
        """Every node below the root, parents first."""
        stack = list(reversed(self.root.in_order())) if self.root else []
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.in_order()))

    def steps(self) -> Iterator[Node]:
        """The tasks that are no groups."""
        return (node for node in self.walk() if not node.is_group)

    def first_failure(self) -> Node | None:
        """The step that failed first of those that are to blame: one below a group, not the group."""
        failed = [n for n in self.walk() if n.task.state == "FAILED" and n.task.failure and not _below_failed(n)]
        return min(failed, key=lambda node: node.task.ended_ms, default=None)

    def _add(self, task: Task) -> None:
        node = self.nodes[task.id] = Node(task)
        self._count(node, 1)
        if not task.parent_id:
            self.root = node
        elif parent := self.nodes.get(task.parent_id):
            _hang(parent, node)
        else:
            self._orphans.setdefault(task.parent_id, []).append(node)
        for child in self._orphans.pop(task.id, ()):
            _hang(node, child)

    def _count(self, node: Node, by: int) -> None:
        if not node.is_group:
            self.steps_known += by
            self.steps_ended += by if node.ended else 0


def _hang(parent: Node, child: Node) -> None:
    child.parent = parent
    parent.children[child.task.id] = child
    parent.states[child.task.state] += 1


def _below_failed(node: Node) -> bool:
    return node.is_group and any(child.task.state == "FAILED" for child in node.children.values())
