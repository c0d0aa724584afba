"""The writer: one thread with the only connection that writes.

It takes all units that wait, runs each in a savepoint of one transaction, commits once, and only then tells those who
wait. A unit that raises is rolled back alone. Groups that hold a durable unit wait for the disk (`synchronous=FULL`);
the others do not: a killed process loses nothing by that, a power cut may lose the last of them.

After a commit that failed, nothing of its group is there and everyone in it is told `Unavailable`. Where the disk did
not confirm a sync, nobody knows what it holds: the writer is `failed` and refuses everything until the server is
started again (a second sync might succeed and prove nothing). A full disk is no such case: as soon as there is space,
writing goes on.

The thread sleeps while there is nothing to write.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from lodestep import failpoint, log
from lodestep.errors import Unavailable
from lodestep.store import db
from lodestep.store.db import Connection

T = TypeVar("T")

_logger = log.get("store")
_UNITS_A_GROUP = 512
_GROUPS_A_CHECKPOINT = 200
_CHANGES_A_CHECKPOINT = 2000


class _Unit:
    """Work, and who waits for it: `error` or `result` is set once the group is committed or refused."""

    __slots__ = ("durable", "error", "future", "loop", "result", "work")

    def __init__(
        self,
        work: Callable[[Connection], Any],
        *,
        durable: bool,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        self.work = work
        self.durable = durable
        self.loop = loop
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Writer:
    def __init__(self, conn: Connection) -> None:
        """Takes the connection over: only the writer's thread uses and closes it."""
        self._conn = conn
        self._queue: SimpleQueue[_Unit | None] = SimpleQueue()
        self._full = True  # what `db.open_writer` leaves
        self._failure = ""
        self._groups = 0  # since the last checkpoint
        self._changes = 0  # rows that were changed in all before it
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lodestep-writer", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str:
        """Why nothing can be written any more ("" while it can)."""
        return self._failure

    async def write(self, work: Callable[[Connection], T], *, durable: bool) -> T:
        """Run `work` in a transaction. Returns once it is committed (and on disk, if `durable`)."""
        loop = asyncio.get_running_loop()
        unit = _Unit(work, durable=durable, loop=loop, future=loop.create_future())
        with self._closing:  # nothing may be queued behind the end mark: nobody would answer it
            if self._closed:
                raise Unavailable("the store is closed")
            self._queue.put(unit)
        return await unit.future

    def close(self) -> None:
        """Write what waits, then end the thread and close the connection."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            group = [self._queue.get()]
            try:
                while len(group) < _UNITS_A_GROUP:
                    group.append(self._queue.get_nowait())
            except Empty:
                pass
            ended = None in group
            units = [unit for unit in group if unit is not None]
            if units:
                self._write(units)
                _answer(units)
                self._checkpoint()
        self._conn.close()

    def _write(self, units: list[_Unit]) -> None:
        """Commit a group. Never raises: each unit has its result or its error afterwards."""
        try:
            if self._failure:
                raise self._refused()
            self._set_sync(full=any(unit.durable for unit in units))
            db.begin(self._conn)
            for unit in units:
                self._run_unit(unit, alone=len(units) == 1)
            if self._conn.in_transaction:
                failpoint.hit("writer.before-commit")
                self._conn.execute("COMMIT")
                failpoint.hit("writer.after-commit")
        except BaseException as error:  # noqa: BLE001 - the thread must live; everyone in the group is told
            self._undo(units, error)

    def _set_sync(self, *, full: bool) -> None:
        if full is not self._full:
            db.sync_fully(self._conn, full=full)
            self._full = full

    def _checkpoint(self) -> None:
        """After the answers, so that nobody waits for it but the next group."""
        self._groups += 1
        if self._groups < _GROUPS_A_CHECKPOINT and self._conn.total_changes - self._changes < _CHANGES_A_CHECKPOINT:
            return
        self._groups, self._changes = 0, self._conn.total_changes
        try:
            db.checkpoint(self._conn)
        except sqlite3.Error as error:
            # A log that was not confirmed may have a hole, and what is synced behind a hole is lost with it.
            self._note_failure(error)
            log.event(_logger, logging.WARNING, "writer.checkpoint_failed", reason=error)

    def _note_failure(self, error: BaseException) -> None:
        if db.is_sync_failure(error):
            self._failure = f"the disk did not confirm a write ({error}): what it holds now is not known"
            log.event(_logger, logging.ERROR, "writer.failed", reason=self._failure)

    def _run_unit(self, unit: _Unit, *, alone: bool) -> None:
        if alone:  # its savepoint would be the transaction itself
            try:
                unit.result = unit.work(self._conn)
            except Exception as error:  # noqa: BLE001 - handed to the one who asked
                self._raise_if_group_is_lost(error)
                self._conn.execute("ROLLBACK")
                unit.error = _meaning(error)
            return
        self._conn.execute("SAVEPOINT unit")
        try:
            unit.result = unit.work(self._conn)
        except Exception as error:  # noqa: BLE001 - handed to the one who asked
            self._raise_if_group_is_lost(error)
            self._conn.execute("ROLLBACK TO unit")
            unit.error = _meaning(error)
        self._conn.execute("RELEASE unit")

    def _raise_if_group_is_lost(self, error: Exception) -> None:
        """SQLite itself rolls the whole transaction back for some errors of the disk."""
        if isinstance(error, sqlite3.Error) and (db.is_disk_failure(error) or not self._conn.in_transaction):
            raise error

    def _undo(self, units: list[_Unit], error: BaseException) -> None:
        if self._conn.in_transaction:
            try:
                self._conn.execute("ROLLBACK")
            except sqlite3.Error as second:
                self._failure = f"the database could not take a failed change back: {second}"
        self._note_failure(error)
        log.event(_logger, logging.WARNING, "writer.group_refused", units=len(units), reason=error)
        for unit in units:
            unit.result = None
            unit.error = self._refused() if self._failure else _meaning(error)

    def _refused(self) -> Unavailable:
        return Unavailable(self._failure, hint="look at the disk, then start the server again")


def _meaning(error: BaseException) -> BaseException:
    """An error of the database in our words, a fresh one for each who is told; any other as it is."""
    if isinstance(error, sqlite3.Error | OSError):
        meaning = db.translate(error)
        meaning.__cause__ = error
        return meaning
    return error


def _answer(units: list[_Unit]) -> None:
    """Tell who waits: one wake-up for each event loop, however many units it gave."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
    for unit in units:
        by_loop.setdefault(unit.loop, []).append(unit)
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_complete, answered)
        except RuntimeError:  # the loop was closed: nobody waits any more
            pass


def _complete(units: list[_Unit]) -> None:
    for unit in units:
        if unit.future.done():  # cancelled meanwhile
            continue
        if unit.error is not None:
            unit.future.set_exception(unit.error)
        else:
            unit.future.set_result(unit.result)
