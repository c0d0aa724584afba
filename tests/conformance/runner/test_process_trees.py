"""End means end: whatever a step starts, nothing of it is alive when its end is reported."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from lodestep.core.model import FailureKind
from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink, lost
from lodestep.runtime import reap
from lodestep.testing import runner_rig
from lodestep.testing.runner_rig import RunnerRig, Signpost
from tests.conformance.runner import hostile
from tests.conformance.runner.made import host_pids, mutated_runtime, process_runner

GRACE_S = 0.3
SCRIPT = str(Path(hostile.__file__))
KINDS = [work.__name__ for work in hostile.KINDS]


async def end_of(rig: RunnerRig, kind: str, how: str, post: Signpost) -> tuple[AttemptStatus, float]:
    """Start a hostile tree and end it. How it ended, and how long that took."""
    mode = "end" if how == "end" else "stay"
    timeout_s = 0.8 if how == "timeout" else 0.0
    command = [sys.executable, "-I", SCRIPT, kind, mode, str(post.path)]
    spec = rig.spec(*command, timeout_s=timeout_s, grace_s=GRACE_S)
    await rig.runner.launch(spec)
    await post.says("up")
    begun = time.monotonic()
    if how == "cancel":
        await rig.runner.cancel(spec.attempt_id, GRACE_S)
    elif how == "kill host":
        (host,) = host_pids(rig.home)
        os.kill(host, signal.SIGKILL)
    outcome = await rig.ended(spec.attempt_id)
    if how == "timeout":
        assert outcome.failure is not None
        assert outcome.failure.kind is FailureKind.TIMEOUT
    return outcome.state, time.monotonic() - begun


async def survivors(home: Path, kind: str, how: str) -> bool:
    """Is anything alive at the moment in which the end is reported?"""
    async with RunnerRig(process_runner, home) as rig:
        post = Signpost(home / "post")
        try:
            state, took_s = await end_of(rig, kind, how, post)
            alive = post.is_held()
        finally:
            post.close()
        expected = {
            "cancel": AttemptStatus.CANCELED,
            "timeout": AttemptStatus.FAILED,
            "end": AttemptStatus.SUCCEEDED,
            "kill host": AttemptStatus.LOST,
        }
        assert state is expected[how]
        assert took_s < 0.8 + GRACE_S + 2.0  # the promise is one second; the machine of a test may be busy
        return alive


@pytest.mark.parametrize("how", ["cancel", "timeout", "end", "kill host"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_survives(tmp_path: Path, kind: str, how: str) -> None:
    assert not asyncio.run(survivors(tmp_path, kind, how))


def test_neighbours_are_spared(tmp_path: Path) -> None:
    """While hostile trees are ended, what runs beside them goes on."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            good = Signpost(tmp_path / "good")
            neighbour = rig.shell(f"exec 9> '{good.path}'; mkfifo go; (sleep 1000 &); echo here >&9; read x < go")
            await rig.runner.launch(neighbour)
            await good.says("here")
            posts = [Signpost(tmp_path / f"post{number}") for number in range(6)]
            hows = ["cancel", "end", "timeout", "cancel", "end", "timeout"]
            kinds = ["double_fork", "hidden", "forking", "many", "keeper", "headless"]
            await asyncio.gather(
                *(end_of(rig, kind, how, post) for kind, how, post in zip(kinds, hows, posts, strict=True))
            )
            assert not any(post.is_held() for post in posts)
            assert good.is_held()
            await asyncio.to_thread(Path(neighbour.directory, "work/go").write_text, "now\n")
            assert (await rig.ended(neighbour.attempt_id)).state is AttemptStatus.SUCCEEDED
            assert not good.is_held()
            for post in [*posts, good]:
                post.close()

    asyncio.run(story())


# Each of these breaks the host in one place; the rig must see it, or it proves nothing.
MUTANTS = {
    "what is left is not looked for": ("host.py", "orphans = self._orphans()", "orphans = set()", "end", "double_fork"),
    "a kill is only asked for": ("reap.py", "send(pids, signal.SIGKILL)", "send(pids, signal.SIGTERM)", "end", "many"),
    "nothing is proven": (
        "attempt.py",
        "                reap.kill(left)\n            elif self.status",
        "                reap.send(left, signal.SIGTERM)\n            if self.status",
        "end",
        "keeper",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_rig_sees_a_broken_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    file, old, new, how, kind = MUTANTS[mutant]
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, file, old, new))
    monkeypatch.setattr(runner_rig, "PATIENCE_S", 3.0)
    try:
        assert asyncio.run(survivors(tmp_path / "home", kind, how))
    except TimeoutError:
        pass  # it was never over: as good a sign
    finally:
        end_leftovers(tmp_path / "home")


NO_GROUPS = ("host.py", "self._groups = Groups()", "self._groups = Groups(); self._groups.host_groups = []")


@pytest.mark.parametrize("kind", KINDS)
def test_dead_hosts_steps_are_told_by_their_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Where there are no control groups."""
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *NO_GROUPS))
    assert not asyncio.run(survivors(tmp_path / "home", kind, "kill host"))


def test_rig_sees_that_a_dead_hosts_steps_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost, "_left", lambda *_: set())
    assert asyncio.run(survivors(tmp_path, "double_fork", "kill host"))
    end_leftovers(tmp_path)


def test_rig_sees_that_a_headless_process_is_taken_for_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *NO_GROUPS))
    monkeypatch.setattr(reap.Stat, "is_alive", property(lambda seen: seen.state not in ("Z", "X")))
    assert asyncio.run(survivors(tmp_path / "home", "headless", "kill host"))
    end_leftovers(tmp_path / "home")


def end_leftovers(home: Path) -> None:
    """A broken host, and what it let live."""
    for pid in host_pids(home):
        os.kill(pid, signal.SIGKILL)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                held = [os.readlink(link) for link in (entry / "fd").iterdir()]
            except OSError:
                continue
            if str(home / "post") in held and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
