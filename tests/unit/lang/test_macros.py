"""Macros: what each stands for, in one pass, and layouts and strftime letters against independent answers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestep.lang import macros, timetext

AT = datetime(2021, 1, 2, 15, 4, 5, tzinfo=UTC)
AT_MS = int(AT.timestamp()) * 1000
SCHEDULED_MS = 25_000
MEANING = macros.Meaning(run_id="some-run-uuid", now_ms=26_999, scheduled_ms=SCHEDULED_MS, index=27)


def expanded(text: str) -> str:
    return macros.expand(text, run_id="some-run-uuid", now_ms=26_999, scheduled_ms=SCHEDULED_MS, index=27)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FOO [[RunUUID]] FOO", "FOO some-run-uuid FOO"),
        ("FOO [[ScheduledTime]] FOO", "FOO 19700101000025 FOO"),
        ("FOO [[CurrentTime]] FOO", "FOO 19700101000026 FOO"),
        ("FOO [[Index]] FOO", "FOO 27 FOO"),
        ("FOO [[ScheduledTime.15-04-05]] FOO", "FOO 00-00-25 FOO"),
        ("FOO [[CurrentTime.15-04-05]] FOO", "FOO 00-00-26 FOO"),
        ("[[ScheduledTime]] [[RunUUID]] [[ScheduledTime]] [[Index]]", "19700101000025 some-run-uuid 19700101000025 27"),
        ("FOO {{$.scheduledTime.strftime('%Y-%m-%d %H:%M:%S')}} FOO", "FOO 1970-01-01 00:00:25 FOO"),
        ("FOO {{$.currentTime.strftime('%s')}} FOO", "FOO 26 FOO"),
        ("", ""),
        ("FOO FOO FOO", "FOO FOO FOO"),
        ("[[UnknownExpression]]", "[[UnknownExpression]]"),
        ("[[runuuid]] [[RunUUID] ] [RunUUID]", "[[runuuid]] [[RunUUID] ] [RunUUID]"),
        ("{{$.inputs.parameters['n']}}", "{{$.inputs.parameters['n']}}"),
        ("{{$.scheduledTime.strftime('%Q')}}", "{{$.scheduledTime.strftime('%Q')}}"),
        ("[[[[Index]]]]", "[[27]]"),
        ("[[ScheduledTime.]]", ""),
    ],
)
def test_each_macro(text: str, expected: str) -> None:
    assert expanded(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[[ScheduledTime]]",
        "[[Index]]",
        "[[ScheduledTime.2006-01-02]]",
        "{{$.scheduledTime.strftime('%Y')}}",
    ],
)
def test_macros_of_schedules_stay_in_other_runs(text: str) -> None:
    assert macros.expand(f"{text} [[RunUUID]]", run_id="r", now_ms=AT_MS) == f"{text} r"


def test_a_run_id_that_looks_like_a_macro_stays_data() -> None:
    assert macros.expand("[[RunUUID]]-[[Index]]", run_id="[[Index]]", now_ms=0, index=3) == "[[Index]]-3"


def test_values_at_any_depth_but_no_keys() -> None:
    value = {
        "[[Index]]": ["[[Index]]", {"time": "[[ScheduledTime]]", "run": "[[RunUUID]]"}],
        "n": 42,
        "b": True,
        "x": None,
    }
    assert macros.expand_value(value, MEANING) == {
        "[[Index]]": ["27", {"time": "19700101000025", "run": "some-run-uuid"}],
        "n": 42,
        "b": True,
        "x": None,
    }


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("20060102150405", "20210102150405"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Saturday, 02-Jan-21 15:04:05 UTC"),
        ("Mon Jan _2 3:04PM pm", "Sat Jan  2 3:04PM pm"),
        ("2006-01-02T15:04:05Z07:00", "2021-01-02T15:04:05Z"),
        ("2006-01-02T15:04:05-07:00", "2021-01-02T15:04:05+00:00"),
        ("-0700 -07 -070000 -07:00:00 Z0700 Z07", "+0000 +00 +000000 +00:00:00 Z Z"),
        ("15:04:05.000 15:04:05.999 15:04:05,00", "15:04:05.000 15:04:05 15:04:05,00"),
        ("002 __2 1/2 03 4 5", "002   2 1/2 03 4 5"),
        ("_2006 10 Janitor Monk", "_2021 10 Janitor Monk"),
        ("plain words", "plain words"),
    ],
)
def test_layouts_by_example(example: str, expected: str) -> None:
    assert timetext.layout(AT, example) == expected


SAME_AS_C = "A a B b C D d e F H h I j k l M m n p R S T t U u V W w Y y %"


@given(st.integers(0, 4_000_000_000), st.sampled_from(SAME_AS_C.split()))
def test_letters_agree_with_the_platform_where_both_know_them(seconds: int, letter: str) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert timetext.strftime(at, f"<%{letter}>") == at.strftime(f"<%{letter}>")


@pytest.mark.parametrize("format", ["%", "%%%", "%Q", "ok %q", "%d%"])
def test_an_unknown_letter_is_refused(format: str) -> None:
    assert timetext.strftime(AT, format) is None


def test_the_other_letters() -> None:
    written = timetext.strftime(AT, "%c|%r|%v|%X|%x|%Z|%z|%s")
    assert written == f"Sat Jan  2 15:04:05 2021|03:04:05 PM| 2-Jan-2021|15:04:05|01/02/21|UTC|+0000|{AT_MS // 1000}"


@given(st.text(st.sampled_from("[]{}$.'Index RunUUIDScheduledTime strftime(%Y)0123456789\n")))
def test_any_text_is_answered(text: str) -> None:
    assert isinstance(expanded(text), str)


@pytest.mark.parametrize("beginning", ["[[CurrentTime.", "{{$.currentTime.strftime('", "[["])
@pytest.mark.timeout(20)
def test_many_beginnings_without_an_end_cost_no_more_than_their_length(beginning: str) -> None:
    text = beginning * 50_000
    assert expanded(text) == text
