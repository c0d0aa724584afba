"""Times, sizes and values as people read them."""

import pytest

from lodestep.cli import words
from lodestep.core.states import RunStatus, SkipReason, TaskStatus


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.00 s"),
        (0.336, "0.34 s"),
        (12.06, "12.1 s"),
        (185, "3 min 05 s"),
        (7620, "2 h 07 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_a_clock_that_went_back_gives_no_negative_duration() -> None:
    assert words.span(5_000, 4_000, 0) == "0.00 s"


def test_a_span_that_has_not_begun_is_empty() -> None:
    assert words.span(0, 0, 99) == ""


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (831, "831 B"), (12_698, "12.4 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes(count: int, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1, "1"),
        (1.0, "1"),
        (0.98765, "0.9877"),
        (0.5, "0.5000"),
        (1e-9, "1e-09"),
        (True, "True"),
        (float("nan"), "nan"),
        (1e300, "1e+300"),
    ],
)
def test_metrics(value: float, said: str) -> None:
    assert words.number(value) == said


def test_values_stay_on_one_line_and_are_cut() -> None:
    assert words.value("a\nb") == "a⏎b"
    assert words.value({"ü": [1]}) == '{"ü": [1]}'
    assert words.value("x" * 100, width=10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "just now"), (50, "1 min ago"), (3_000, "50 min ago"), (7_200, "2 h ago"), (200_000, "2 d ago")],
)
def test_ago(seconds: float, said: str) -> None:
    assert words.ago(seconds) == said


def test_moments_are_milliseconds_and_the_epoch_is_none() -> None:
    assert words.moment_ms("2023-11-14T22:13:20.5Z") == 1_700_000_000_500
    assert words.moment_ms("1970-01-01T00:00:00Z") == 0
    assert words.moment_ms("") == 0


def test_every_state_and_skip_reason_has_a_look_of_its_own() -> None:
    states = {*RunStatus, *TaskStatus}
    assert all(words.look(state).word != "unknown" for state in states)
    assert len({words.look(state).plain for state in TaskStatus}) == len(TaskStatus)
    assert all("_" not in words.skip_words(reason) for reason in SkipReason)
