"""Step hosts: when they begin, when they end, and what becomes of attempts when one dies."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lodestep.core.model import FailureKind
from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink
from lodestep.runtime import cgroups, logfile, reap
from lodestep.spec.ir import ParameterType
from lodestep.testing.runner_rig import RunnerRig, Signpost, wait_until
from lodestep.testing.runner_suite import failure_of, log_of, say, text_of
from tests.conformance.runner.made import host_pids, mutated_runtime, process_runner, python_step

INTEGER = ParameterType.NUMBER_INTEGER


def is_gone(pid: int) -> bool:
    seen = reap.stat(pid)
    return seen is None or not seen.is_alive


def test_host_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    async def story() -> int:
        async with RunnerRig(process_runner, tmp_path) as rig:
            await rig.run(rig.shell("true"))
            (host,) = host_pids(tmp_path)
            return host

    host = asyncio.run(story())
    assert not is_gone(host)
    wait_until(lambda: is_gone(host))
    assert not list((tmp_path / "hosts").glob("*.sock"))
    assert not any(f"lodestep-{host}-" in folder for folder in own_groups())


def own_groups() -> list[str]:
    roots = [point for _, point, _ in cgroups.hierarchies()]
    return [folder for root in roots for folder, _, _ in os.walk(root) if "/lodestep-" in folder]


def test_host_outlives_the_server_while_a_step_runs(tmp_path: Path) -> None:
    async def story() -> None:
        post = Signpost(tmp_path / "post")
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell(f"mkfifo {{dir}}/go; exec 9> '{post.path}'; echo here >&9; read x < {{dir}}/go")
            await rig.runner.launch(spec)
            await post.says("here")
            (host,) = host_pids(tmp_path)
            await rig.runner.close()
            rig.events.clear()
        await asyncio.sleep(2.5)  # longer than an idle host stays
        assert not is_gone(host)
        await asyncio.to_thread(say, spec, "go")
        await asyncio.to_thread(wait_until, lambda: logfile.is_complete(spec.directory))
        await asyncio.to_thread(wait_until, lambda: is_gone(host))
        post.close()

    asyncio.run(story())


def test_host_in_a_terminal_is_not_in_its_session(tmp_path: Path) -> None:
    """Ctrl-C goes to the server's process group; hosts and steps are in none of its."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell("ps -o sid= -p $$")
            await rig.run(spec)
            (host,) = host_pids(tmp_path)
            seen = reap.stat(host)
            assert seen is not None
            assert os.getsid(0) not in (seen.session, int(log_of(spec)))
            assert seen.parent != os.getpid()

    asyncio.run(story())


def test_dead_hosts_attempts_are_lost_and_work_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            posts = [Signpost(tmp_path / f"post{number}") for number in range(3)]
            specs = [rig.shell(f"exec 9> '{post.path}'; echo here >&9; sleep 1000") for post in posts]
            for spec, post in zip(specs, posts, strict=True):
                await rig.runner.launch(spec)
                await post.says("here")
            (host,) = host_pids(tmp_path)
            os.kill(host, signal.SIGKILL)
            for spec, post in zip(specs, posts, strict=True):
                outcome = await rig.ended(spec.attempt_id)
                assert outcome.state is AttemptStatus.LOST
                assert outcome.failure is not None
                assert outcome.failure.kind is FailureKind.LOST
                assert not post.is_held()
                post.close()
            assert (await rig.run(rig.shell("true"))).state is AttemptStatus.SUCCEEDED
            assert host_pids(tmp_path) != [host]

    asyncio.run(story())


def test_host_that_died_with_the_server_is_found_out(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            post = Signpost(tmp_path / "post")
            spec = rig.shell(f"exec 9> '{post.path}'; (setsid sleep 1000 &) ; echo here >&9; sleep 1000")
            await rig.runner.launch(spec)
            await post.says("here")
            (host,) = host_pids(tmp_path)
            await rig.restart()
            os.kill(host, signal.SIGKILL)
            await rig.runner.adopt([spec])
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.LOST
            assert not post.is_held()
            post.close()

    asyncio.run(story())


def test_lost_attempt_that_was_cancelled_is_cancelled(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            post = Signpost(tmp_path / "post")
            spec = rig.shell(f"trap '' TERM; exec 9> '{post.path}'; echo here >&9; while :; do sleep 1; done")
            await rig.runner.launch(spec)
            await post.says("here")
            await rig.runner.cancel(spec.attempt_id, 100.0)
            os.kill(host_pids(tmp_path)[0], signal.SIGKILL)
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
            post.close()

    asyncio.run(story())


def test_hung_host_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostlink, "_HELLO_S", 0.3)

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            await rig.run(rig.shell("true"))
            (host,) = host_pids(tmp_path)
            os.kill(host, signal.SIGSTOP)
            await rig.restart()
            assert (await rig.run(rig.shell("true"))).state is AttemptStatus.SUCCEEDED
            assert is_gone(host)

    asyncio.run(story())


def test_two_servers_meet_one_host(tmp_path: Path) -> None:
    """Both find none and start one: the lock lets one live."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as one, RunnerRig(process_runner, tmp_path) as two:
            outcomes = await asyncio.gather(
                one.run(one.shell("echo $PPID", name="a")), two.run(two.shell("echo $PPID", name="b"))
            )
            assert {outcome.state for outcome in outcomes} == {AttemptStatus.SUCCEEDED}
            parents = {text_of(rig.spec(name=name), "log") for rig, name in ((one, "a"), (two, "b"))}
            assert len(parents) == 1

    asyncio.run(story())


def test_home_with_a_long_path(tmp_path: Path) -> None:
    """A socket's path has 108 bytes at most."""
    home = tmp_path / ("long" * 30) / ("longer" * 30)
    home.mkdir(parents=True)

    async def story() -> None:
        async with RunnerRig(process_runner, home) as rig:
            assert (await rig.run(rig.shell("true"))).state is AttemptStatus.SUCCEEDED

    asyncio.run(story())


def test_removed_home_leaves_nothing_running(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    async def story() -> None:
        post = Signpost(tmp_path / "post")
        async with RunnerRig(process_runner, home) as rig:
            spec = rig.shell(f"exec 9> '{post.path}'; echo here >&9; sleep 1000")
            await rig.runner.launch(spec)
            await post.says("here")
            (host,) = host_pids(home)
            await rig.runner.close()
            rig.events.clear()
            home.rename(tmp_path / "elsewhere")
        await asyncio.to_thread(wait_until, lambda: is_gone(host))
        assert not post.is_held()
        post.close()

    asyncio.run(story())


def test_removed_attempt_folder_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            post = Signpost(tmp_path / "post")
            spec = rig.shell(f"exec 9> '{post.path}'; echo here >&9; sleep 1000")
            await rig.runner.launch(spec)
            await post.says("here")
            shutil.rmtree(spec.directory)
            await rig.runner.cancel(spec.attempt_id, 1.0)
            failure = failure_of(await rig.ended(spec.attempt_id))
            assert failure.kind is FailureKind.SYSTEM
            assert spec.directory in failure.message
            assert not post.is_held()
            post.close()

    asyncio.run(story())


def test_interpreter_that_cannot_start_is_named(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").write_text("#!/bin/sh\necho broken on purpose >&2\nexit 3\n")
    (environment / "bin" / "python").chmod(0o755)

    async def story() -> None:
        runner = process_runner(tmp_path / "home", images={"mapped:*": str(environment)})
        async with RunnerRig(lambda _: runner, tmp_path / "home") as rig:
            spec = rig.spec(*python_step("def f() -> int:\n    return 1\n", "f", "/nowhere"), image="mapped:1")
            failure = failure_of(await rig.run(spec))
            assert failure.kind is FailureKind.CANNOT_RUN
            assert str(environment) in failure.message
            assert "broken on purpose" in failure.detail

    asyncio.run(story())


def test_host_keeps_no_descriptors_and_no_groups(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            await rig.run(rig.shell("true"))
            (host,) = host_pids(tmp_path)
            before = os.listdir(f"/proc/{host}/fd")
            groups = [folder for folder in own_groups() if f"lodestep-{host}-" in folder]
            specs = [rig.memory_limited(rig.shell("sleep 0.01 & echo hello"), 1 << 28) for _ in range(40)]
            await asyncio.gather(*map(rig.run, specs))
            assert os.listdir(f"/proc/{host}/fd") == before
            assert [folder for folder in own_groups() if f"lodestep-{host}-" in folder] == groups
            assert len(os.listdir(f"/proc/{host}/task")) == 1  # a process that forks has no threads
            assert len(reap.children(host)) <= 1  # the one that is ready for the next step

    asyncio.run(story())


def test_next_step_is_ready_before_it_is_asked_for(tmp_path: Path) -> None:
    """What is the spare process becomes the step, and there is another."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            await rig.run(rig.shell("true"))
            (host,) = host_pids(tmp_path)
            for _ in range(3):
                await asyncio.to_thread(wait_until, lambda: len(reap.children(host)) == 1)
                (spare,) = reap.children(host)
                spec = rig.shell("echo $$")
                await rig.run(spec)
                assert log_of(spec) == f"{spare}\n"

    asyncio.run(story())


_BEGINS = "attempt.began(pid, read, self._kernel_kills.so_far())"
FAULTS = {
    "dies as it is told to launch": ("host.py", "            attempt = self._fork(request)", "            os._exit(1)"),
    "dies right after the fork": ("host.py", _BEGINS, "os._exit(1)"),
    "has a fault": ("host.py", _BEGINS, "raise RuntimeError('on purpose')"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_attempt_is_not_started_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *FAULTS[fault]))

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path / "home") as rig:
            outcome = await rig.run(rig.shell("sleep 1000"))
            assert outcome.state in (AttemptStatus.FAILED, AttemptStatus.LOST)

    asyncio.run(story())


def test_outcome_of_another_boot_does_not_count(tmp_path: Path) -> None:
    """After a power cut the outcome may be on disk and its artifacts not."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell("true")
            await rig.run(spec)
            for name in ("outcome.json", "started.json"):
                path = f"{spec.directory}/{name}"
                text = text_of(spec, name).replace(reap.boot_id(), "0000-another-boot")
                await asyncio.to_thread(Path(path).write_text, text)
            await rig.restart()
            await rig.runner.adopt([spec])
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.LOST

    asyncio.run(story())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0" * 100])
def test_broken_outcome_is_a_lost_one(tmp_path: Path, content: bytes) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell("true")
            await rig.run(spec)
            await asyncio.to_thread(Path(spec.directory, "outcome.json").write_bytes, content)
            await rig.restart()
            await rig.runner.adopt([spec])
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.LOST

    asyncio.run(story())


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
def test_steps_of_other_interpreters(tmp_path: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    environment = tmp_path / "environment"
    made = python and subprocess.run([python, "-m", "venv", "--without-pip", str(environment)], capture_output=True)
    if not made or made.returncode:
        pytest.skip(f"Python {version} is not on this machine")
    assert sys.version_info[:2] != tuple(map(int, version.split(".")))
    source = "def which(a: int) -> int:\n    import sys\n    print(sys.prefix)\n    return sys.version_info[1] + a\n"

    async def story() -> None:
        runner = process_runner(tmp_path / "home", images={"mapped": str(environment)})
        async with RunnerRig(lambda _: runner, tmp_path / "home") as rig:
            spec = rig.spec(*python_step(source, "which", "{dir}", a=100), image="mapped")
            outcome = await rig.run(rig.with_parameters(spec, Output=INTEGER))
            assert outcome.outputs.parameters == {"Output": 100 + int(version.partition(".")[2])}
            assert log_of(spec).strip() == str(environment)

    asyncio.run(story())


def test_copy_of_a_home_spares_the_attempts_of_the_first(tmp_path: Path) -> None:
    """A backup that is opened beside the living home has the same attempts, and none of their processes."""

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path / "home") as rig:
            post = Signpost(tmp_path / "post")
            spec = rig.shell(f"exec 9> '{post.path}'; echo here >&9; sleep 1000")
            await rig.runner.launch(spec)
            await post.says("here")
            skip = shutil.ignore_patterns("*.sock")
            await asyncio.to_thread(shutil.copytree, tmp_path / "home", tmp_path / "copy", ignore=skip)
            async with RunnerRig(process_runner, tmp_path / "copy") as other:
                copied = other.shell("sleep 1000", name=spec.attempt_id)
                await other.runner.adopt([copied])
                assert (await other.ended(spec.attempt_id)).state is AttemptStatus.LOST
            assert post.is_held()
            post.close()

    asyncio.run(story())
