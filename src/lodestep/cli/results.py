"""What came out of a run: the pipeline's outputs, metrics side by side, confusion matrices, artifacts."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from lodestep.cli import words
from lodestep.cli.tree import Tree
from lodestep.cli.wire import Artifact, Task, Value

_METRICS = "system.Metrics"
_CLASSIFICATION = "system.ClassificationMetrics"
_FILELESS = (_METRICS, _CLASSIFICATION)  # their metadata is all of them, and is shown as tables
_MOST_ROWS = 12


class Made(NamedTuple):
    task: Task
    key: str
    artifact: Artifact


def made(tree: Tree) -> list[Made]:
    """Every artifact that a step of the run made, in the order of the steps."""
    return [
        Made(node.task, key, artifact)
        for node in tree.steps()
        for key, artifacts in node.task.outputs.artifacts.items()
        for artifact in artifacts
    ]


def show(console: Console, tree: Tree, *, limit: int = _MOST_ROWS) -> None:
    """Print all of it; nothing where there is nothing."""
    for renderable in _all(tree, limit):
        console.print()
        console.print(renderable)


def _all(tree: Tree, limit: int) -> Iterator[RenderableType]:
    things = made(tree)
    if tree.root and tree.root.task.outputs.parameters:
        yield outputs_table(tree.root.task)
    if table := metrics_table(things, limit):
        yield table
    for thing in [thing for thing in things if thing.artifact.type == _CLASSIFICATION][:limit]:
        if matrix := confusion_matrix(thing):
            yield matrix
    if files := [thing for thing in things if thing.artifact.type not in _FILELESS]:
        yield artifacts_table(files, limit)


def outputs_table(task: Task) -> Table:
    table = _table("Outputs")
    table.add_column("name", style="cyan")
    table.add_column("value", overflow="fold")
    for key, value in task.outputs.parameters.items():
        table.add_row(key, words.value(value, width=400))
    return table


def metrics_table(things: list[Made], limit: int = _MOST_ROWS) -> Table | None:
    """One row a step, one column a metric, so that models stand side by side."""
    metrics = [thing for thing in things if thing.artifact.type == _METRICS]
    rows = [(thing, scores) for thing in metrics if (scores := _scores(thing.artifact))]
    if not rows:
        return None
    columns = list(dict.fromkeys(key for _, scores in rows for key in scores))[:8]
    table = _table("Metrics")
    table.add_column("task", style="cyan")
    for column in columns:
        table.add_column(column, justify="right")
    for thing, scores in rows[:limit]:
        table.add_row(_where(thing.task), *(words.number(scores[c]) if c in scores else "" for c in columns))
    return _with_note(table, len(rows) - limit)


def confusion_matrix(thing: Made) -> Table | None:
    """Rows are the true classes, columns the predicted ones. None where the metadata hold none that can be read."""
    matrix: Value = thing.artifact.metadata.get("confusionMatrix")
    try:
        labels = [str(spec["displayName"]) for spec in matrix["annotationSpecs"]]
        rows = [[float(cell) for cell in row["row"]] for row in matrix["rows"]]
    except (TypeError, KeyError, ValueError):
        return None
    table = _table(f"Confusion matrix of {_where(thing.task)}")
    table.add_column("true \\ predicted", style="cyan")
    for label in labels:
        table.add_column(label, justify="right")
    most = max((cell for row in rows for cell in row), default=0)
    for place, (label, row) in enumerate(zip(labels, rows, strict=False)):
        table.add_row(label, *(_cell(cell, most, right=column == place) for column, cell in enumerate(row)))
    return table


def artifacts_table(things: list[Made], limit: int = _MOST_ROWS) -> Table:
    table = _table("Artifacts")
    table.add_column("task", style="cyan")
    table.add_column("name")
    table.add_column("type", style="dim")
    table.add_column("size", justify="right")
    table.add_column("where", style="dim", overflow="fold")
    for thing in things[:limit]:
        artifact = thing.artifact
        size = words.size(artifact.size) if artifact.size >= 0 else ""
        kind = artifact.type.removeprefix("system.")
        table.add_row(_where(thing.task), thing.key, kind, size, place(artifact.uri) if size else "")
    return _with_note(table, len(things) - limit)


def place(uri: str) -> str:
    """The path of a local artifact, else its URI."""
    return unquote(urlsplit(uri).path) if uri.startswith("file://") else uri


def _scores(artifact: Artifact) -> dict[str, float]:
    return {key: value for key, value in artifact.metadata.items() if _is_number(value)}


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(cell: float, most: float, *, right: bool) -> Text:
    if not cell:
        return Text("·", style="dim")
    shade = "bold " if most and cell / most > 0.5 else ""
    return Text(words.number(cell), style=shade + ("green" if right else "red"))


def _where(task: Task) -> str:
    return task.path or "(run)"


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )


def _with_note(table: Table, left_out: int) -> Table:
    if left_out > 0:
        table.caption = f"… and {left_out} more; all of them: --json"
        table.caption_justify = "left"
    return table
