"""One owner for a home, whatever the timing, and at once after a kill."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lodestep.errors import FailedPrecondition
from lodestep.store import lock
from lodestep.store.lock import HomeLock

# Forks pairs that wait for the same instant and then race for the home. A winner says so and lives until it is killed,
# so each round also takes over from an owner that was killed. Prints one line for each round.
_RACE = """
import json, os, signal, sys, time
from pathlib import Path
from lodestep.errors import FailedPrecondition
from lodestep.store.lock import HomeLock

home, rounds, way = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def careless(home, url):
    '''Looks first and writes then: the planted bug.'''
    path = home / "pid"
    try:
        owner = json.loads(path.read_text())
        os.kill(owner["pid"], 0)
    except (OSError, ValueError):
        path.write_text(json.dumps({"pid": os.getpid(), "url": url}))
        return path
    raise FailedPrecondition(f"process {owner['pid']} at {owner['url']}")

acquire = careless if way == "careless" else HomeLock.acquire

def contend(at, answers, name):
    while time.monotonic() < at:
        pass
    try:
        held = acquire(home, f"http://{name}")
        said = {"won": True, "pid": os.getpid(), "url": f"http://{name}"}
    except FailedPrecondition as error:
        said = {"won": False, "said": str(error), "took": time.monotonic() - at}
    os.write(answers, (json.dumps(said) + "\\n").encode())
    signal.pause()

for number in range(rounds):
    answers, answering = os.pipe()
    at = time.monotonic() + 0.004
    pids = []
    for name in (f"a{number}", f"b{number}"):
        pid = os.fork()
        if pid == 0:
            contend(at, answering, name)
        pids.append(pid)
    os.close(answering)
    with os.fdopen(answers) as file:
        said = [json.loads(file.readline()) for _ in pids]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(json.dumps(said), flush=True)
"""


def _race(home: Path, rounds: int, way: str) -> list[list[dict[str, object]]]:
    ended = subprocess.run(
        [sys.executable, "-c", _RACE, home, str(rounds), way], capture_output=True, text=True, check=True, timeout=100
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_race_has_exactly_one_winner_and_the_loser_names_it(tmp_path: Path) -> None:
    rounds = _race(tmp_path, 200, "ours")
    assert len(rounds) == 200
    for said in rounds:
        winners = [each for each in said if each["won"]]
        losers = [each for each in said if not each["won"]]
        assert len(winners) == len(losers) == 1
        assert f"process {winners[0]['pid']} at {winners[0]['url']}" in str(losers[0]["said"])
        assert float(str(losers[0]["took"])) < 1


def test_the_race_catches_a_careless_lock(tmp_path: Path) -> None:
    rounds = _race(tmp_path, 200, "careless")
    assert any(sum(bool(each["won"]) for each in said) != 1 for said in rounds)


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    with HomeLock.acquire(tmp_path, "http://127.0.0.1:8888"):
        before = time.monotonic()
        with pytest.raises(FailedPrecondition, match=r"process \d+ at http://127.0.0.1:8888"):
            HomeLock.acquire(tmp_path, "http://127.0.0.1:9999")
        assert time.monotonic() - before < 1
    HomeLock.acquire(tmp_path, "http://127.0.0.1:9999").release()


def test_releasing_twice_does_not_harm_the_next_owner(tmp_path: Path) -> None:
    first = HomeLock.acquire(tmp_path, "a")
    first.release()
    with HomeLock.acquire(tmp_path, "b"):
        first.release()
        with pytest.raises(FailedPrecondition, match="at b"):
            HomeLock.acquire(tmp_path, "c")


def test_an_owner_that_says_nothing_is_still_the_owner(tmp_path: Path) -> None:
    with HomeLock.acquire(tmp_path, "a"):
        (tmp_path / lock.FILE).write_text("")
        with pytest.raises(FailedPrecondition, match="has not said its name"):
            HomeLock.acquire(tmp_path, "b")
