"""Times, sizes, values and states as a person reads them. Pure."""

import json
from datetime import datetime
from typing import Any, NamedTuple

_KIB = 1024


class Look(NamedTuple):
    """How a state is shown: a symbol, one for terminals without Unicode, and a style."""

    symbol: str
    plain: str
    style: str
    word: str


_LOOKS = {
    "SUCCEEDED": Look("✓", "+", "green", "succeeded"),
    "CACHED": Look("↺", "=", "green", "taken from the cache"),
    "FAILED": Look("✗", "x", "bold red", "failed"),
    "RUNNING": Look("●", ">", "cyan", "running"),
    "PENDING": Look("◔", "~", "yellow", "pending"),
    "WAITING": Look("○", ".", "dim", "waiting"),
    "SKIPPED": Look("⊘", "-", "dim", "skipped"),
    "CANCELED": Look("■", "#", "magenta", "cancelled"),
    "CANCELING": Look("■", "#", "magenta", "being cancelled"),
    "PAUSED": Look("‖", "|", "yellow", "paused"),
}
_UNKNOWN = Look("?", "?", "dim", "unknown")
_SKIPS = {
    "condition_false": "condition false",
    "upstream_not_run": "upstream did not run",
    "upstream_failed": "upstream failed",
    "run_ended": "run ended before",
}


def look(state: str) -> Look:
    return _LOOKS.get(state, _UNKNOWN)


def skip_words(skip: str) -> str:
    return _SKIPS.get(skip, skip.replace("_", " "))


def duration(seconds: float) -> str:
    """`0.34 s`, `12.1 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`."""
    if seconds < 10:
        return f"{max(seconds, 0):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def span(started_ms: int, ended_ms: int, now_ms: int) -> str:
    """How long something took, or has taken so far ("" if it has not begun)."""
    return duration(((ended_ms or now_ms) - started_ms) / 1000) if started_ms else ""


def ago(seconds: float) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`."""
    if seconds < 45:
        return "just now"
    if seconds < 3600:
        return f"{max(round(seconds / 60), 1)} min ago"
    if seconds < 86400:
        return f"{round(seconds / 3600)} h ago"
    return f"{round(seconds / 86400)} d ago"


def size(count: float) -> str:
    """`831 B`, `12.4 KiB`, `3.0 MiB`."""
    if count < _KIB:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= _KIB
        if count < _KIB:
            return f"{count:.1f} {unit}"
    return f"{count / _KIB:.1f} TiB"


def value(thing: Any, *, width: int = 80) -> str:
    """A parameter's value on one line, cut to `width`."""
    text = thing if isinstance(thing, str) else json.dumps(thing, ensure_ascii=False)
    text = text.replace("\n", "⏎")
    return text if len(text) <= width else text[: width - 1] + "…"


def number(thing: float) -> str:
    """A metric: four significant places, no exponent where that is avoidable."""
    if isinstance(thing, bool) or (isinstance(thing, float) and thing != thing):
        return str(thing)
    if isinstance(thing, int) or float(thing).is_integer():
        return str(int(thing)) if abs(thing) < 1e15 else f"{thing:.4g}"
    return f"{thing:.4f}" if 1e-3 <= abs(thing) < 1e6 else f"{thing:.4g}"


def clock(at_ms: int) -> str:
    """The local time of day, for lines of progress."""
    return f"{datetime.fromtimestamp(at_ms / 1000).astimezone():%H:%M:%S}" if at_ms else "--:--:--"


def moment_ms(rfc3339: str) -> int:
    """Wall milliseconds of a timestamp of the API; 0 for none, which the API writes as the epoch."""
    if not rfc3339:
        return 0
    return int(datetime.fromisoformat(rfc3339).timestamp() * 1000)


def count(number: int, noun: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short_id(run_id: str) -> str:
    """Enough of an id for people to type it."""
    return run_id[:8]
