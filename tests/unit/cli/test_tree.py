"""Tasks in any order become one tree."""

import random

from lodestep.cli.tree import Tree
from tests.unit.cli.made import failure, loop, root, task


def _paths(tree: Tree) -> list[str]:
    return [node.task.path for node in tree.walk()]


def test_children_may_come_before_their_parents() -> None:
    tasks = [root(), *loop("loop", ["SUCCEEDED"] * 3), task("after", started_ms=1_800_000_000_000)]
    expected = _paths(Tree(tasks))
    assert expected[:3] == ["loop", "loop[0]", "loop[0]/train"]
    for seed in range(20):
        mixed = tasks.copy()
        random.Random(seed).shuffle(mixed)
        assert _paths(Tree(mixed)) == expected


def test_what_has_not_begun_comes_last() -> None:
    tree = Tree([root(), task("waits", state="WAITING"), task("second", started_ms=20), task("first", started_ms=10)])
    assert _paths(tree) == ["first", "second", "waits"]


def test_counts_follow_changes() -> None:
    tree = Tree([root(), *loop("loop", ["RUNNING", "WAITING"])])
    loop_node = tree.nodes["loop"]
    assert (tree.steps_known, tree.steps_ended) == (2, 0)
    assert tree.put(task("loop[0]", parent="loop", kind="iteration", state="SUCCEEDED", iteration=0)) == "RUNNING"
    tree.put(task("loop[0]/train", parent="loop[0]", state="SUCCEEDED"))
    assert loop_node.states["SUCCEEDED"] == 1
    assert loop_node.states["RUNNING"] == 0
    assert (tree.steps_known, tree.steps_ended) == (2, 1)


def test_a_change_that_comes_twice_changes_nothing() -> None:
    tree = Tree([root(), task("a")])
    assert tree.put(task("a")) == "SUCCEEDED"
    assert (tree.steps_known, tree.steps_ended) == (1, 1)


def test_first_failure_is_the_step_and_not_the_group_around_it() -> None:
    tasks = [
        root(state="FAILED", failure=failure("a task in it failed")),
        task("group", kind="dag", state="FAILED", failure=failure("a task in it failed"), ended_ms=5),
        task("group/late", state="FAILED", failure=failure("late"), ended_ms=9),
        task("group/early", state="FAILED", failure=failure("early"), ended_ms=7),
    ]
    found = Tree(tasks).first_failure()
    assert found is not None
    assert found.task.path == "group/early"


def test_a_group_that_fails_by_itself_is_to_blame() -> None:
    tasks = [root(state="FAILED"), task("loop", kind="loop", state="FAILED", failure=failure("items is no list"))]
    found = Tree(tasks).first_failure()
    assert found is not None
    assert found.task.path == "loop"
