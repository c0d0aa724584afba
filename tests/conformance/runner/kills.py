"""Live attempts under servers and step hosts that are killed: what the attempts themselves saw of it.

    python -m tests.conformance.runner.kills HOME '{"seed": 1, "kills": 20, …}'

The arguments are a `Story` in JSON. Each server is a fork of this process with a `ProcessRunner`; it takes up what the
one before it has left, and writes every end that it is told to a journal. Prints a `Verdict` in JSON.
"""

import asyncio
import os
import random
import select
import signal
import sys
from pathlib import Path
from typing import NoReturn

import msgspec

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import FailureKind, Outcome
from lodestep.core.ports import RunnerEnded, RunnerEvent
from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink, lost
from lodestep.runtime import logfile, reap
from lodestep.testing.runner_rig import RunnerRig
from tests.conformance.runner import counted
from tests.conformance.runner.made import host_pids, mutated_runtime, process_runner

PATIENCE_S = 60.0


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """`double_every` 0: only servers are killed; 2: with every second one the step host as well."""

    seed: int
    kills: int
    attempts: int = 20
    seconds: float = 3.0
    lines: int = 60
    most_s: float = 0.25  # how long a server lives at most, until it is killed
    double_every: int = 0
    mutant: str = ""


class Verdict(msgspec.Struct, kw_only=True):
    kills: int = 0  # while something was alive
    double_kills: int = 0
    lost: int = 0  # attempts whose parent was killed with the server
    lost_by_themselves: int = 0  # more of them than parents were killed
    repeats: int = 0  # executions that no such loss explains
    overlaps: int = 0  # executions while something of another was alive
    charged: int = 0  # attempts that failed where the step did not
    wrong_exits: int = 0  # ends that were told wrongly, twice or never
    log_gaps: int = 0
    crashes: int = 0  # servers that ended by themselves before all was done
    survivors: int = 0  # processes of attempts that are there when all have ended

    @property
    def faults(self) -> dict[str, int]:
        faults = msgspec.to_builtins(self)
        for name in ("kills", "double_kills", "lost"):
            del faults[name]
        return {name: count for name, count in faults.items() if count}


class End(msgspec.Struct):
    """A line of the journal."""

    name: str
    number: int
    outcome: Outcome


class Journal:
    def __init__(self, home: Path) -> None:
        self._path = home / "journal"

    def ends(self) -> list[End]:
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        return [msgspec.json.decode(line, type=End) for line in lines]

    def write(self, end: End) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, msgspec.json.encode(end) + b"\n")
        os.close(descriptor)


class Servers:
    def __init__(self, home: Path, story: Story) -> None:
        self._home = home
        self._story = story
        self._journal = Journal(home)
        self._names = [f"step-{number}" for number in range(story.attempts)]
        self._is_first = True

    def spec(self, name: str, number: int) -> LaunchSpec:
        story = self._story
        code = self.code(name)
        script = [sys.executable, "-I", counted.__file__, str(self._home), name]
        rig = RunnerRig(process_runner, self._home)
        return rig.spec(*script, str(story.lines), str(story.seconds), str(code), name=f"{name}.{number}")

    def code(self, name: str) -> int:
        return int(name.partition("-")[2]) % 3

    def open_attempts(self) -> dict[str, int]:
        """Names of steps that have not ended, with the number of the attempt that is open."""
        numbers = dict.fromkeys(self._names, 1)
        for end in self._journal.ends():
            if end.outcome.state is AttemptStatus.LOST:
                numbers[end.name] = end.number + 1
            else:
                numbers.pop(end.name, None)
        return numbers

    async def serve(self) -> None:
        """One server's life, until every step has ended."""
        waiting = self.open_attempts()
        done = asyncio.Event()
        runner = process_runner(self._home)
        tasks: set[asyncio.Task[None]] = set()

        def take(event: RunnerEvent) -> None:
            if isinstance(event, RunnerEnded):
                name, _, number = event.attempt_id.partition(".")
                self._journal.write(End(name, int(number), event.outcome))
                if event.outcome.state is AttemptStatus.LOST:
                    tasks.add(asyncio.create_task(runner.launch(self.spec(name, int(number) + 1))))
                else:
                    waiting.pop(name, None)
                    if not waiting:
                        done.set()

        await runner.open(take)
        specs = [self.spec(name, number) for name, number in waiting.items()]
        if self._is_first:
            for spec in specs:
                await runner.launch(spec)
        else:
            await runner.adopt(specs)
        await done.wait()
        await runner.close()

    def start(self) -> int:
        pid = os.fork()
        if pid == 0:
            self._live()
        self._is_first = False
        return pid

    def _live(self) -> NoReturn:
        code = 1
        try:
            if self.open_attempts():
                asyncio.run(self.serve())
            code = 0
        finally:
            os._exit(code)

    def story(self) -> Verdict:
        """Kill servers until there were enough, then let one go on to the end."""
        draw = random.Random(self._story.seed)
        verdict = Verdict()
        while True:
            pid = self.start()
            is_last = verdict.kills >= self._story.kills
            if _ends_within(pid, PATIENCE_S if is_last else draw.uniform(0, self._story.most_s)):
                if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
                    verdict.crashes += 1
                if not self.open_attempts():
                    break
                continue
            verdict.kills += 1
            every = self._story.double_every
            victims = [pid]
            if every and verdict.kills % every == 0:
                victims += host_pids(self._home)
                verdict.double_kills += len(victims) - 1
            draw.shuffle(victims)
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            os.waitpid(pid, 0)
            if is_last:
                break
        verdict.survivors = _end_survivors(self._home)
        self._judge(verdict)
        return verdict

    def _judge(self, verdict: Verdict) -> None:
        ends = self._journal.ends()
        for name in self._names:
            own = [end for end in ends if end.name == name]
            lost_ones = [end for end in own if end.outcome.state is AttemptStatus.LOST]
            verdict.lost += len(lost_ones)
            verdict.lost_by_themselves += max(0, len(lost_ones) - verdict.double_kills)
            runs = _words(self._home / f"{name}.runs")
            verdict.repeats += max(0, runs.count("begin") - 1 - len(lost_ones))
            verdict.overlaps += runs.count("overlap")
            final = [end for end in own if end.outcome.state is not AttemptStatus.LOST]
            verdict.charged += sum(_is_charged(end.outcome) for end in final)
            verdict.wrong_exits += len(final) != 1 or _code(final[0].outcome) != self.code(name)
            if final:
                directory = self.spec(name, final[-1].number).directory
                whole = "".join(f"line {number}\n" for number in range(self._story.lines))
                verdict.log_gaps += logfile.read(directory, 0, 1 << 20)[0].decode() != whole


def _ends_within(pid: int, patience_s: float) -> bool:
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], patience_s)[0])
    finally:
        os.close(handle)


def _end_survivors(home: Path) -> int:
    marks = {os.fsencode(counted.__file__), os.fsencode(home)}
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if marks <= _arguments(path)]
    reap.kill(found)
    return len(found)


def _arguments(path: Path) -> set[bytes]:
    try:
        return set(path.read_bytes().split(b"\0"))
    except OSError:  # it has ended
        return set()


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _is_charged(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.kind is not FailureKind.EXIT


def _code(outcome: Outcome) -> int | None:
    return 0 if outcome.state is AttemptStatus.SUCCEEDED else outcome.failure and outcome.failure.exit_code


# Parts that are broken on purpose. Each must be seen.


def _mutate(name: str, home: Path) -> None:
    if name in _RUNTIME_MUTANTS:
        hostlink._ENTRY = mutated_runtime(home, *_RUNTIME_MUTANTS[name])
    elif name == "a lost one fails":
        lost.end = _failed
    elif name == "a lost one is not ended":
        lost._left = lambda *_: set()
    elif name:
        raise ValueError(name)


_RUNTIME_MUTANTS = {
    "host ends with its server": (
        "servers.py",
        "            connection.sock.close()",
        "            import os; os._exit(1)",
    ),
    "launched twice": (
        "host.py",
        "pid, read = self._forks.fork(request, group)",
        "self._forks.fork(request, group); pid, read = self._forks.fork(request, group)",
    ),
    "log has a hole": (
        "attempt.py",
        "self._log.write(data, now_ms())",
        "self._log.write(data[: len(data) // 7 * 7], 0)",
    ),
    "exit code is forgotten": ("attempt.py", '"exit_code": code if code >= 0 else None', '"exit_code": 0'),
}


def _failed(directory: str, now_ms: int) -> Outcome:
    return msgspec.structs.replace(_end_lost(directory, now_ms), state=AttemptStatus.FAILED)


_end_lost = lost.end


def main(home: Path, story: Story) -> Verdict:
    _mutate(story.mutant, home)
    return Servers(home / "home", story).story()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "home").mkdir()
    print(msgspec.json.encode(main(folder, msgspec.json.decode(sys.argv[2], type=Story))).decode())
