"""What a step may do to the machine: logs without end, hunger, large outputs."""

import asyncio
import os
import resource
from pathlib import Path

import pytest

from lodestep.core.launch import LaunchSpec
from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink
from lodestep.runtime import cgroups, logfile
from lodestep.testing.runner_rig import RunnerRig
from tests.conformance.runner.made import host_pids, mutated_runtime, process_runner

MIB = 1 << 20
CAP = 4 * MIB
pytestmark = pytest.mark.slow


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def peak_rss_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def kept_bytes(spec: LaunchSpec) -> int:
    return sum(path.stat().st_size for path in Path(spec.directory).glob("log*"))


FACTOR = 10 if os.environ.get("LODESTEP_TIER") == "r" else 1
_LINE = "x" * 79
NOISE = {
    "full speed": f"yes {_LINE} | head -c {FACTOR * 1_000_000_000}",
    "one line": f"head -c {FACTOR * 400_000_000} /dev/zero | tr '\\0' x",
    "binary": f"head -c {FACTOR * 100_000_000} /dev/urandom",
}


async def noise(home: Path, scripts: list[str]) -> tuple[list[int], int]:
    """Bytes kept on disk of each script's log, and by how much the host or this process has grown at most."""
    async with RunnerRig(process_runner, home) as rig:
        await rig.run(rig.shell("true"))
        (host,) = host_pids(home)
        both = (host, os.getpid())
        before = [_forget_peak(pid) for pid in both]
        specs = [rig.shell(script, log_bytes=CAP) for script in scripts]
        outcomes = await asyncio.gather(*map(rig.run, specs))
        assert {outcome.state for outcome in outcomes} == {AttemptStatus.SUCCEEDED}
        for spec in specs:
            _read_all(spec)
        grown = max(peak_rss_bytes(pid) - was for pid, was in zip(both, before, strict=True))
        return [kept_bytes(spec) for spec in specs], grown


def _forget_peak(pid: int) -> int:
    """What a process takes now, from which its peak is counted anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return rss_bytes(pid)


def _read_all(spec: LaunchSpec) -> None:
    """As somebody who looks at the whole log."""
    offset, more = 0, True
    while more:
        lines, after = logfile.lines(spec.directory, offset, 256 * 1024)
        more, offset = bool(lines), after


@pytest.mark.parametrize("kind", NOISE)
def test_log_of_any_kind_is_bounded(tmp_path: Path, kind: str) -> None:
    kept, grown = asyncio.run(noise(tmp_path, [NOISE[kind]]))
    assert kept[0] <= CAP + MIB
    assert grown <= 32 * MIB


def test_eight_noisy_steps(tmp_path: Path) -> None:
    """Together more than a million lines a second."""
    lines = FACTOR * 2_000_000
    kept, grown = asyncio.run(noise(tmp_path, [f"yes some short line | head -n {lines}"] * 8))
    assert max(kept) <= CAP + MIB
    assert grown <= 32 * MIB


def test_rig_sees_an_unbounded_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = ("attempt.py", 'request.get("log_bytes") or 1 << 26', "1 << 40")
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *mutant))
    kept, _ = asyncio.run(noise(tmp_path / "home", [f"yes {_LINE} | head -c 20000000"]))
    assert kept[0] > CAP + MIB


def test_rig_sees_a_host_that_keeps_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = "self._log.write(data, now_ms())"
    mutant = ("attempt.py", write, f"{write}; self.__dict__.setdefault('kept', []).append(data)")
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *mutant))
    _, grown = asyncio.run(noise(tmp_path / "home", ["yes | head -c 60000000"]))
    assert grown > 32 * MIB


def test_lines_have_their_times(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell("echo one; sleep 0.3; echo two; printf three")
            outcome = await rig.run(spec)
            lines, _ = logfile.lines(spec.directory, 0, MIB)
            assert [line.text for line in lines] == [b"one", b"two", b"three"]
            assert outcome.started_ms <= lines[0].at_ms <= lines[1].at_ms - 250 <= outcome.ended_ms - 250

    asyncio.run(story())


def test_kernel_kills_steps_before_the_server(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            spec = rig.shell("cat /proc/self/oom_score_adj")
            await rig.run(spec)
            assert int(_log(spec)) >= 500

    asyncio.run(story())


def test_fork_bomb_does_not_reach_the_machine(tmp_path: Path) -> None:
    """Of a host's processes, only so many can be: here 50."""
    if not cgroups_count_processes():
        pytest.skip("no pids control group can be made here")

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path / "home") as rig:
            bomb = rig.shell("for i in $(seq 200); do sleep 1000 & done; exit 0", image="debian:12")
            outcome = await rig.run(bomb)
            assert outcome.state is AttemptStatus.FAILED
            assert (await rig.run(rig.shell("true"))).state is AttemptStatus.SUCCEEDED

    with pytest.MonkeyPatch.context() as patch:
        few = ("cgroups.py", "return max(1024, min(", "return 50 or max(1024, min(")
        patch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *few))
        asyncio.run(story())


def cgroups_count_processes() -> bool:
    return any("pids" in options and os.access(point, os.W_OK) for _, point, options in cgroups.hierarchies())


def test_large_outputs_do_not_grow_the_server(tmp_path: Path) -> None:
    """A sparse file of 1 GiB, and a folder of 5,000 files."""

    async def story() -> int:
        async with RunnerRig(process_runner, tmp_path) as rig:
            before = rss_bytes(os.getpid())
            sparse = rig.shell(f"truncate -s 1G '{tmp_path}/artifacts/sparse/data'", name="sparse")
            folder = f"{tmp_path}/artifacts/folder/data"
            many = rig.shell(f"mkdir '{folder}' && cd '{folder}' && seq 5000 | split -l 1 -a 5", name="folder")
            for spec, size in ((sparse, 1 << 30), (many, len("".join(f"{n}\n" for n in range(1, 5001))))):
                spec, _ = rig.with_artifact(spec)
                (artifact,) = (await rig.run(spec)).outputs.artifacts["data"]
                assert artifact.size == size
                assert len(artifact.digest) == 64
            return peak_rss_bytes(os.getpid()) - before

    peak_before = peak_rss_bytes(os.getpid()) - rss_bytes(os.getpid())
    assert asyncio.run(story()) <= max(64 * MIB, peak_before)


def _log(spec: LaunchSpec) -> str:
    return logfile.read(spec.directory, 0, MIB)[0].decode()
