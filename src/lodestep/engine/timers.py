"""The delays that runs asked for: backoff before a retry, deadlines.

Durations run on the event loop's monotonic clock. After a restart a timer is armed anew with what is left of it.
"""

import asyncio
from collections.abc import Callable

from lodestep.clock import Clock
from lodestep.core.commands import StartTimer


class Timers:
    def __init__(self, clock: Clock, fire: Callable[[str, str], None]) -> None:
        """`fire(run_id, timer)` is called on the event loop when a timer is due."""
        self._clock = clock
        self._fire = fire
        self._armed: dict[tuple[str, str], asyncio.TimerHandle] = {}

    def start(self, run_id: str, command: StartTimer, *, restarted: bool = False) -> None:
        delay_s = command.delay_s
        if restarted:
            left_s = (command.fire_at_ms - self._clock.now_ms()) / 1000
            delay_s = min(max(left_s, 0.0), command.delay_s)  # a clock that was set back delays nothing further
        key = (run_id, command.timer)
        self.stop(run_id, command.timer)
        self._armed[key] = asyncio.get_running_loop().call_later(delay_s, self._due, key)

    def stop(self, run_id: str, timer: str) -> None:
        if handle := self._armed.pop((run_id, timer), None):
            handle.cancel()

    def stop_run(self, run_id: str) -> None:
        for key in [key for key in self._armed if key[0] == run_id]:
            self._armed.pop(key).cancel()

    def _due(self, key: tuple[str, str]) -> None:
        self._armed.pop(key, None)
        self._fire(*key)
