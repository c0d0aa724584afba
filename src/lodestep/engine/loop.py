"""Decide, record, do: the only place where the state of a run changes.

Events of all runs wait in one queue. The loop takes what is there, steps each run's machine, writes all decisions in
one transaction, and only then hands the commands on. What happens meanwhile waits for the next turn, so a busy engine
commits many steps at once and an idle one commits each at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

import msgspec

from lodestep import failpoint, log
from lodestep.clock import Clock
from lodestep.core import machine
from lodestep.core.commands import Command, FinishRun, LookUpCache
from lodestep.core.events import AttemptEnded, CacheAnswered, Event
from lodestep.engine import record
from lodestep.engine.book import Book, OpenRun
from lodestep.engine.cache import Cache
from lodestep.engine.feed import Feed
from lodestep.errors import AlreadyExists, InvariantError, LodestepError, Unavailable
from lodestep.store.store import Store

_logger = log.get("engine")
_EVENTS_A_TURN = 256  # keeps a turn short, so that requests are answered between two turns
_RETRY_S = 1.0


class Posted(msgspec.Struct, frozen=True):
    """An event on its way in. `done` is told when it is recorded, or why it was not."""

    run_id: str
    event: Event
    done: asyncio.Future[None] | None = None
    check: Callable[[machine.RunState], None] | None = None  # raises what the one who asked is to be told
    also: record.Also | None = None


class Loop:
    def __init__(
        self,
        *,
        store: Store,
        book: Book,
        cache: Cache,
        feed: Feed,
        clock: Clock,
        act: Callable[[OpenRun, Command], None],
        reload: Callable[[OpenRun], None],
    ) -> None:
        """`act` carries a recorded command out. `reload` re-issues what an open run waits for, after its state was
        dropped because a commit failed."""
        self._store = store
        self._book = book
        self._cache = cache
        self._feed = feed
        self._clock = clock
        self._act = act
        self._reload = reload
        self._queue: deque[Posted] = deque()
        self._wake = asyncio.Event()
        self._parking: set[asyncio.Task[None]] = set()

    def post(self, posted: Posted) -> None:
        """Hand an event in. On the event loop's thread only."""
        self._queue.append(posted)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. What was recorded by then and not done is done after the next start."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._turn([self._queue.popleft() for _ in range(min(len(self._queue), _EVENTS_A_TURN))])

    async def _turn(self, batch: list[Posted]) -> None:
        changes: dict[str, record.Change] = {}
        try:
            for posted in batch:
                self._decide(posted, changes)
            refused = await self._record([change for change in changes.values() if change.events], batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, the loop goes on and nothing is lost
            self._undo(list(changes.values()), batch, error)
            return
        for posted in batch:
            if posted.done and not posted.done.done():
                posted.done.set_result(None)
        for change in changes.values():
            if change.opened.run_id in refused:
                continue
            self._do(change)
            if change.opened.state.terminal:
                self._book.drop(change.opened.run_id)

    def answer(self, opened: OpenRun, command: LookUpCache) -> None:
        """Ask the cache again, for a question that a restart left open."""
        self.post(Posted(opened.run_id, self._answer(opened, command)))

    def _decide(self, posted: Posted, changes: dict[str, record.Change]) -> None:
        try:
            opened = self._book.take(posted.run_id)
            if posted.check:
                posted.check(opened.state)
        except LodestepError as error:
            self._refuse(posted, error)
            return
        change = changes.setdefault(posted.run_id, record.Change(opened))
        if posted.also:
            change.also.append(posted.also)
        pending: deque[Event] = deque([record.with_artifact_ids(posted.event)])
        try:
            while pending:
                self._step(change, pending.popleft(), pending)
        except Exception as error:  # noqa: BLE001 - a bug met by one run must not stop the others
            changes.pop(posted.run_id)
            self._park(opened, error)
            self._refuse(posted, error)

    def _step(self, change: record.Change, event: Event, pending: deque[Event]) -> None:
        decision = machine.step(change.opened.state, event)
        change.add(event, decision)
        lookups = 0
        for command in decision.commands:
            if not isinstance(command, LookUpCache):
                change.commands.append(command)
                continue
            lookups += 1
            answer = self._answer(change.opened, command)
            if lookups <= _EVENTS_A_TURN:
                pending.append(answer)
            else:  # a wide fan-out: the rest in later turns
                self.post(Posted(change.opened.run_id, answer))

    def _answer(self, opened: OpenRun, command: LookUpCache) -> CacheAnswered:
        hit, reason = self._cache.look_up(opened.state.header, command.fingerprint)
        return CacheAnswered(at_ms=self._clock.now_ms(), task_id=command.task_id, hit=hit, reason=reason)

    async def _record(self, changes: list[record.Change], batch: list[Posted]) -> set[str]:
        """Write all decisions of a turn. What it raises undoes the turn. Returns runs that were parked instead."""
        failpoint.hit("engine.before-record")
        units = [change.freeze(self._clock.now_ms()) for change in changes]
        durable = any(change.ends_run for change in changes) or any(posted.done for posted in batch)
        refused: set[str] = set()
        if units:
            try:
                revs = await self._store.write(lambda conn: [record.write(conn, u) for u in units], durable=durable)
            except (InvariantError, AlreadyExists):
                revs, refused = await self._record_apart(changes, units, batch)
            self._feed.publish(revs)
        failpoint.hit("engine.after-record")
        return refused

    async def _record_apart(
        self, changes: list[record.Change], units: list[record.Unit], batch: list[Posted]
    ) -> tuple[list[tuple[str, int]], set[str]]:
        """Write each run's decisions on their own: the rows of one of them, which somebody damaged, refuse theirs."""
        revs: list[tuple[str, int]] = []
        refused: set[str] = set()
        for change, unit in zip(changes, units, strict=True):
            try:
                revs.append(await self._store.write(lambda conn, unit=unit: record.write(conn, unit), durable=True))
            except (InvariantError, AlreadyExists) as error:
                refused.add(unit.run_id)
                self._park(change.opened, error)
                for posted in batch:
                    if posted.run_id == unit.run_id:
                        self._refuse(posted, error)
        return revs, refused

    def _undo(self, changes: list[record.Change], batch: list[Posted], error: Exception) -> None:
        """Nothing was done yet, because doing follows recording. Memory is dropped; what came in is tried again.

        What was recorded all the same meets an event that it has seen, which changes nothing.
        """
        log.event(_logger, logging.ERROR, "record.failed", runs=len(changes), error=error)
        for change in changes:
            self._book.drop(change.opened.run_id)
        again: list[Posted] = []
        for posted in batch:
            if posted.done:
                self._refuse(posted, Unavailable(f"the store cannot write: {error}", hint="try again"))
            elif not isinstance(posted.event, CacheAnswered):
                again.append(posted)
        asyncio.get_running_loop().call_later(_RETRY_S, self._again, [c.opened.run_id for c in changes], again)

    def _again(self, run_ids: list[str], batch: list[Posted]) -> None:
        for posted in batch:
            self.post(posted)
        for run_id in run_ids:
            try:
                opened = self._book.take(run_id)
                if opened.state.terminal:
                    self._book.drop(run_id)
                else:
                    self._reload(opened)
            except LodestepError as error:
                log.event(_logger, logging.ERROR, "run.unreadable", run=run_id, error=error)

    def _do(self, change: record.Change) -> None:
        for command in change.commands:
            if isinstance(command, FinishRun):
                failpoint.hit("engine.before-finish")
            self._act(change.opened, command)
            if isinstance(command, FinishRun):
                failpoint.hit("engine.after-finish")

    async def mend(self, opened: OpenRun) -> None:
        """Write the row of a run that has ended, which says something else."""
        await self._store.write(lambda conn: record.mend(conn, opened.state), durable=True)
        self._book.drop(opened.run_id)

    async def park(self, run_id: str, error: Exception) -> None:
        """End a run that cannot be taken up, with the reason."""
        await self._store.write(lambda conn: record.park(conn, run_id, error, self._clock.now_ms()), durable=True)
        self._feed.publish([(run_id, 0)])

    def _refuse(self, posted: Posted, error: Exception) -> None:
        if posted.done and not posted.done.done():
            posted.done.set_exception(error)
        elif not isinstance(posted.event, AttemptEnded):
            log.event(_logger, logging.WARNING, "event.dropped", run=posted.run_id, error=error)

    def _park(self, opened: OpenRun, error: Exception) -> None:
        """Our own bug: this run ends with the story, the others go on."""
        _logger.exception("run.parked run=%s", opened.run_id)
        self._book.drop(opened.run_id)
        self._parking.add(task := asyncio.get_running_loop().create_task(self._end_parked(opened, error)))
        task.add_done_callback(self._parking.discard)

    async def _end_parked(self, opened: OpenRun, error: Exception) -> None:
        await self.park(opened.run_id, error)
        self._act(opened, FinishRun(state=record.PARKED))
