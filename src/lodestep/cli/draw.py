"""A tree of tasks as lines for a terminal. Knows rich, but no server and no clock: `now_ms` is handed in.

What grows is cut with words: a loop is one line with a bar and shows of its iterations those that a person would look
for; when the screen is too low for all, groups that went well fold into their own line.
"""

from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from lodestep.cli import words
from lodestep.cli.tree import Node, Tree
from lodestep.cli.wire import RUN_ENDED, Run, Task

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_SPINNER = "|/-\\"
_BAR_WIDTH = 20
_ALL_ITERATIONS = 4  # a loop of so many is shown whole
_SOME = 3  # of longer ones: so many that failed, and so many that run
_NAME_COLUMN = 46


class Style(NamedTuple):
    """How to draw: `frame` turns the spinner, `fold` closes groups that went well, `all` hides none."""

    unicode: bool = True
    frame: int = -1
    fold: bool = False
    all: bool = False
    inputs: bool = False


PLAIN = Style()


class Row(NamedTuple):
    left: Text
    right: Text


def speaks_unicode(console: Console) -> bool:
    return console.encoding.lower().replace("-", "").startswith("utf")


def heading(run: Run, tree: Tree, now_ms: int, style: Style = PLAIN) -> Text:
    """`✓ wine  3f2a91bc  succeeded  12.3 s   7 of 12 steps`."""
    look = words.look(run.state)
    text = Text(no_wrap=True, overflow="ellipsis").append_text(symbol(run.state, style))
    text.append(f" {run.display_name or run.pipeline_name}", style="bold")
    text.append(f"  {words.short_id(run.run_id)}", style="dim")
    text.append(f"  {look.word}", style=look.style)
    ended_ms = words.moment_ms(run.finished_at) if run.state in RUN_ENDED else 0
    if took := words.span(words.moment_ms(run.created_at), ended_ms, now_ms):
        text.append(f"  {took}", style="dim")
    done, total = tree.steps_ended, tree.steps_known
    if total:
        text.append(f"  {words.count(done, 'step')}" if done == total else f"  {done} of {total} steps", style="dim")
    return text


def parameters(run: Run) -> Text:
    """What the run was given."""
    shown = "  ".join(f"{key}={words.value(value, width=40)}" for key, value in run.parameters.items())
    return Text(f"  {shown}", style="dim", no_wrap=True, overflow="ellipsis")


def lines(tree: Tree, now_ms: int, style: Style = PLAIN, *, height: int = 0) -> list[Text]:
    """The tree, one line a task. With `height`, at most so many lines: groups fold first, then the rest is counted."""
    if tree.root is None:
        return []
    rows = _below(tree.root, "", now_ms, style)
    if height and len(rows) > height and not style.fold:
        rows = _below(tree.root, "", now_ms, style._replace(fold=True))
    left_out = 0
    if height and len(rows) > height:
        left_out = len(rows) - height + 1
        rows = _most_telling(rows, height - 1)
    shown = _in_columns(rows)
    if left_out:
        shown.insert(0, Text(f"  … {words.count(left_out, 'more line')} above: make the window higher", style="dim"))
    return shown


def symbol(state: str, style: Style) -> Text:
    look = words.look(state)
    if state == "RUNNING" and style.frame >= 0:
        frames = SPINNER if style.unicode else _PLAIN_SPINNER
        return Text(frames[style.frame % len(frames)], style=look.style)
    return Text(look.symbol if style.unicode else look.plain, style=look.style)


def bar(done: int, total: int, style: Style, *, failed: int = 0) -> Text:
    """`━━━━━━━━━━╸─────────`, the failed part in red."""
    full, empty = ("━", "─") if style.unicode else ("=", "-")
    filled = _BAR_WIDTH if total == 0 else _BAR_WIDTH * done // total
    red = 0 if not failed or not total else min(max(_BAR_WIDTH * failed // total, 1), filled)
    text = Text().append(full * (filled - red), style="green" if done == total else "cyan")
    text.append(full * red, style="red")
    text.append(empty * (_BAR_WIDTH - filled), style="dim")
    return text


def _below(parent: Node, indent: str, now_ms: int, style: Style) -> list[Row]:
    children, note = _chosen(parent, style)
    fork, last, bar_, gap = ("├─ ", "└─ ", "│  ", "   ") if style.unicode else ("|- ", "`- ", "|  ", "   ")
    rows: list[Row] = []
    for place, node in enumerate(children, start=1):
        ends = place == len(children) and not note
        label = name(node.task)
        if node.task.kind == "iteration" and len(node.children) == 1:  # its one task says all there is
            node = next(iter(node.children.values()))
            label = f"{label} {name(node.task)}"
        rows.append(_row(node, label, indent + (last if ends else fork), now_ms, style))
        if style.inputs and not node.is_group:
            rows.extend(_given(node.task, indent + (gap if ends else bar_)))
        if node.children and not (style.fold and _went_well(node)):
            rows.extend(_below(node, indent + (gap if ends else bar_), now_ms, style))
    if note:
        rows.append(Row(Text().append(indent + last, style="dim").append(note, style="dim italic"), Text()))
    return rows


def _chosen(parent: Node, style: Style) -> tuple[list[Node], str]:
    """The children to show, and what to say of the others."""
    children = parent.in_order()
    if parent.task.kind != "loop" or style.all or len(children) <= _ALL_ITERATIONS:
        return children, ""
    failed = [node for node in children if node.task.state == "FAILED"][:_SOME]
    active = [node for node in children if node.task.state == "RUNNING"][:_SOME]
    chosen = sorted([*failed, *active], key=lambda node: node.task.iteration or 0)
    hidden = len(children) - len(chosen)
    return chosen, f"{words.count(hidden, 'other iteration')}" if chosen and hidden else ""


def _given(task: Task, indent: str) -> list[Row]:
    lines = [f"{key} = {words.value(value)}" for key, value in task.inputs.parameters.items()]
    for key, artifacts in task.inputs.artifacts.items():
        lines += [f"{key} ← {artifact.name or artifact.uri}" for artifact in artifacts]
    return [Row(Text(f"{indent}  {line}", style="dim"), Text()) for line in lines]


def _went_well(node: Node) -> bool:
    return node.is_group and node.task.state in ("SUCCEEDED", "SKIPPED")


def _row(node: Node, label: str, guide: str, now_ms: int, style: Style) -> Row:
    task = node.task
    state = node.shown_state
    left = Text().append(guide, style="dim")
    left.append_text(symbol(state, style)).append(" ")
    quiet = state in ("WAITING", "SKIPPED")
    left.append(label, style="dim" if quiet else "bold" if not node.is_group else "")
    right = _loop_words(node, style) if task.kind == "loop" else Text()
    for part in _said(node, now_ms):
        if right.plain:
            right.append("  ")
        right.append_text(part)
    return Row(left, right)


def name(task: Task) -> str:
    if task.kind == "iteration":
        return f"[{task.iteration}]"
    return task.display_name or task.name


def _loop_words(node: Node, style: Style) -> Text:
    total = node.task.iterations
    if total is None:
        return Text()
    states = node.states
    failed = states["FAILED"]
    done = states["SUCCEEDED"] + failed + states["SKIPPED"] + states["CANCELED"]
    text = bar(done, total, style, failed=failed).append(f" {done}/{total}")
    if failed:
        text.append(f"  {failed} failed", style="red")
    if running := states["RUNNING"]:
        text.append(f"  {running} running", style="cyan")
    return text


def _said(node: Node, now_ms: int) -> list[Text]:
    """What stands to the right of a task: how long, which attempt, why, what came out."""
    task = node.task
    took = words.span(task.started_ms, task.ended_ms, now_ms)
    parts = [Text(took, style="dim")] if took and task.state != "SKIPPED" else []
    tries = len(task.attempts)
    if tries > 1:
        parts.append(Text(f"attempt {tries}" if not node.ended else words.count(tries, "attempt"), style="yellow"))
    match node.shown_state:
        case "CACHED":
            parts.append(Text("cached", style="green dim"))
        case "SUCCEEDED" if not node.is_group and task.outputs.parameters:
            parts.append(_outputs(task))
        case "FAILED" if task.failure and not (node.is_group and task.failure.kind == "upstream"):
            parts.append(Text(words.value(task.failure.message, width=70), style="red"))
        case "SKIPPED":
            parts.append(Text(words.skip_words(task.skip) if task.skip else task.reason, style="dim"))
        case "PENDING" if task.reason:
            parts.append(Text(task.reason, style="yellow"))
        case _:
            pass
    return parts


def _outputs(task: Task) -> Text:
    shown = task.outputs.parameters
    if list(shown) == ["Output"]:
        return Text(f"→ {words.value(shown['Output'], width=40)}", style="dim")
    text = ", ".join(f"{key}={words.value(value, width=20)}" for key, value in list(shown.items())[:3])
    return Text(f"→ {text}{' …' if len(shown) > 3 else ''}", style="dim")


def _in_columns(rows: list[Row]) -> list[Text]:
    column = min(max((row.left.cell_len for row in rows), default=0), _NAME_COLUMN)
    shown: list[Text] = []
    for left, right in rows:
        text = Text("  ", no_wrap=True, overflow="ellipsis").append_text(left)
        if right.plain:
            text.append(" " * max(column - left.cell_len, 0) + "  ").append_text(right)
        shown.append(text)
    return shown


def _most_telling(rows: list[Row], room: int) -> list[Row]:
    """The last rows: what runs, waits or failed is at the end, where the eye is."""
    return rows[-room:] if room > 0 else []
