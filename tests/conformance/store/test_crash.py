"""A writer that is killed: whatever it had acknowledged is there, and nothing is there by halves."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lodestep.clock import SystemClock
from lodestep.store import events, runs
from lodestep.store.store import Store
from tests.conformance.store import made, scrap

_CHILD = """
import asyncio, os, sys
from pathlib import Path
from lodestep.clock import SystemClock
from lodestep.store import events
from lodestep.store.store import Store
from tests.conformance.store import made, scrap

store = Store.open(Path(sys.argv[1]), SystemClock())

def unit(number):
    def work(conn):
        if number == 0:
            made.seed(conn, [made.run(0)])
        events.append(conn, "run-0000000", 2 * number + 1, [b"a"], 0)
        scrap.put(conn, "run-0000000", b"%d" % number)
        events.append(conn, "run-0000000", 2 * number + 2, [b"b"], 0)
    return work

async def one(number):
    await store.write(unit(number), durable=number % 2 == 0)
    os.write(1, b"%d\\n" % number)

async def go():
    await one(0)
    for start in range(1, 100_000, 4):
        await asyncio.gather(*(one(start + place) for place in range(4)))

asyncio.run(go())
"""


def _start(home: Path, failpoint: str = "") -> "subprocess.Popen[bytes]":
    root = Path(__file__).parents[3]
    environment = {**os.environ, "LODESTEP_FAILPOINT": failpoint, "PYTHONPATH": str(root)}
    return subprocess.Popen([sys.executable, "-c", _CHILD, home], stdout=subprocess.PIPE, env=environment)


def _check(home: Path, acknowledged: set[int]) -> None:
    store = Store.open(home, SystemClock())
    try:
        found = {int(body) for _, _, body in store.read_now(scrap.take_all)}
        assert acknowledged <= found
        log = store.read_now(lambda conn: events.of_run(conn, "run-0000000"))
        assert log == [b"a", b"b"] * len(found)
        assert [problem for problem in store.check() if problem.table != "run"] == []
        made.write(store, lambda conn: made.end_run(conn, "run-0000000") if found else None, durable=True)
        assert store.read_now(runs.open_ids) == []
    finally:
        store.close()


@pytest.mark.parametrize("passage", [1, 2, 7])
@pytest.mark.parametrize("point", ["writer.before-commit", "writer.after-commit"])
def test_nothing_acknowledged_is_lost_at_a_fail_point(tmp_path: Path, point: str, passage: int) -> None:
    child = _start(tmp_path, f"{point}:{passage}:kill")
    said, _ = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    _check(tmp_path, {int(line) for line in said.split()})


def test_nothing_acknowledged_is_lost_at_any_moment(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for place in range(12):
        home = tmp_path / str(place)
        child = _start(home)
        assert child.stdout is not None
        wanted = chance.randrange(1, 400)
        said = [child.stdout.readline() for _ in range(wanted)]
        child.kill()
        said += child.stdout.read().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        # The last line may be cut: it was not acknowledged whole.
        _check(home, {int(line) for line in said if line.endswith(b"\n")})
