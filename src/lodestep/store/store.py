"""The metadata store of a home: one writer, some readers, and the file between them.

Whoever opens it holds the home's lock (`lock.HomeLock`). The tables are the business of the other modules of this
package: each has the functions of one resource, which take the connection first.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lodestep.clock import Clock
from lodestep.store import checking, db, migrate
from lodestep.store.db import Connection
from lodestep.store.readers import Readers
from lodestep.store.rows import Problem
from lodestep.store.writer import Writer

T = TypeVar("T")


class Store:
    def __init__(self, path: Path, conn: Connection, clock: Clock) -> None:
        """Use `open`."""
        self.path = path
        self.clock = clock
        self._writer = Writer(conn)
        self._readers = Readers(path)

    @classmethod
    def open(cls, home: Path, clock: Clock) -> "Store":
        """Open the store of `home`, which is made or brought up to date first.

        Raises `FailedPrecondition` where a newer Lodestep has written it, `Corrupt` where the file is none of ours.
        """
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = home / db.FILE
        conn = db.open_writer(path)
        try:
            migrate.bring_up(conn, path)
        except sqlite3.Error as error:
            conn.close()
            raise db.translate(error, place=str(path)) from error
        except BaseException:
            conn.close()
            raise
        return cls(path, conn, clock)

    async def write(self, unit: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `unit` in the next transaction; returns when that is committed.

        A unit does nothing but SQL, for at most some tens of milliseconds, and may be run in one transaction with
        others. Its exception undoes it alone. With `durable`, the disk has confirmed it before this returns.
        Raises `Unavailable` where the disk cannot take it: then nothing of it is there, unless the disk failed while it
        confirmed it. That shows at the next start only, until which the store refuses all writes.
        """
        return await self._writer.write(unit, durable=durable)

    async def read(self, unit: Callable[[Connection], T]) -> T:
        """Run `unit` on a snapshot of what is committed, in a reader's thread."""
        return await self._readers.read(unit)

    def read_now(self, unit: Callable[[Connection], T]) -> T:
        """Run `unit` on a snapshot of what is committed, in the calling thread. For short reads."""
        return self._readers.read_now(unit)

    @property
    def failure(self) -> str:
        """Why nothing can be written any more until the server is started again ("" while it can)."""
        return self._writer.failure

    def check(self) -> list[Problem]:
        """Everything that is wrong with the file and its rows. Reads all of it: takes a while."""
        return self._readers.read_now(checking.check)

    def backup(self, target: Path) -> None:
        """A consistent copy in `target`, while the server works."""
        self._readers.read_now(lambda conn: db.copy(conn, target))

    def close(self) -> None:
        """Write what waits, and let go of the file. Blocks until that is done."""
        self._readers.close()
        self._writer.close()
