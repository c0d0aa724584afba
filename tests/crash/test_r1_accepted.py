"""An accepted run survives SIGKILL anywhere: at every named fail point, and at random under a load of new runs."""

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest
import urllib3

from lodestep import failpoint
from tests.crash.scenario import Scenario, counted, shell_spec
from tests.e2e.conftest import LiveServer

RANDOM_KILLS = 10_000 if os.environ.get("LODESTEP_TIER") == "r" else 200
MUTANT = [sys.executable, str(Path(__file__).with_name("mutant.py")), "answers_before_the_commit"]
# Points that are passed often also die at a later passage, in the middle of things.
OFTEN = [point for point in failpoint.POINTS if point.startswith(("writer.", "engine.", "runner."))]
AT_START = [point for point in failpoint.POINTS if point.startswith("adopt.")]
CASES = [
    *[f"{point}:1:kill" for point in failpoint.POINTS if point not in AT_START],
    *[f"{point}:{passage}:kill" for point in OFTEN for passage in (2, 4)],
]


@pytest.mark.parametrize("armed", CASES)
def test_killed_at_a_fail_point(armed: str, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home", env={"LODESTEP_FAILPOINT": armed})
    server.start()
    scenario = Scenario(server, tmp_path)
    scenario.play()
    assert not server.alive, f"{armed} was never passed"
    server.env.pop("LODESTEP_FAILPOINT")
    server.start()
    scenario.check()
    assert server.stop() == 0


@pytest.mark.parametrize("point", AT_START)
def test_killed_while_it_takes_up_what_runs(point: str, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home").start()
    file = tmp_path / "ran"
    spec = shell_spec(counted(file, f"while ! test -e {tmp_path}/go; do sleep 0.05; done"))
    run_id = server.json("POST", "/apis/v2beta1/runs", {"display_name": "adopted", "pipeline_spec": spec})["run_id"]
    while not file.exists():
        threading.Event().wait(0.01)
    server.kill()
    server.env["LODESTEP_FAILPOINT"] = f"{point}:1:kill"
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    server.env.pop("LODESTEP_FAILPOINT")
    server.start()
    (tmp_path / "go").touch()
    assert server.wait(run_id)["state"] == "SUCCEEDED"
    assert len(file.read_text().split()) == 1
    assert server.stop() == 0


class Load:
    """Threads that post runs for as long as the server answers, and remember what it accepted."""

    def __init__(self, url: str, threads: int = 3) -> None:
        self.accepted: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._post, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _post(self) -> None:
        http = urllib3.PoolManager(retries=False, timeout=20)
        body = {"display_name": "load", "pipeline_spec": shell_spec("true")}
        while not self._stop.is_set():
            try:
                answer = http.request("POST", self._url + "/apis/v2beta1/runs", json=body)
                if answer.status == 200:
                    self.accepted.append(answer.json()["run_id"])
            except urllib3.exceptions.HTTPError:
                break
            self._stop.wait(0.02)
        http.clear()

    def end(self) -> list[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.accepted


def kills_under_load(server: LiveServer, kills: int, seed: int) -> list[str]:
    """Kill and start the server again and again. Returns the accepted runs that it does not know at the end."""
    chance = random.Random(seed)
    accepted: list[str] = []
    server.start()
    for _ in range(kills):
        load = Load(server.url)
        threading.Event().wait(chance.uniform(0.01, 0.25))
        server.kill()
        accepted += load.end()
        server.start()
    lost = [run for run in accepted if server.request("GET", f"/apis/v2beta1/runs/{run}").status != 200]
    deadline = time.monotonic() + 120
    while server.json("GET", "/apis/lodestep/v1/status")["open_runs"]:
        assert time.monotonic() < deadline, "runs do not end"
        threading.Event().wait(0.1)
    states = server.json("GET", "/apis/lodestep/v1/status")["runs"]
    assert {state for state, count in states.items() if count} <= {"SUCCEEDED"}, states
    return lost


@pytest.mark.slow
@pytest.mark.timeout(40_000)
def test_random_kills_under_load_lose_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("LODESTEP_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    server = LiveServer(tmp_path / "home")
    assert kills_under_load(server, RANDOM_KILLS, seed) == []
    assert server.json("GET", "/apis/v2beta1/runs?page_size=1")["total_size"] >= RANDOM_KILLS
    assert server.stop() == 0


def test_the_check_sees_an_answer_before_the_commit(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home", command=MUTANT)
    assert kills_under_load(server, 8, seed=1) != []
    server.stop()
