"""Time. The only module that reads a clock; everything else is handed a `Clock`.

Wall time is whole milliseconds since the epoch, UTC, as an int (`at_ms`). Durations are seconds as floats (`_s`) and
are measured with the monotonic clock only, so that a clock that jumps shortens or stretches nothing.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

_FIRST_MS = -62_135_596_800_000  # the year 1
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


class Clock(Protocol):
    def now_ms(self) -> int: ...
    def monotonic_s(self) -> float: ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to. For tests and for the simulator."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._wall_ms = start_ms
        self._mono_s = 0.0

    def now_ms(self) -> int:
        return self._wall_ms

    def monotonic_s(self) -> float:
        return self._mono_s

    def advance(self, seconds: float) -> None:
        self._wall_ms += int(seconds * 1000)
        self._mono_s += seconds


@lru_cache(4096)  # what is shown together happened together
def rfc3339(at_ms: int) -> str:
    """`2026-01-02T03:04:05Z`, with milliseconds only where there are some, as the reference prints timestamps.

    What lies outside of the years that this can say, as a damaged row may, is the first or the last moment of them.
    """
    at_ms = min(max(at_ms, _FIRST_MS), _LAST_MS)
    fraction = f".{at_ms % 1000:03d}" if at_ms % 1000 else ""
    return f"{_second(at_ms // 1000)}{fraction}Z"


@lru_cache(1024)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None).isoformat()
