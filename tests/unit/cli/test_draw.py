"""The tree on a terminal."""

from rich.text import Text

from lodestep.cli import draw
from lodestep.cli.tree import Tree
from lodestep.cli.wire import Attempt, Run, Task
from tests.unit.cli.made import T0, failure, loop, outputs, root, task

NOW = T0 + 3_000


def _drawn(*tasks: Task, style: draw.Style = draw.PLAIN, height: int = 0) -> list[str]:
    return [line.plain.rstrip() for line in draw.lines(Tree([root(), *tasks]), NOW, style, height=height)]


def test_a_tree_reads_as_a_tree() -> None:
    lines = _drawn(
        task("load", outputs=outputs(Output=178)),
        task("split", cached_from="another"),
        task("train", state="RUNNING"),
        task("report", state="WAITING"),
    )
    assert lines == [
        "  ├─ ✓ load    1.20 s  → 178",
        "  ├─ ↺ split   1.20 s  cached",
        "  ├─ ● train   3.00 s",
        "  └─ ○ report",
    ]


def test_terminals_without_unicode_get_ascii() -> None:
    lines = _drawn(task("a"), *loop("loop", ["SUCCEEDED", "FAILED"]), style=draw.Style(unicode=False))
    assert all(line.isascii() for line in lines)


def test_a_long_loop_shows_its_bar_and_what_one_would_look_for() -> None:
    lines = _drawn(*loop("loop", ["SUCCEEDED"] * 96 + ["FAILED"] * 2 + ["RUNNING"] * 2))
    assert lines[0].startswith("  └─ ● loop")
    assert "98/100  2 failed  2 running" in lines[0]
    assert [line.strip(" ├└─│").split()[1] for line in lines[1:-1]] == ["[96]", "[97]", "[98]", "[99]"]
    assert lines[-1].endswith("96 other iterations")


def test_a_loop_that_went_well_is_one_line_and_its_bar_is_full() -> None:
    (line,) = _drawn(*loop("loop", ["SUCCEEDED"] * 100))
    assert "━" * 20 + " 100/100" in line


def test_all_shows_every_iteration() -> None:
    assert len(_drawn(*loop("loop", ["SUCCEEDED"] * 100), style=draw.Style(all=True))) == 101


def test_an_empty_loop_is_whole() -> None:
    (line,) = _drawn(*loop("loop", []))
    assert "0/0" in line


def test_failures_retries_and_skips_say_why() -> None:
    lines = _drawn(
        task("a", state="FAILED", failure=failure("exit code 3"), attempts=[Attempt(number=1), Attempt(number=2)]),
        task("b", state="SKIPPED", skip="condition_false"),
        task("c", state="PENDING", reason="tried again in 4 s"),
    )
    assert any("✗ a" in line and "2 attempts  exit code 3" in line for line in lines)
    assert any("⊘ b" in line and "condition false" in line for line in lines)
    assert any("◔ c" in line and "tried again in 4 s" in line for line in lines)


def test_a_low_window_folds_what_went_well_then_counts_what_it_leaves_out() -> None:
    group = [task("group", kind="dag"), *(task(f"group/step-{number}") for number in range(10))]
    rest = [task(f"later-{number}", state="WAITING") for number in range(3)]
    assert len(_drawn(*group, *rest, height=5)) == 4
    lines = _drawn(*group, *rest, height=3)
    assert len(lines) == 3
    assert lines[0] == "  … 2 more lines above: make the window higher"
    assert lines[-1].endswith("later-2")


def test_the_spinner_turns() -> None:
    shown = {_drawn(task("a", state="RUNNING"), style=draw.Style(frame=frame))[0] for frame in range(10)}
    assert len(shown) == 10


def test_a_bar_never_exceeds_its_width() -> None:
    for done in range(8):
        for failed in range(done + 1):
            assert len(draw.bar(done, 7, draw.PLAIN, failed=failed).plain) == 20


def test_a_single_failure_among_thousands_is_seen_in_the_bar() -> None:
    text: Text = draw.bar(10_000, 10_000, draw.PLAIN, failed=1)
    assert any(span.style == "red" and span.end > span.start for span in text.spans)


def test_heading_counts_steps() -> None:
    run = Run("3f2a91bc-0000", "wine", "RUNNING", created_at="2023-11-14T22:13:20Z")
    tree = Tree([root(), task("a"), task("b", state="RUNNING")])
    assert draw.heading(run, tree, NOW).plain == "● wine  3f2a91bc  running  3.00 s  1 of 2 steps"


def test_markup_in_names_and_values_is_text() -> None:
    (line,) = _drawn(task("a", display_name="[red]x", outputs=outputs(Output="[bold]y[/bold]")))
    assert "[red]x" in line
    assert "[bold]y[/bold]" in line
