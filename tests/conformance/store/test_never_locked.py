"""Readers of every kind against a loaded writer: no statement is ever told that the database is locked."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lodestep.store import db, events, runs, tasks
from lodestep.store.db import Connection
from lodestep.store.store import Store
from tests.conformance.store import made

_WRITES = 300

# Each kind of foreign process works until its standard input is closed, then says how often it did its work.
_FOREIGN = """
import sys, sqlite3, threading, pathlib, tempfile
from lodestep.store import db, checking, runs
path, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
folder = tempfile.TemporaryDirectory()
done = 0
while not ended.is_set() or done == 0:
    conn = db.open_reader(path)
    if kind == "lists":
        for _ in range(20):
            runs.counts(conn), runs.open_ids(conn)
    elif kind == "long":
        conn.execute("BEGIN")
        for _ in range(200):
            conn.execute("SELECT count(*) FROM event").fetchone()
        conn.execute("COMMIT")
    elif kind == "backup":
        db.copy(conn, pathlib.Path(folder.name) / "copy.db")
    elif kind == "check":
        assert [p for p in checking.check(conn) if not p.table] == []
    conn.close()
    done += 1
print(done)
"""


@pytest.fixture(autouse=True)
def quick_switches() -> Iterator[None]:
    """As in the server: 16 threads that never rest would make each statement of the writer wait for its turn."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(usual)


def _read(store: Store, ended: threading.Event, errors: list[str], counts: list[int]) -> None:
    done = 0
    while not ended.is_set():
        try:
            store.read_now(lambda conn: (runs.counts(conn), tasks.of_run(conn, "run-0000000")[:5]))
            done += 1
        except Exception as error:  # noqa: BLE001 - every error of any kind is a finding
            errors.append(repr(error))
    counts.append(done)


def _unit(number: int) -> Callable[[Connection], None]:
    def work(conn: Connection) -> None:
        events.append(conn, "run-0000000", number + 1, [b"x" * 300], 0)
        tasks.upsert_tasks(conn, [made.task(number % 50)])

    return work


def _under_load(store: Store, work: Callable[[], None]) -> tuple[list[str], int, list[int]]:
    """Do `work` while 16 threads and 4 processes read. Errors of the readers, their rounds, rounds of processes."""
    made.write(store, lambda conn: made.seed(conn, [made.run(0)]))
    ended, errors, counts = threading.Event(), list[str](), list[int]()
    threads = [threading.Thread(target=_read, args=(store, ended, errors, counts)) for _ in range(16)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _FOREIGN, store.path, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for kind in ("lists", "long", "backup", "check")
    ]
    for thread in threads:
        thread.start()
    try:
        work()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        outputs = [process.communicate(timeout=60) for process in processes]
    errors += [said for _, said in outputs if said]
    return errors, sum(counts), [int(said or 0) for said, _ in outputs]


def test_nothing_is_ever_locked(store: Store) -> None:
    async def go() -> None:
        for start in range(0, _WRITES, 10):
            units = [_unit(start + place) for place in range(10)]
            await asyncio.gather(*(store.write(unit, durable=start % 50 == 0) for unit in units))

    errors, rounds, foreign = _under_load(store, lambda: asyncio.run(go()))
    assert errors == []
    assert rounds > 16
    assert all(foreign)
    assert store.read_now(lambda conn: events.count(conn, "run-0000000")) == _WRITES


def test_the_rig_catches_a_second_writer_with_deferred_transactions(store: Store) -> None:
    """What the one writer rules out: read, then write, in a transaction that began as a reader."""
    refused: list[str] = []
    stopped = threading.Event()

    def careless() -> None:
        conn = sqlite3.connect(store.path, timeout=5, isolation_level=None)
        while not stopped.is_set():
            try:
                conn.execute("BEGIN")
                conn.execute("SELECT value FROM counter").fetchone()
                conn.execute("UPDATE counter SET value = value + 1 WHERE name = 'rev'")
                conn.execute("COMMIT")
            except sqlite3.OperationalError as error:
                refused.append(str(error))
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                stopped.set()
        conn.close()

    async def go() -> None:
        number = 0
        while not stopped.is_set():
            await store.write(_unit(number))
            number += 1

    def work() -> None:
        thread = threading.Thread(target=careless)
        thread.start()
        asyncio.run(go())
        thread.join()

    _under_load(store, work)
    assert any("locked" in said for said in refused)


def test_a_reader_opens_a_store_that_no_server_has_open(tmp_path: Path, store: Store) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(0)]))
    store.close()
    conn = db.open_reader(store.path)
    assert runs.open_ids(conn) == ["run-0000000"]
    conn.close()
