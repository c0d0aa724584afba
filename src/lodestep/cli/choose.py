"""Which run, and which task of it, a person means."""

from lodestep.cli.client import Client
from lodestep.cli.tree import Node, Tree
from lodestep.cli.wire import Run
from lodestep.errors import InvalidInput, NotFound

_UUID_LENGTH = 36
_SHORTEST_PREFIX = 4


def run(client: Client, text: str) -> Run:
    """By id, by the unique beginning of an id, by name (the newest of that name), or `latest`.

    Raises `NotFound`, or `InvalidInput` where the beginning fits several.
    """
    if text == "latest":
        if newest := client.runs(limit=1):
            return newest[0]
        raise NotFound("there is no run yet", hint="lodestep run FILE makes one")
    if len(text) == _UUID_LENGTH and text.count("-") == 4:
        return client.run(text)
    if len(text) >= _SHORTEST_PREFIX:
        like = {"operation": "IS_SUBSTRING", "key": "run_id", "string_value": text.lower()}
        found = [run for run in client.runs(limit=200, predicates=[like]) if run.run_id.startswith(text.lower())]
        if len(found) == 1:
            return client.run(found[0].run_id)
        if found:
            raise InvalidInput(f"{text!r} begins the ids of {len(found)} runs", hint="give more of the id")
    named = client.runs(limit=1, predicates=[{"operation": "EQUALS", "key": "display_name", "string_value": text}])
    if named:
        return client.run(named[0].run_id)
    raise NotFound(f"no run {text!r}", hint="`lodestep runs` lists them; an id may be cut after 4 characters")


def steps(tree: Tree, text: str) -> list[Node]:
    """The steps that a path or a name means; of a group, all steps in it. Raises `NotFound` with what there is."""
    by_path = [node for node in tree.walk() if node.task.path == text]
    chosen = by_path or [node for node in tree.walk() if text in (node.task.name, node.task.display_name)]
    found = [step for node in chosen for step in _steps_of(node)]
    if not found:
        paths = [node.task.path for node in tree.steps()]
        shown = ", ".join(paths[:12]) + (f" and {len(paths) - 12} more" if len(paths) > 12 else "")
        raise NotFound(f"no task {text!r} in this run", hint=f"it has: {shown or 'no steps yet'}")
    return found


def _steps_of(node: Node) -> list[Node]:
    if not node.is_group:
        return [node]
    return [step for child in node.in_order() for step in _steps_of(child)]
