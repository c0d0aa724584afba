"""Logs of steps on standard output, one or many at once. Every line is whole, whoever else writes."""

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import click

from lodestep.cli import choose, words
from lodestep.cli.client import Client
from lodestep.cli.follow import Follower
from lodestep.cli.tree import Node, Tree
from lodestep.errors import LodestepError, NotFound

_TICK_S = 1.0
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_cyan", "bright_magenta", "bright_yellow")


class Wanted(NamedTuple):
    attempt: int
    timestamps: bool


class Printer:
    """Writes lines, each with the name of its task where several tasks write."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.named = False
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}

    def title(self, text: str) -> None:
        if not self.as_json:
            click.echo(click.style(f"── {text} ", bold=True) + click.style("─" * max(60 - len(text), 3), dim=True))

    def line(self, task: str, text: str) -> None:
        with self._lock:
            if self.as_json:
                click.echo(json.dumps({"task": task, "line": text}, ensure_ascii=False))
            elif self.named:
                colour = self._colours.setdefault(task, _COLOURS[len(self._colours) % len(_COLOURS)])
                click.echo(f"{click.style(task, fg=colour)} │ {text}")
            else:
                click.echo(text)
            sys.stdout.flush()


def once(client: Client, run_id: str, task: str | None, wanted: Wanted, printer: Printer) -> None:
    """The logs as they are now, one step after the other."""
    tree = Tree(client.tasks(run_id))
    nodes = choose.steps(tree, task) if task else list(tree.steps())
    begun = [node for node in nodes if node.task.attempts]
    if not begun:
        click.echo(_nothing(nodes), err=True)
        return
    for node in begun:
        if len(begun) > 1:
            printer.title(f"{node.task.path}  {words.look(node.shown_state).word}")
        _print(client, node, wanted, printer, follow=False)


def follow(client: Client, run_id: str, task: str | None, wanted: Wanted, printer: Printer) -> None:
    """The logs as they grow, of steps that run and of those to come, until the run has ended."""
    tree = Tree()
    threads: dict[str, threading.Thread] = {}
    printer.named = task is None
    for news in Follower(client, run_id, again=lambda: client, tick_s=_TICK_S):
        for changed in news.tasks:
            tree.put(changed)
        for node in _among(tree, task):
            last = wanted.attempt or len(node.task.attempts)
            key = f"{node.task.id}/{last}"
            if not node.task.attempts or key in threads:
                continue
            printer.named = printer.named or bool(threads)
            chosen = wanted._replace(attempt=last)
            threads[key] = threading.Thread(target=_print, args=(client, node, chosen, printer), daemon=True)
            threads[key].start()
        if task and threads and not any(thread.is_alive() for thread in threads.values()) and _all_ended(tree, task):
            return
    for thread in threads.values():
        thread.join()


def _among(tree: Tree, task: str | None) -> Iterable[Node]:
    if task is None:
        return tree.steps()
    try:
        return choose.steps(tree, task)
    except NotFound:
        return ()  # it may yet come: loops and branches make their tasks as they go


def _all_ended(tree: Tree, task: str) -> bool:
    return all(node.ended for node in _among(tree, task))


def _print(client: Client, node: Node, wanted: Wanted, printer: Printer, follow: bool = True) -> None:
    try:
        for line in _lines(
            client.log(node.task.id, attempt=wanted.attempt, follow=follow, timestamps=wanted.timestamps)
        ):
            printer.line(node.task.path, line)
    except LodestepError as error:
        printer.line(node.task.path, f"(no log: {error.message})")


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _nothing(nodes: list[Node]) -> str:
    if not nodes:
        return "no step of this run has begun"
    node = nodes[0]
    if node.task.cached_from:
        return f"{node.task.path}: taken from the cache, so nothing ran and nothing was written"
    why = words.skip_words(node.task.skip) if node.task.skip else node.task.reason
    return f"{node.task.path}: {words.look(node.task.state).word}, not begun{f' ({why})' if why else ''}"
