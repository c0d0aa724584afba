"""What came out of a run, as tables."""

import io

from rich.console import Console

from lodestep.cli import card, results
from lodestep.cli.tree import Tree
from lodestep.cli.wire import Artifact, Attempt, Task, Usage
from tests.unit.cli.made import failure, outputs, root, task

MATRIX = {
    "annotationSpecs": [{"displayName": "barolo"}, {"displayName": "grignolino"}],
    "rows": [{"row": [23, 1]}, {"row": [0.0, 29.0]}],
}


def _printed(*tasks: Task) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False, markup=False)
    results.show(console, Tree([root(), *tasks]))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_metrics_stand_side_by_side() -> None:
    tasks = [
        task(name, outputs=outputs({"m": Artifact(type="system.Metrics", metadata={"f1": score, "note": "text"})}))
        for name, score in (("forest", 0.98765), ("logistic", 1))
    ]
    text = _printed(*tasks)
    assert "note" not in text
    rows = [line.split() for line in text.splitlines()]
    assert ["forest", "0.9877"] in rows
    assert ["logistic", "1"] in rows


def test_confusion_matrix_is_a_table() -> None:
    text = _printed(
        task(
            "t",
            outputs=outputs({"c": Artifact(type="system.ClassificationMetrics", metadata={"confusionMatrix": MATRIX})}),
        )
    )
    rows = [line.split() for line in text.splitlines()]
    assert ["barolo", "23", "1"] in rows
    assert ["grignolino", "·", "29"] in rows


def test_a_broken_matrix_is_left_out() -> None:
    for broken in (None, 7, {}, {"rows": 3, "annotationSpecs": []}, {**MATRIX, "rows": [{"row": ["x"]}]}):
        made = results.Made(task("t"), "c", Artifact(metadata={"confusionMatrix": broken}))
        assert results.confusion_matrix(made) is None


def test_artifacts_say_where_they_are() -> None:
    text = _printed(
        task("t", outputs=outputs({"model": Artifact(type="system.Model", uri="file:///a%20b/model", size=2048)}))
    )
    assert "/a b/model" in text
    assert "2.0 KiB" in text


def test_long_lists_say_what_they_leave_out() -> None:
    tasks = [
        task(f"t{n}", outputs=outputs({"x": Artifact(type="system.Dataset", uri="file:///x", size=1)}))
        for n in range(40)
    ]
    assert "and 28 more" in _printed(*tasks)


def test_nothing_made_prints_nothing() -> None:
    assert _printed(task("t")) == ""


def test_failure_card_leads_on() -> None:
    failed = task(
        "loop[3]/train",
        state="FAILED",
        failure=failure(detail="Traceback:\n" + "  line\n" * 30 + "ValueError: bad wine", hint="look at the data"),
        attempts=[Attempt(number=1), Attempt(number=2, usage=Usage(max_rss_bytes=1 << 20, cpu_s=0.5, wall_s=1))],
    )
    lines = card.failure_lines(failed, "3f2a91bc-1111")
    assert lines[0] == "loop[3]/train failed: ValueError: bad wine"
    assert lines[1] == "    … 19 lines before"
    assert sum("ValueError" in line for line in lines) == 1
    assert "  hint: look at the data" in lines
    assert "  log: lodestep logs 3f2a91bc 'loop[3]/train'" in lines
    assert lines[-1] == "  retry: lodestep retry 3f2a91bc"
    console = Console(file=io.StringIO(), width=100)
    console.print(card.failure_card(failed, "3f2a91bc-1111"))
    assert isinstance(console.file, io.StringIO)
    assert "after 2 attempts" in console.file.getvalue()
