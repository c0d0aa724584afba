"""Connections that can only read, one for each thread that reads.

A reader sees the last committed state, as one snapshot for the whole of its unit, and neither waits for the writer nor
makes it wait.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from lodestep.errors import Unavailable
from lodestep.store import db
from lodestep.store.db import Connection

T = TypeVar("T")

_THREADS = 4


class Readers:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()
        self._all: list[Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="lodestep-reader")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a thread of the pool."""
        if self._closed:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read_now, work)

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the calling thread."""
        conn = self._connection()
        try:
            conn.execute("BEGIN")
            try:
                return work(conn)
            finally:
                if conn.in_transaction:
                    conn.execute("COMMIT")
        except sqlite3.Error as error:
            raise db.translate(error, place=str(self._path)) from error

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        with self._guard:
            self._closed = True
            for conn in self._all:
                conn.close()
            self._all.clear()

    def _connection(self) -> Connection:
        found: Connection | None = getattr(self._mine, "conn", None)
        if found is not None and not self._closed:
            return found
        with self._guard:
            if self._closed:
                raise Unavailable("the store is closed")
            made = db.open_reader(self._path)
            self._all.append(made)
        self._mine.conn = made
        return made
