"""Clocks and counters: what children cost, what a process holds, and middles of several rounds."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float


class Row(NamedTuple):
    """One line of the table. `floor` says what the value is held against; `ratio` is value by floor where both are
    of one kind; `met` is None where there is no budget."""

    what: str
    value: str
    floor: str
    ratio: str
    budget: str
    met: bool | None


def environment() -> dict[str, str]:
    """What children get: as a user's shell would give it, with byte code kept."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def child(*command: str) -> Cost:
    """Run a command to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def python(code: str) -> Callable[[], Cost]:
    return lambda: child(sys.executable, "-c", code)


def here(work: Callable[[], object]) -> Callable[[], Cost]:
    """Something in this process."""

    def once() -> Cost:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return Cost(time.perf_counter() - wall, time.process_time() - cpu)

    return once


def interleaved(rounds: int, subjects: dict[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """The middle of several rounds, in each of which every subject has its turn, so that all see the same machine."""
    seen: dict[str, list[Cost]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            seen[name].append(subject())
    return {name: middle(costs) for name, costs in seen.items()}


def middle(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(cost.wall_s for cost in costs), statistics.median(cost.cpu_s for cost in costs))


def bare_interpreter(rounds: int) -> Cost:
    """C: what an interpreter of this environment costs that does nothing."""
    child(sys.executable, "-c", "pass")
    return middle([child(sys.executable, "-c", "pass") for _ in range(rounds)])


def cpu_s(pid: int) -> float:
    """What a process has used so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    key = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def wake_ups(pid: int) -> int:
    """How often the threads of a process have gone to sleep so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def fork_floor(count: int, lanes: int) -> float:
    """Processes a second that this machine can fork, in so many lanes: no engine can start more steps."""

    def lane(number: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        for _ in range(number):
            inner = os.fork()
            if inner == 0:
                os._exit(0)
            os.waitpid(inner, 0)
        os._exit(0)

    start = time.perf_counter()
    pids = [lane(count // lanes) for _ in range(lanes)]
    for pid in pids:
        os.waitpid(pid, 0)
    return count / (time.perf_counter() - start)


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def mib(count: float) -> str:
    return f"{count / 1024**2:.0f} MiB"
