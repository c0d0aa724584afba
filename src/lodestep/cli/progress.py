"""The progress of a run on a terminal, or line by line where there is none."""

import time
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lodestep.cli import draw, words
from lodestep.cli.follow import News
from lodestep.cli.tree import GROUPS, Tree
from lodestep.cli.wire import Run, Task

TICK_S = 0.1


class View(Protocol):
    """Shows the news of a run. `update` is called on every tick."""

    def __enter__(self) -> "View": ...
    def __exit__(self, *error: object) -> None: ...
    def update(self, news: News) -> None: ...


class TreeView:
    """The tree, redrawn in place. What it leaves on the screen is its last state, whole."""

    def __init__(self, console: Console, run: Run, tree: Tree) -> None:
        self._console = console
        self._run = run
        self._tree = tree
        self._frame = 0
        self._unicode = draw.speaks_unicode(console)
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> "TreeView":
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.update(Text(""), refresh=True)
        self._live.__exit__(None, None, None)
        self._console.print(self._drawn(draw.Style(unicode=self._unicode), height=0))

    def update(self, news: News) -> None:
        self._run = news.run or self._run
        for task in news.tasks:
            self._tree.put(task)
        self._frame += 1
        style = draw.Style(unicode=self._unicode, frame=self._frame)
        height = max(self._console.size.height - 5, 4)
        self._live.update(self._drawn(style, height=height), refresh=True)

    def _drawn(self, style: draw.Style, *, height: int) -> Group:
        now_ms = _now_ms()
        body = draw.lines(self._tree, now_ms, style, height=height)
        return Group(draw.heading(self._run, self._tree, now_ms, style), *body)


class LineView:
    """One line for each change, for logs of other systems and for people who pipe."""

    def __init__(self, console: Console, tree: Tree) -> None:
        self._console = console
        self._tree = tree
        self._state = ""

    def __enter__(self) -> "LineView":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, news: News) -> None:
        for task in sorted(news.tasks, key=lambda task: task.ended_ms or task.started_ms):
            if task.path and self._tree.put(task) != task.state and task.state not in ("WAITING", "PENDING"):
                self._console.print(_line(task), soft_wrap=True)
            elif not task.path:
                self._tree.put(task)
        if news.run and news.run.state != self._state:
            self._state = news.run.state
            line = f"{words.clock(_now_ms())}  {self._state:<10} run {news.run.display_name}"
            self._console.print(line, soft_wrap=True)


def _line(task: Task) -> str:
    at_ms = task.ended_ms or task.started_ms or _now_ms()
    state = "CACHED" if task.cached_from and task.state == "SUCCEEDED" else task.state
    line = f"{words.clock(at_ms)}  {state:<10} {task.path}"
    if task.ended_ms and task.started_ms and task.state != "SKIPPED":
        line += f"  {words.span(task.started_ms, task.ended_ms, 0)}"
    if task.state == "SKIPPED":
        line += f"  {words.skip_words(task.skip) if task.skip else task.reason}"
    if task.failure and task.kind not in GROUPS:
        line += f"  {words.value(task.failure.message, width=200)}"
    return line


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
