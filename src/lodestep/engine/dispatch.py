"""Attempts on their way to a runner: a queue, a number of places, and who runs now.

Only recorded attempts come here. What a runner reports goes back to the loop as an event; a place is free again as soon
as its attempt has ended, before that end is recorded, so the machine never idles while there is work.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from lodestep import failpoint, log
from lodestep.clock import Clock
from lodestep.core.events import AttemptEnded, AttemptStarted, Event
from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind, Outcome
from lodestep.core.ports import Runner, RunnerEnded, RunnerEvent, RunnerStarted
from lodestep.core.states import AttemptStatus
from lodestep.engine.builtin import Builtin
from lodestep.engine.emulate import CannotLaunch
from lodestep.engine.launching import Launcher

_logger = log.get("dispatch")
# A short step's end arrives before its start would be worth a transaction of its own.
_STARTED_AFTER_S = 0.1


class Place(msgspec.Struct):
    """One attempt that was handed on and has not ended."""

    run_id: str
    task_id: str
    started: asyncio.TimerHandle | None = None


class Waiting(msgspec.Struct, frozen=True):
    run_id: str
    task_id: str
    attempt_id: str


class Dispatch:
    def __init__(
        self,
        *,
        runner: Runner,
        builtin: Builtin,
        launcher: Launcher,
        clock: Clock,
        post: Callable[[str, Event], None],
        places: int,
        grace_s: float,
    ) -> None:
        self._runner = runner
        self._builtin = builtin
        self._launcher = launcher
        self._clock = clock
        self._post = post
        self._places = places
        self._grace_s = grace_s
        self._queue: deque[Waiting] = deque()
        self._taken_back: set[str] = set()
        self._running: dict[str, Place] = {}
        self._doing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def queued(self) -> int:
        return len(self._queue) - len(self._taken_back)

    def launch(self, run_id: str, task_id: str, attempt_id: str) -> None:
        if attempt_id not in self._running:
            self._queue.append(Waiting(run_id, task_id, attempt_id))
            self._fill()

    def cancel(self, run_id: str, task_id: str, attempt_id: str) -> None:
        if attempt_id in self._running:
            failpoint.hit("cancel.before-send")
            self._spawn(self._cancel(attempt_id))
            failpoint.hit("cancel.after-send")
        elif attempt_id not in self._taken_back:
            if any(waiting.attempt_id == attempt_id for waiting in self._queue):
                self._taken_back.add(attempt_id)
            canceled = Outcome(state=AttemptStatus.CANCELED, ended_ms=self._clock.now_ms())
            self._end(run_id, task_id, attempt_id, canceled)

    async def adopt(self, found: list[tuple[str, str, LaunchSpec]]) -> None:
        """Take up attempts that an earlier server may have started: (run id, task id, spec)."""
        for run_id, task_id, spec in found:
            self._running[spec.attempt_id] = Place(run_id, task_id)
        failpoint.hit("adopt.before")
        if found:
            await self._runner.adopt([spec for _, _, spec in found])
        failpoint.hit("adopt.after")

    def reported(self, event: RunnerEvent) -> None:
        """The runner's sink. On the event loop."""
        place = self._running.get(event.attempt_id)
        if place is None:
            return
        match event:
            case RunnerStarted():
                if place.started is None:
                    place.started = asyncio.get_running_loop().call_later(_STARTED_AFTER_S, self._started, event, place)
            case RunnerEnded():
                del self._running[event.attempt_id]
                if place.started:
                    place.started.cancel()
                self._end(place.run_id, place.task_id, event.attempt_id, event.outcome)
                self._fill()

    async def close(self) -> None:
        """Hand nothing further on. What runs, runs on."""
        self._queue.clear()
        for doing in self._doing:
            doing.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)

    def _fill(self) -> None:
        while self._queue and len(self._running) < self._places:
            waiting = self._queue.popleft()
            if waiting.attempt_id in self._taken_back:
                self._taken_back.discard(waiting.attempt_id)
                continue
            self._running[waiting.attempt_id] = Place(waiting.run_id, waiting.task_id)
            self._spawn(self._hand_on(waiting))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _hand_on(self, waiting: Waiting) -> None:
        try:
            failpoint.hit("engine.before-launch")
            if outcome := await self._builtin.run(waiting.run_id, waiting.task_id, waiting.attempt_id):
                self.reported(RunnerEnded(attempt_id=waiting.attempt_id, outcome=outcome))
                return
            spec = self._launcher.build(waiting.run_id, waiting.task_id, waiting.attempt_id)
            if why := self._runner.unsupported(spec.image, spec.command):
                raise CannotLaunch(why)
            await self._runner.launch(spec)
        except CannotLaunch as error:
            self._fail(waiting, error.failure)
        except Exception as error:
            _logger.exception("launch.failed attempt=%s", waiting.attempt_id)
            self._fail(waiting, Failure(kind=FailureKind.SYSTEM, message=f"could not be started: {error}"))
        failpoint.hit("engine.after-launch")

    def _fail(self, waiting: Waiting, failure: Failure) -> None:
        now_ms = self._clock.now_ms()
        outcome = Outcome(state=AttemptStatus.FAILED, failure=failure, started_ms=now_ms, ended_ms=now_ms)
        self.reported(RunnerEnded(attempt_id=waiting.attempt_id, outcome=outcome))

    async def _cancel(self, attempt_id: str) -> None:
        await self._runner.cancel(attempt_id, self._grace_s)

    def _started(self, event: RunnerStarted, place: Place) -> None:
        if event.attempt_id in self._running:
            started = AttemptStarted(at_ms=event.started_ms, attempt_id=event.attempt_id, task_id=place.task_id)
            self._post(place.run_id, started)

    def _end(self, run_id: str, task_id: str, attempt_id: str, outcome: Outcome) -> None:
        log.event(_logger, logging.INFO, "attempt.ended", attempt=attempt_id, state=outcome.state)
        at_ms = outcome.ended_ms or self._clock.now_ms()
        self._post(run_id, AttemptEnded(at_ms=at_ms, attempt_id=attempt_id, task_id=task_id, outcome=outcome))
