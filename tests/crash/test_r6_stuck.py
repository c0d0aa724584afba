"""Nothing is stuck: after each fault, once it is over, every run ends within ten seconds, with its cause in words."""

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scenario import counted, shell_spec
from tests.crash.test_kill_anywhere import step_hosts
from tests.e2e.conftest import TERMINAL, LiveServer

BOUND_S = 10.0
FAULT_S = 1.5
ERRORS = [
    "writer.before-commit:2:full",
    "writer.before-commit:3:full",
    "writer.before-commit:3:error",
    "engine.before-record:1:error",
    "engine.before-record:2:error",
    "engine.after-record:1:error",
    "engine.after-record:2:error",
    "engine.before-launch:1:error",
    "runner.before-send:1:error",
    "runner.after-send:1:error",
    "runner.before-collect:1:error",
    "runner.after-collect:1:error",
    "runner.before-collect:1:full",
]


def submit(server: LiveServer, spec: dict[str, Any]) -> str:
    return server.json("POST", "/apis/v2beta1/runs", {"display_name": "r6", "pipeline_spec": spec})["run_id"]


def ends(server: LiveServer, run_id: str, bound_s: float = BOUND_S) -> Any:
    """The run, which ends in time; and if it failed, it says why."""
    run = server.wait(run_id, bound_s)
    if run["state"] == "FAILED":
        assert run["error"]["message"], run
        assert "Traceback" not in run["error"]["message"]
    return run


@pytest.mark.parametrize("armed", ERRORS)
def test_an_error_on_the_way(armed: str, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home", env={"LODESTEP_FAILPOINT": armed}).start()
    # The first write of all is the run itself: refused, it is not accepted, and the client is told.
    answer = server.request("POST", "/apis/v2beta1/runs", {"display_name": "r6", "pipeline_spec": shell_spec("true")})
    if answer.status == 200:
        ends(server, answer.json()["run_id"])
    else:
        assert answer.status == 503, answer.data
    assert ends(server, submit(server, shell_spec("true")))["state"] == "SUCCEEDED"
    assert server.stop() == 0


def kill_the_host(server: LiveServer, _folder: Path) -> None:
    for pid in step_hosts(server.home):
        os.kill(pid, signal.SIGKILL)


def stop_the_host(server: LiveServer, _folder: Path) -> None:
    hosts = step_hosts(server.home)
    for pid in hosts:
        os.kill(pid, signal.SIGSTOP)
    threading.Event().wait(FAULT_S)
    for pid in hosts:
        os.kill(pid, signal.SIGCONT)


def stop_the_server(server: LiveServer, _folder: Path) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    threading.Event().wait(FAULT_S)
    server.process.send_signal(signal.SIGCONT)


def remove_the_socket(server: LiveServer, _folder: Path) -> None:
    for socket in (server.home / "hosts").glob("*.sock"):
        socket.unlink()


def remove_the_folder(server: LiveServer, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def remove_the_outputs(server: LiveServer, folder: Path) -> None:
    for attempt in folder.iterdir():
        shutil.rmtree(attempt / "outputs", ignore_errors=True)


def hold_the_database(server: LiveServer, _folder: Path) -> None:
    """Another program writes, and takes its time."""
    with contextlib.closing(sqlite3.connect(server.home / "lodestep.db", timeout=5)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        threading.Event().wait(FAULT_S)
        conn.execute("ROLLBACK")


def kill_host_and_server(server: LiveServer, folder: Path) -> None:
    kill_the_host(server, folder)
    server.kill()
    server.start()


Fault = Callable[[LiveServer, Path], None]
FAULTS: list[Fault] = [
    kill_the_host,
    stop_the_host,
    stop_the_server,
    remove_the_socket,
    remove_the_folder,
    remove_the_outputs,
    hold_the_database,
    kill_host_and_server,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_while_a_step_runs(fault: Fault, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home").start()
    file, go = tmp_path / "ran", tmp_path / "go"
    run_id = submit(server, shell_spec(counted(file, f"while ! test -e {go}; do sleep 0.05; done"), retries=1))
    while not file.exists():
        threading.Event().wait(0.01)
    fault(server, server.home / "runs" / run_id)
    go.touch()
    ended = ends(server, run_id)
    assert ended["state"] in TERMINAL
    assert ends(server, submit(server, shell_spec("true")))["state"] == "SUCCEEDED"
    assert server.stop() == 0


def test_the_check_sees_a_run_that_is_stuck(tmp_path: Path) -> None:
    """An engine that loses what came in while the disk was full."""
    mutant = [sys.executable, str(Path(__file__).with_name("mutant.py")), "forgets_what_it_could_not_write"]
    env = {"LODESTEP_FAILPOINT": "writer.before-commit:2:full"}
    server = LiveServer(tmp_path / "home", env=env, command=mutant).start()
    run_id = submit(server, shell_spec("true"))
    begun = time.monotonic()
    with pytest.raises(AssertionError, match="did not end"):
        ends(server, run_id, bound_s=4)
    assert time.monotonic() - begun >= 4
    server.stop()
