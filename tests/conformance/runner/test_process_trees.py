"""End means end: whatever a step starts, nothing of it is alive when its end is reported."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink, lost
from lodestep.runtime import reap
from lodestep.testing import runner_rig
from lodestep.testing.runner_rig import RunnerRig, Signpost
from tests.conformance.runner.made import (
    host_pids,
    in_open_folder,
    module,
    mutated_runtime,
    ordinary_user,
    process_runner,
)
from tests.conformance.runner.trees import HOWS, KINDS, end_of, survivors

REPEATS = 11 if os.environ.get("LODESTEP_TIER") == "r" else 1


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_survives(tmp_path: Path, kind: str, how: str) -> None:
    for repeat in range(REPEATS):
        home = tmp_path / str(repeat)
        home.mkdir()
        assert not asyncio.run(survivors(home, kind, how))


@pytest.mark.slow
@pytest.mark.skipif(not ordinary_user(), reason="no other user can run this interpreter, or this is not root")
def test_nothing_survives_of_an_ordinary_users_steps() -> None:
    with in_open_folder() as folder:
        assert module("tests.conformance.runner.trees", str(folder), as_other=True) == b""


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
