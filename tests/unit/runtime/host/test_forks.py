"""First processes of attempts: with the spare, without it, and when it is dead."""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lodestep.runtime import reap
from lodestep.runtime.cgroups import Group
from lodestep.runtime.child import Origin
from lodestep.runtime.forks import Forks
from lodestep.runtime.outcome import STARTED, read_json


@pytest.fixture
def forks() -> Generator[Forks]:
    made = Forks(Origin(os.getpid(), "name", "boot", ["/a/group"]))
    yield made
    made.close()


def request(folder: Path, *argv: str, **more: Any) -> dict[str, Any]:
    for name in ("work", "outputs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {"attempt_id": "a", "directory": str(folder), "env": {"PATH": os.environ["PATH"]}, "argv": argv, **more}


def said(pid: int, log: int) -> str:
    """All that it says until it ends well."""
    os.set_blocking(log, True)
    with open(log) as file:
        text = file.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return text


def warmed_up(forks: Forks, folder: Path) -> int:
    """The spare that is there after a first launch."""
    assert forks.spare_pid == 0
    said(*forks.fork(request(folder / "first", "true"), None))
    forks.keep_ready()
    assert forks.spare_pid
    return forks.spare_pid


def test_no_spare_before_the_first_launch(forks: Forks) -> None:
    forks.keep_ready()
    assert forks.spare_pid == 0


def test_spare_becomes_the_step(forks: Forks, tmp_path: Path) -> None:
    spare = warmed_up(forks, tmp_path)
    pid, log = forks.fork(request(tmp_path / "second", "sh", "-c", "echo $$; pwd; env; ls /proc/$$/fd"), None)
    assert pid == spare
    assert forks.spare_pid == 0
    lines = said(pid, log).splitlines()
    assert lines[:2] == [str(pid), f"{tmp_path}/second/work"]
    own = {line for line in lines if "=" in line and not line.startswith(("PWD=", "OLDPWD=", "_=", "SHLVL="))}
    assert own == {f"PATH={os.environ['PATH']}", "LODESTEP_ATTEMPT=a", f"LODESTEP_FOLDER={tmp_path}/second"}
    assert lines[-3:] == ["0", "1", "2"]
    started = read_json(str(tmp_path / "second"), STARTED)
    assert started is not None
    assert (started["pid"], started["host"], started["boot"]) == (pid, "name", "boot")
    assert started["groups"] == ["/a/group"]
    assert started["log_pipe"].startswith("pipe:[")
    assert started["directory"] == f"{tmp_path}/second"


@pytest.mark.parametrize("is_reaped", [False, True])
def test_dead_spare_is_no_harm(forks: Forks, tmp_path: Path, *, is_reaped: bool) -> None:
    spare = warmed_up(forks, tmp_path)
    os.kill(spare, signal.SIGKILL)
    os.waitid(os.P_PID, spare, os.WEXITED | os.WNOWAIT)
    if is_reaped:
        os.waitpid(spare, 0)
        assert forks.has_ended(spare)
    pid, log = forks.fork(request(tmp_path / "second", "echo", "here"), None)
    assert pid != spare
    assert said(pid, log) == "here\n"
    assert forks.spare_pid == 0


def test_request_that_does_not_fit_is_forked_for(forks: Forks, tmp_path: Path) -> None:
    spare = warmed_up(forks, tmp_path)
    text = "x" * 100_000
    assert said(*forks.fork(request(tmp_path / "second", "echo", text), None)) == text + "\n"
    assert forks.spare_pid == spare


def test_step_with_limits_is_forked_for(forks: Forks, tmp_path: Path) -> None:
    spare = warmed_up(forks, tmp_path)
    pid, log = forks.fork(request(tmp_path / "second", "true"), Group("none"))
    assert pid != spare
    said(pid, log)


def test_spare_is_no_ones_child_for_long(forks: Forks, tmp_path: Path) -> None:
    spare = warmed_up(forks, tmp_path)
    forks.close()
    assert reap.stat(spare) is None
    forks.close()  # once more does nothing


def test_nothing_is_left_open(forks: Forks, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for number in range(3):
        said(*forks.fork(request(tmp_path / str(number), "true"), None))
        forks.keep_ready()
    forks.close()
    assert os.listdir("/proc/self/fd") == before
