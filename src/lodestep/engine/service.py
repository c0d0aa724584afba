"""The engine: takes accepted runs to their end, whatever happens on the way.

It is a pure machine (`core.machine`) with services around it: the loop that records, the dispatch that launches, the
timers, and the adoption of what an earlier server left running. One engine owns a home, on one event loop.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from typing import Any

from lodestep import failpoint, log
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.core import machine
from lodestep.core.commands import Cancel, Command, FinishRun, Launch, LookUpCache, StartTimer
from lodestep.core.events import CancelRequested, Event, RetryRequested, RunStarted, TimerFired
from lodestep.core.launch import LaunchSpec
from lodestep.core.ports import Runner
from lodestep.core.states import RunStatus
from lodestep.engine.book import Book, OpenRun
from lodestep.engine.builtin import Builtin
from lodestep.engine.cache import Cache
from lodestep.engine.dispatch import Dispatch
from lodestep.engine.emulate import CannotLaunch
from lodestep.engine.feed import Feed
from lodestep.engine.launching import Launcher
from lodestep.engine.loop import Loop, Posted
from lodestep.engine.preflight import preflight
from lodestep.engine.record import Also
from lodestep.engine.timers import Timers
from lodestep.errors import Conflict, FailedPrecondition, LodestepError, Unavailable
from lodestep.spec.document import PipelineDocument
from lodestep.store import runs
from lodestep.store.db import Connection
from lodestep.store.store import Store

_logger = log.get("engine")


class Engine:
    def __init__(self, *, store: Store, runner: Runner, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._runner = runner
        self._settings = settings
        self._clock = clock
        self.feed = Feed()
        self._book = Book(store)
        self._timers = Timers(clock, self._timer_due)
        self._launcher = Launcher(book=self._book, settings=settings)
        self._dispatch = Dispatch(
            runner=runner,
            builtin=Builtin(book=self._book, store=store, settings=settings, clock=clock),
            launcher=self._launcher,
            clock=clock,
            post=self._post,
            places=settings.runner.parallel_attempts or (os.cpu_count() or 1) + 2,
            grace_s=settings.runner.cancel_grace_s,
        )
        self._loop = Loop(
            store=store,
            book=self._book,
            cache=Cache(store),
            feed=self.feed,
            clock=clock,
            act=self._act,
            reload=self._reload,
        )
        self._running: asyncio.Task[None] | None = None
        self._started_s = clock.monotonic_s()

    async def start(self) -> None:
        """Take up every open run of the home, and serve."""
        await self._runner.open(self._dispatch.reported)
        found: list[tuple[str, str, LaunchSpec]] = []
        for run_id in await self._store.read(runs.open_ids):
            try:
                opened = self._book.take(run_id)
                if opened.state.terminal:
                    await self._loop.mend(opened)
                else:
                    found += self._take_up(opened)
            except Exception as error:
                _logger.exception("run.unreadable run=%s", run_id)
                await self._park(run_id, error)
        await self._dispatch.adopt(found)
        self._running = asyncio.create_task(self._loop.run(), name="engine")

    async def _park(self, run_id: str, error: Exception) -> None:
        try:
            await self._loop.park(run_id, error)
        except LodestepError:  # its row cannot even be ended: it is shown as it is, and the others are taken up
            _logger.exception("run.unparkable run=%s", run_id)

    async def stop(self) -> None:
        """Stop deciding. What was recorded is done; what runs lives on and is adopted by the next server."""
        await self._dispatch.close()
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._runner.close()

    async def submit(self, run_id: str, insert: Callable[[Connection], None]) -> None:
        """Accept a run: `insert` writes its row. Once this returns, the run survives anything."""
        failpoint.hit("submit.before-commit")
        await self._store.write(insert, durable=True)
        failpoint.hit("submit.after-commit")
        self._post(run_id, RunStarted(at_ms=self._clock.now_ms()))

    async def cancel(self, run_id: str, reason: str = "", *, also: Also | None = None) -> None:
        """Terminate. Returns once that is recorded, and what `also` writes with it.

        Raises `NotFound`, or `FailedPrecondition` where the run has ended or is being cancelled.
        """
        await self._ask(run_id, CancelRequested(at_ms=self._clock.now_ms(), reason=reason), _can_cancel, also)

    async def retry(self, run_id: str, *, also: Also | None = None) -> None:
        """Run again what failed. Raises `NotFound`, or `Conflict` where the run has not failed."""
        failpoint.hit("retry.before-commit")
        await self._ask(run_id, RetryRequested(at_ms=self._clock.now_ms()), _can_retry, also)
        failpoint.hit("retry.after-commit")

    async def forget(self, run_id: str, *, also: Also | None = None) -> None:
        """Delete a run, its rows and its folder. One that runs is ended first. Raises `NotFound`."""
        with self.feed.watch(run_id) as watch:
            asked = False
            while not await self._store.read(lambda conn: runs.is_terminal(conn, run_id)):
                if not asked:
                    asked = True
                    try:
                        await self.cancel(run_id, "the run is deleted")
                    except FailedPrecondition:
                        pass  # it has ended meanwhile, or is about to
                    continue
                await watch.changes()
                if watch.closed:
                    raise Unavailable("the server ends before the run does", hint="delete it again")

        def unit(conn: Connection) -> None:
            runs.delete(conn, run_id)
            if also:
                also(conn)

        await self._store.write(unit, durable=True)
        self._book.drop(run_id)
        folder = self._settings.home_path / "runs" / run_id
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        self.feed.publish([(run_id, 0)])

    def preflight(self, document: PipelineDocument) -> list[tuple[str, str]]:
        """What of a pipeline cannot run here, before it is submitted: (task path, what to install or to map)."""
        return preflight(document, self._runner)

    def status(self) -> dict[str, Any]:
        return {
            "uptime_s": self._clock.monotonic_s() - self._started_s,
            "open_runs": len(self._book),
            "running_attempts": self._dispatch.running,
            "queued_attempts": self._dispatch.queued,
        }

    def _post(self, run_id: str, event: Event) -> None:
        self._loop.post(Posted(run_id, event))

    async def _ask(
        self, run_id: str, event: Event, check: Callable[[machine.RunState], None], also: Also | None
    ) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop.post(Posted(run_id, event, done, check, also))
        await done

    def _act(self, opened: OpenRun, command: Command) -> None:
        """Carry out a recorded command."""
        run_id = opened.run_id
        match command:
            case Launch():
                self._dispatch.launch(run_id, command.task_id, command.attempt_id)
            case Cancel():
                self._dispatch.cancel(run_id, command.task_id, command.attempt_id)
            case StartTimer():
                self._timers.start(run_id, command)
            case FinishRun():
                self._timers.stop_run(run_id)
                log.event(_logger, logging.INFO, "run.ended", run=run_id, state=command.state)
            case LookUpCache():
                self._loop.answer(opened, command)

    def _reload(self, opened: OpenRun) -> None:
        """Ask again for everything that a run waits for. What is under way already is asked for in vain."""
        for command in machine.outstanding(opened.state):
            if isinstance(command, StartTimer):
                self._timers.start(opened.run_id, command, restarted=True)
            else:
                self._act(opened, command)

    def _take_up(self, opened: OpenRun) -> list[tuple[str, str, LaunchSpec]]:
        """After a restart: what may already run is to be adopted, the rest is asked for again."""
        adopt: list[tuple[str, str, LaunchSpec]] = []
        if opened.state.status is RunStatus.PENDING:
            self._post(opened.run_id, RunStarted(at_ms=self._clock.now_ms()))
        for command in machine.outstanding(opened.state):
            match command:
                case Launch() if self._launcher.directory(opened.run_id, command.attempt_id).exists():
                    if spec := self._rebuild(opened, command):
                        adopt.append((opened.run_id, command.task_id, spec))
                case StartTimer():
                    self._timers.start(opened.run_id, command, restarted=True)
                case _:
                    asyncio.get_running_loop().call_soon(self._act, opened, command)
        return adopt

    def _rebuild(self, opened: OpenRun, command: Launch) -> LaunchSpec | None:
        try:
            return self._launcher.build(opened.run_id, command.task_id, command.attempt_id)
        except (CannotLaunch, LodestepError):  # e.g. its secret was removed meanwhile: launching says it in words
            self._dispatch.launch(opened.run_id, command.task_id, command.attempt_id)
            return None

    def _timer_due(self, run_id: str, timer: str) -> None:
        self._post(run_id, TimerFired(at_ms=self._clock.now_ms(), timer=timer))


def _can_cancel(state: machine.RunState) -> None:
    if state.status not in (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED):
        raise FailedPrecondition(
            f"run {state.header.run_id!r} is {state.status}: only a pending, running or paused run can be terminated"
        )


def _can_retry(state: machine.RunState) -> None:
    if state.status not in (RunStatus.FAILED, RunStatus.CANCELED):
        raise Conflict(f"run {state.header.run_id!r} is {state.status}: only a failed or cancelled run can be retried")
