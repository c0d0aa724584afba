"""Why it failed, for a person: the failure card. Also as plain lines, where there is no terminal."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from lodestep.cli import words
from lodestep.cli.wire import Attempt, Failure, Task

_DETAIL_LINES = 12


def failure_card(task: Task, run_id: str) -> RenderableType:
    failure = task.failure or Failure(message="failed")
    title = Text(f"{task.path or 'the run'} failed", style="bold red")
    if len(task.attempts) > 1:
        title.append(f" after {words.count(len(task.attempts), 'attempt')}", style="red")
    parts: list[RenderableType] = [Text(failure.message, style="bold")]
    if detail := detail_lines(failure):
        parts += [Text(), *(Text(line, style="dim", overflow="fold") for line in detail)]
    parts.append(Text())
    if failure.hint:
        parts.append(Text.assemble(("hint   ", "yellow"), failure.hint))
    parts += [Text.assemble((label.ljust(7), "cyan"), text) for label, text in next_steps(task, run_id)]
    return Panel(Group(*parts), title=title, title_align="left", border_style="red", padding=(1, 2))


def failure_lines(task: Task, run_id: str) -> list[str]:
    """The same without a box."""
    failure = task.failure or Failure(message="failed")
    lines = [f"{task.path or 'the run'} failed: {failure.message}"]
    lines += [f"    {line}" for line in detail_lines(failure)]
    if failure.hint:
        lines.append(f"  hint: {failure.hint}")
    return lines + [f"  {label}: {text}" for label, text in next_steps(task, run_id)]


def detail_lines(failure: Failure) -> list[str]:
    """The end of the traceback or of the log, without the line that is the message already."""
    lines = failure.detail.rstrip().splitlines()
    if lines and lines[-1].strip() == failure.message.strip():
        lines.pop()
    left_out = len(lines) - _DETAIL_LINES
    return lines if left_out <= 0 else [f"… {words.count(left_out, 'line')} before", *lines[-_DETAIL_LINES:]]


def next_steps(task: Task, run_id: str) -> list[tuple[str, str]]:
    """How to see more and how to go on."""
    run = words.short_id(run_id)
    steps = [("used", used)] if (used := _usage(task)) else []
    if task.attempts:
        steps.append(("log", f"lodestep logs {run} {_quoted(task.path)}"))
    return [*steps, ("retry", f"lodestep retry {run}")]


def _usage(task: Task) -> str:
    if not task.attempts:
        return ""
    last: Attempt = task.attempts[-1]
    used = last.usage
    if not used.max_rss_bytes and not used.cpu_s:
        return ""
    memory, cpu, wall = words.size(used.max_rss_bytes), words.duration(used.cpu_s), words.duration(used.wall_s)
    return f"{memory} of memory, {cpu} of CPU in {wall}"


def _quoted(path: str) -> str:
    return f"'{path}'" if "[" in path else path
