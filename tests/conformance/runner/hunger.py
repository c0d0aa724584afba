"""Steps that ask for more memory than they may have, and what was told of them.

    python -m tests.conformance.runner.hunger HOME '{"how": "limit", "count": 8}'

The arguments are a `Story` in JSON. Prints a `Verdict` in JSON.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import msgspec

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import FailureKind, Outcome
from lodestep.core.states import AttemptStatus
from lodestep.runners import endings, hostlink
from lodestep.runtime import cgroups, reap
from lodestep.testing.runner_rig import RunnerRig
from tests.conformance.runner.made import host_pids, mutated_runtime, process_runner, python_step

MIB = 1 << 20
LIMIT = 96 * MIB
AT_ONCE = 4
PROMISED_S = 2.0
# Says that it begins to ask, and asks until it is refused or killed.
_ASK = f"open('asked', 'w').close()\nheld = []\nwhile True:\n    held.append(bytearray({4 * MIB}))\n"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """`how`: `limit` (a control group where there can be one), `no group` (the address space alone), or `kernel`: no
    limit of their own, in a group that stands for a whole machine."""

    how: str
    count: int = 8
    mutant: str = ""


class Verdict(msgspec.Struct, kw_only=True):
    named: int = 0
    unnamed: list[str] = []  # what was told in place of the cause
    late: list[float] = []  # seconds from the first request to the told end
    victims: int = 0  # hosts and neighbours that ended as well


def _specs(rig: RunnerRig, count: int) -> list[LaunchSpec]:
    """A program, a program that a shell runs, and a component, in turn."""
    found: list[LaunchSpec] = []
    for number in range(count):
        match number % 3:
            case 0:
                found.append(rig.spec(sys.executable, "-I", "-c", _ASK))
            case 1:
                found.append(rig.spec("sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-I", "-c", _ASK))
            case _:
                body = "".join(f"    {line}\n" for line in _ASK.splitlines())
                found.append(rig.spec(*python_step(f"def f():\n{body}", "f", "{dir}")))
    return found


async def _tell(rig: RunnerRig, story: Story) -> Verdict:
    verdict = Verdict()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(spec: LaunchSpec) -> None:
        async with places:
            outcome = await rig.run(spec if story.how == "kernel" else rig.memory_limited(spec, LIMIT))
        _judge(verdict, story, outcome, time.time() - _asked_at(spec))

    neighbour = rig.shell("exec sleep 1000", name="neighbour")
    await rig.runner.launch(neighbour)
    await rig.started(neighbour.attempt_id)
    (host,) = host_pids(rig.home)
    group = _small_machine(host) if story.how == "kernel" else None
    try:
        await asyncio.gather(*map(one, _specs(rig, story.count)))
    finally:
        if group is not None:
            _leave(group)
    verdict.victims = int(host_pids(rig.home) != [host]) + rig.count_ends(neighbour.attempt_id)
    return verdict


def _asked_at(spec: LaunchSpec) -> float:
    return os.stat(os.path.join(spec.directory, "work", "asked")).st_mtime


def _judge(verdict: Verdict, story: Story, outcome: Outcome, took_s: float) -> None:
    failure = outcome.failure
    assert failure is not None
    text = failure.message
    numbers = "peak" in text and (story.how == "kernel" or "limit 96 MiB" in text)
    if outcome.state is AttemptStatus.FAILED and failure.kind is FailureKind.OUT_OF_MEMORY and numbers:
        verdict.named += 1
    else:
        verdict.unnamed.append(text)
    if took_s > PROMISED_S:
        verdict.late.append(took_s)


# a group that stands for a whole machine


def memory_root() -> str:
    """Where a group with a memory limit can be made, in version 1; "" where it cannot."""
    for kind, point, options in cgroups.hierarchies():
        if kind == "cgroup" and "memory" in options and os.access(point, os.W_OK):
            return point
    return ""


def _small_machine(host: int) -> Path:
    """Put a host, and what it starts, where there is little memory in all."""
    group = Path(memory_root(), f"test-{os.getpid()}")
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(2 * LIMIT))
    for pid in [*reap.descendants(host), host]:
        (group / "cgroup.procs").write_text(str(pid))
    return group


def _leave(group: Path) -> None:
    for pid in cgroups.processes_in(str(group)):
        try:
            (group.parent / "cgroup.procs").write_text(str(pid))
        except OSError:  # it has ended
            continue
    group.rmdir()


# Parts that are broken on purpose. Each must be seen.

NO_GROUPS = ("host.py", "if memory or cpus else None", "if False else None")
_RUNTIME_MUTANTS = {
    "group is not asked": ("attempt.py", '"oom": self.killed_for_memory > 0', '"oom": False'),
    "kernel is not asked": ("kernelkills.py", "if count <= known:", "if True:"),
    "end is told late": (
        "attempt.py",
        "self._kill_at = self.due = time.monotonic()\n",
        "self._kill_at = self.due = time.monotonic() + 2.5\n",
    ),
}


def main(folder: Path, story: Story) -> Verdict:
    if story.how == "no group":
        hostlink._ENTRY = mutated_runtime(folder, *NO_GROUPS)
    if story.mutant == "words are not read":
        endings._was_refused = lambda *_: False
    elif story.mutant:
        hostlink._ENTRY = mutated_runtime(folder, *_RUNTIME_MUTANTS[story.mutant])

    async def with_rig() -> Verdict:
        async with RunnerRig(process_runner, folder / "home") as rig:
            return await _tell(rig, story)

    return asyncio.run(with_rig())


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / "home").mkdir()
    print(msgspec.json.encode(main(place, msgspec.json.decode(sys.argv[2], type=Story))).decode())
