"""Macros in the string parameters of runs and of recurring runs, replaced when a run is created.

`[[RunUUID]]`, `[[Index]]`, `[[ScheduledTime]]` and `[[CurrentTime]]` (as 20260131235959), the two times with a layout
(`[[CurrentTime.2006-01-02]]`) or in the form `{{$.scheduledTime.strftime('%Y-%m-%d')}}`. Times are whole seconds, UTC.

One pass: what a macro stands for is never looked at again. A macro that has no meaning here (the index of a run that no
schedule made), an unknown one, and one with a letter that strftime does not have stay as they are.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from lodestep.lang import timetext

# The length of a format is bounded so that a text of many beginnings and no end costs no more than its length.
_MACRO = re.compile(
    r"\[\[(?:(?P<word>RunUUID|Index)|(?P<time>ScheduledTime|CurrentTime)(?:\.(?P<layout>(?:(?!\]\])[^\n]){0,200}))?)\]\]"
    r"|\{\{\$\.(?P<moment>scheduledTime|currentTime)\.strftime\('(?P<format>(?:(?!'\)\}\})[^\n]){0,200})'\)\}\}"
)
_DEFAULT_LAYOUT = "20060102150405"


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What macros stand for. A run that no schedule made has neither `scheduled_ms` nor `index`."""

    run_id: str
    now_ms: int
    scheduled_ms: int | None = None
    index: int | None = None


def expand(text: str, *, run_id: str, now_ms: int, scheduled_ms: int | None = None, index: int | None = None) -> str:
    """`text` with every macro replaced."""
    return _expanded(text, Meaning(run_id=run_id, now_ms=now_ms, scheduled_ms=scheduled_ms, index=index))


def expand_value(value: Any, meaning: Meaning) -> Any:
    """A JSON value with the macros inside its strings replaced, at any depth; keys stay."""
    match value:
        case str():
            return _expanded(value, meaning)
        case list():
            return [expand_value(item, meaning) for item in value]
        case dict():
            return {key: expand_value(item, meaning) for key, item in value.items()}
        case _:
            return value


def _expanded(text: str, meaning: Meaning) -> str:
    if "[[" not in text and "{{$." not in text:
        return text
    return _MACRO.sub(lambda macro: _stands_for(macro, meaning), text)


def _stands_for(macro: re.Match[str], meaning: Meaning) -> str:
    match macro["word"]:
        case "RunUUID":
            return meaning.run_id or macro[0]
        case "Index":
            return macro[0] if meaning.index is None else str(meaning.index)
        case _:
            scheduled = (macro["time"] or macro["moment"]).startswith(("S", "s"))
            at_ms = meaning.scheduled_ms if scheduled else meaning.now_ms
    if at_ms is None:
        return macro[0]
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    if macro["moment"]:
        shown = timetext.strftime(moment, macro["format"])
        return macro[0] if shown is None else shown
    return timetext.layout(moment, _DEFAULT_LAYOUT if macro["layout"] is None else macro["layout"])
