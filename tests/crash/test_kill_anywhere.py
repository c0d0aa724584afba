"""SIGKILL of the real server and of its step hosts, at random moments, over runs with loops, retries and long steps.

Promised: no accepted run is lost, no finished task runs again, no success without its outputs, never two live copies of
one task. `LODESTEP_KILLS` sets the number of kills.
"""

import os
import random
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml

from tests.crash import steps
from tests.e2e.conftest import LiveServer

KILLS = int(os.environ.get("LODESTEP_KILLS", "50"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::FutureWarning")]


def step_hosts(home: Path) -> list[int]:
    """Process ids of the step hosts of a home, by their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(bytes(home)) for word in words) and any(word.endswith(b"__main__.py") for word in words):
            found.append(int(entry.name))
    return found


class Observed:
    """What the API said had succeeded, and how often that task had begun by then."""

    def __init__(self) -> None:
        self.begins: dict[tuple[str, str], int] = {}

    def note(self, server: LiveServer, runs: dict[str, Path]) -> None:
        for run_id, folder in runs.items():
            for task in server.tasks(run_id):
                key = _key(task)
                if key and task["state"] == "SUCCEEDED":
                    begins = sum(word == "begin" for word, _, _ in steps.executions(folder, key))
                    self.begins.setdefault((run_id, key), begins)


def _key(task: dict[str, Any]) -> str:
    return str(task.get("inputs", {}).get("parameters", {}).get("key", "")) if task["kind"] == "executor" else ""


def test_kill_loop(tmp_path: Path) -> None:
    seed = int(os.environ.get("LODESTEP_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    spec = yaml.safe_load(steps.package(tmp_path).read_text())
    server = LiveServer(tmp_path / "home").start()
    runs: dict[str, Path] = {}
    observed = Observed()
    host_kills = 0
    for kill in range(KILLS):
        if kill % 3 == 0:
            _submit(server, spec, tmp_path / f"run{kill}", runs)
        threading.Event().wait(chance.uniform(0.0, 0.9))
        observed.note(server, {run_id: runs[run_id] for run_id in list(runs)[-4:]})
        hosts = step_hosts(server.home) if chance.random() < 0.15 else []  # five in a row would end a step
        server.kill()
        for pid in hosts:
            host_kills += 1
            os.kill(pid, signal.SIGKILL)
        server.start()
    _check_all(server, runs, observed, host_kills)
    assert server.stop() == 0


def _submit(server: LiveServer, spec: Any, folder: Path, runs: dict[str, Path]) -> None:
    folder.mkdir()
    body = {
        "display_name": folder.name,
        "pipeline_spec": spec,
        "runtime_config": {"parameters": {"folder": str(folder)}},
    }
    runs[server.json("POST", "/apis/v2beta1/runs", body)["run_id"]] = folder


def _check_all(server: LiveServer, runs: dict[str, Path], observed: Observed, host_kills: int) -> None:
    extra = 0
    for run_id, folder in runs.items():
        ended = server.wait(run_id, 120)
        assert ended["state"] == "SUCCEEDED", server.story(run_id)
        assert server.outputs(run_id) == {"Output": 6}
        _check_outputs(server, run_id)
        for key in steps.KEYS:
            history = steps.executions(folder, key)
            begins = [attempt for word, attempt, _ in history if word == "begin"]
            assert len(begins) == len(set(begins)), f"{run_id} {key}: an attempt began twice: {history}"
            assert not _overlap(history), f"{run_id} {key}: two live copies: {history}"
            extra += len(begins) - (2 if key == "retried" else 1)
            if (run_id, key) in observed.begins:
                assert len(begins) == observed.begins[run_id, key], f"{run_id} {key}: ran again after it had finished"
    assert extra >= 0
    # Only a step host's death may repeat an execution, and at most those that it was running.
    assert extra <= host_kills * 8
    assert host_kills or extra == 0


def _check_outputs(server: LiveServer, run_id: str) -> None:
    (task,) = [task for task in server.tasks(run_id) if task.get("path") == "save"]
    (report,) = task["outputs"]["artifacts"]["report"]
    content = Path(urlparse(report["uri"]).path).read_text()
    assert sorted(content.split()) == ["a", "b", "c", "d", "e", "f"]


def _overlap(history: list[tuple[str, str, float]]) -> bool:
    """Two ends after the last begin would mean that two copies were alive at once."""
    alive = ""
    for word, attempt, _ in history:
        if word == "begin":
            alive = attempt
        elif attempt != alive:
            return True
    return False


@pytest.mark.parametrize("when", ["before", "after"])
def test_server_and_host_die_together(tmp_path: Path, when: str) -> None:
    """The long step's host dies with the server: it runs once more, and no retry of the user is spent."""
    spec = yaml.safe_load(steps.package(tmp_path).read_text())
    server = LiveServer(tmp_path / "home").start()
    runs: dict[str, Path] = {}
    _submit(server, spec, tmp_path / "run", runs)
    ((run_id, folder),) = runs.items()
    while not steps.executions(folder, "long"):
        threading.Event().wait(0.02)
    hosts = step_hosts(server.home)
    assert hosts
    order = [server.kill, *[lambda pid=pid: os.kill(pid, signal.SIGKILL) for pid in hosts]]
    for end in order if when == "before" else reversed(order):
        end()
    server.start()
    ended = server.wait(run_id)
    assert ended["state"] == "SUCCEEDED", server.story(run_id)
    (long,) = [task for task in server.tasks(run_id) if _key(task) == "long"]
    assert [attempt["state"] for attempt in long["attempts"]] == ["LOST", "SUCCEEDED"]
    assert not _overlap(steps.executions(folder, "long"))
    assert server.stop() == 0
