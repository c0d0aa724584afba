"""The writer: groups, savepoints, durability, and what a failing disk leads to."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lodestep import failpoint
from lodestep.clock import ManualClock
from lodestep.errors import AlreadyExists, InvariantError, Unavailable
from lodestep.store import db, runs
from lodestep.store.db import Connection
from lodestep.store.store import Store
from tests.conformance.store import made, scrap


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoint.arm("")


def _waiting(store: Store) -> list[bytes]:
    return [body for _, _, body in store.read_now(scrap.take_all)]


def _put(text: bytes):
    return lambda conn: scrap.put(conn, "r", text)


def _failing(text: bytes):
    def unit(conn: Connection) -> None:
        scrap.put(conn, "r", text)
        raise ValueError("no")

    return unit


def test_what_was_written_is_read_by_every_thread(store: Store) -> None:
    made.write(store, _put(b"one"))

    async def in_pool() -> list[bytes]:
        return [body for _, _, body in await store.read(scrap.take_all)]

    assert _waiting(store) == asyncio.run(in_pool()) == [b"one"]


def test_a_unit_that_raises_is_undone_alone(store: Store) -> None:
    answers = made.together(store, _put(b"a"), _failing(b"b"), _put(b"c"))
    assert isinstance(answers[1], ValueError)
    assert _waiting(store) == [b"a", b"c"]
    with pytest.raises(ValueError, match="no"):
        made.write(store, _failing(b"d"))
    assert _waiting(store) == [b"a", b"c"]


def test_units_that_wait_share_a_transaction(store: Store) -> None:
    statements: list[str] = []
    made.write(store, lambda conn: conn.set_trace_callback(statements.append))
    statements.clear()
    entered, go_on = threading.Event(), threading.Event()

    def slow(_conn: Connection) -> None:
        entered.set()
        go_on.wait()

    async def go() -> None:
        first = asyncio.ensure_future(store.write(slow))
        await asyncio.to_thread(entered.wait)
        rest = [asyncio.ensure_future(store.write(_put(b"%d" % number))) for number in range(20)]
        await asyncio.sleep(0)  # lets each of them hand its unit in
        go_on.set()
        await asyncio.gather(first, *rest)

    asyncio.run(go())
    assert [text for text in statements if text in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"] * 2
    assert len(_waiting(store)) == 20


def test_a_violated_constraint_reaches_only_its_unit(store: Store) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(0)]))
    answers = made.together(
        store,
        lambda conn: runs.insert(conn, made.run(0)),
        lambda conn: runs.insert(conn, made.run(1, spec_digest="unknown")),
        _put(b"fine"),
    )
    assert isinstance(answers[0], AlreadyExists)
    assert "run-0000000" in str(answers[0])
    assert isinstance(answers[1], InvariantError)
    assert answers[2] is None


def test_a_failed_commit_is_told_to_the_whole_group_and_leaves_nothing(store: Store) -> None:
    failpoint.arm("writer.before-commit:full")
    answers = made.together(store, _put(b"a"), _put(b"b"))
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert answers[0] is not answers[1]
    assert "disk is full" in str(answers[0])
    assert _waiting(store) == []
    made.write(store, _put(b"again"))
    assert _waiting(store) == [b"again"]


def test_an_input_output_error_of_one_commit_does_not_end_the_writer(store: Store) -> None:
    failpoint.arm("writer.before-commit:error")
    with pytest.raises(Unavailable):
        made.write(store, _put(b"a"))
    assert not store.failure
    made.write(store, _put(b"b"))
    assert _waiting(store) == [b"b"]


def test_a_full_database_refuses_in_words_and_takes_up_when_there_is_space(store: Store) -> None:
    def limit(pages: int):
        return lambda conn: conn.execute(f"PRAGMA max_page_count = {pages}").fetchone()[0]

    pages = made.write(store, limit(1))  # answers with what is in use
    made.write(store, limit(pages + 2))
    answers = made.together(store, _put(b"small"), _put(b"x" * 100_000))
    assert all(isinstance(answer, Unavailable) and "disk is full" in str(answer) for answer in answers)
    assert _waiting(store) == []
    assert not store.failure
    made.write(store, limit(100_000))
    made.write(store, _put(b"x" * 100_000))
    assert len(_waiting(store)) == 1


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_refuses_in_words_and_takes_up_when_there_is_space(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounts are not allowed here")
    try:
        store = Store.open(disk, ManualClock())
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 1_000_000)
        answers = [made.together(store, _put(b"y" * 100_000))[0] for _ in range(20)]
        refused = [answer for answer in answers if answer is not None]
        assert refused
        assert all(isinstance(answer, Unavailable) and "disk is full" in str(answer) for answer in refused)
        kept = len(_waiting(store))
        assert kept == 20 - len(refused)
        ballast.unlink()
        made.write(store, _put(b"y" * 100_000), durable=True)
        assert len(_waiting(store)) == kept + 1
        assert store.check()[:1] == [] or all(problem.table == "scrap" for problem in store.check())
        store.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_error_after_the_commit_leaves_what_was_committed(store: Store) -> None:
    """Who is told `Unavailable` looks before trying again: here the commit had been done."""
    failpoint.arm("writer.after-commit:error")
    with pytest.raises(Unavailable):
        made.write(store, _put(b"a"))
    assert _waiting(store) == [b"a"]
    made.write(store, _put(b"b"))
    assert _waiting(store) == [b"a", b"b"]


def test_a_home_that_cannot_hold_the_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / db.FILE).mkdir()
    with pytest.raises(Unavailable, match=r"lodestep\.db"):
        Store.open(tmp_path, ManualClock())
    with pytest.raises(Unavailable, match="journal mode is memory"):
        db.open_writer(Path(":memory:"))
    with pytest.raises(Unavailable, match=r"nowhere"):
        db.open_reader(tmp_path / "nowhere")


def test_writing_after_close_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path, ManualClock())
    made.write(store, _put(b"a"))
    store.close()
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        made.write(store, _put(b"b"))
    with pytest.raises(Unavailable, match="closed"):
        store.read_now(scrap.take_all)


def test_close_writes_what_waits(tmp_path: Path) -> None:
    store = Store.open(tmp_path, ManualClock())

    async def go() -> None:
        waiting = [asyncio.ensure_future(store.write(_put(b"%d" % number))) for number in range(50)]
        await asyncio.sleep(0)
        store.close()
        await asyncio.gather(*waiting)

    asyncio.run(go())
    again = Store.open(tmp_path, ManualClock())
    assert len(_waiting(again)) == 50
    again.close()


def test_one_who_waits_no_more_disturbs_nobody(store: Store) -> None:
    async def go() -> None:
        gone = asyncio.ensure_future(store.write(_put(b"a")))
        stays = asyncio.ensure_future(store.write(_put(b"b")))
        await asyncio.sleep(0)
        gone.cancel()
        await stays

    asyncio.run(go())
    assert b"b" in _waiting(store)


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match="readonly"):
        store.read_now(_put(b"a"))
    assert _waiting(store) == []


def test_a_read_is_one_snapshot(store: Store) -> None:
    def unit(conn: Connection) -> tuple[int, int]:
        before = len(scrap.take_all(conn))
        made.write(store, _put(b"meanwhile"))
        return before, len(scrap.take_all(conn))

    assert store.read_now(unit) == (0, 0)
    assert len(_waiting(store)) == 1


def test_the_log_is_brought_into_the_file_after_a_while(store: Store) -> None:
    log = store.path.with_name(f"{db.FILE}-wal")

    async def go(count: int) -> None:
        for number in range(count):
            await store.write(_put(b"%d" % number))

    asyncio.run(go(1000))
    size = log.stat().st_size
    asyncio.run(go(3000))
    assert log.stat().st_size < 3 * size


# What the system calls say: only those show that the disk was waited for.

_CHILD = """
import asyncio, os, sys
from pathlib import Path
from lodestep.clock import SystemClock
from lodestep.errors import LodestepError
from lodestep.store.store import Store
from tests.conformance.store import scrap

store = Store.open(Path(sys.argv[1]), SystemClock())

async def go():
    for _ in range(int(sys.argv[2])):
        await store.write(lambda conn: scrap.put(conn, "r", b"before"), durable=True)
    for place, durable in enumerate([True, False, False, True, True, False]):
        try:
            await store.write(lambda conn: scrap.put(conn, "r", b"%d" % place), durable=durable)
            said = "written"
        except LodestepError as error:
            said = f"refused {error}"
        os.write(1, f"{place} {'durable' if durable else 'usual'} {said}\\n".encode())

asyncio.run(go())
os.write(1, ("failure " + store.failure + "\\n").encode())
os._exit(0)
"""
_needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def _trace(home: Path, log: Path, *options: str, before: int = 0) -> tuple[list[str], list[str]]:
    """Run the child under strace: the lines that it wrote, and the system calls."""
    command = ["strace", "-f", "-y", "-o", log, "-e", "trace=fdatasync,fsync,write", *options]
    ended = subprocess.run(
        [*command, sys.executable, "-c", _CHILD, home, str(before)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],  # where the child finds the tests' own modules
    )
    if "ptrace" in ended.stderr.lower():
        pytest.skip("tracing is not allowed here")
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines(), log.read_text().splitlines()


@_needs_strace
def test_durable_groups_wait_for_the_disk_and_others_do_not(tmp_path: Path) -> None:
    said, calls = _trace(tmp_path / "home", tmp_path / "calls")
    assert [line.split()[2] for line in said[:6]] == ["written"] * 6
    syncs_before: dict[str, int] = {}
    syncs = 0
    for call in calls:
        if "sync(" in call and "-wal>" in call:
            syncs += 1
        for line in said[:6]:
            if f'"{line}\\n"' in call:
                syncs_before[line.split()[0]] = syncs
                syncs = 0
    del syncs_before["0"]  # with it, the log's own header was written
    assert syncs_before == {"1": 0, "2": 0, "3": 1, "4": 1, "5": 0}


@_needs_strace
def test_a_sync_that_failed_is_never_tried_into_success(tmp_path: Path) -> None:
    # The tracer counts for each thread: what the main thread needs to open the store is let through.
    calls = _trace(tmp_path / "probe", tmp_path / "calls")[1]
    main = calls[0].split()[0]
    opening = sum(call.startswith(main) and "fdatasync(" in call for call in calls)
    inject = ("-e", f"inject=fdatasync:error=EIO:when={opening + 1}")
    said, _ = _trace(tmp_path / "home", tmp_path / "calls", *inject, before=opening)
    assert said[0].startswith("0 durable refused")
    assert all("refused" in line and "did not confirm" in line for line in said[1:6])
    assert "did not confirm" in said[6]
    again = sqlite3.connect(tmp_path / "home" / db.FILE)
    assert again.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    again.close()
