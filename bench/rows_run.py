"""Running: what a step costs, in chains, fans and loops, through a real server."""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import documents, measure, servers
from bench.measure import Row, mib, ms

_LANES = os.cpu_count() or 1


def chain(rounds: int, *, peer: bool = True) -> Iterator[Row]:
    """One step after the other: its own process, its outputs and states recorded."""
    length = 100
    with servers.server() as at:
        servers.run(at, documents.chain(5))
        steps: list[float] = []
        floors: list[float] = []
        for _ in range(rounds):
            floors.append(measure.bare_interpreter(5).wall_s)
            steps.append(servers.run(at, documents.chain(length)).own_s / length)
    step, floor = statistics.median(steps), statistics.median(floors)
    yield Row(
        "step in a chain of 100", ms(step), f"C = {ms(floor)}", f"{step / floor:.2f} C", "≤ 0.5 C", step <= 0.5 * floor
    )
    if peer:
        script = str(Path(__file__).with_name("peer_kfp.py"))
        said = subprocess.run(
            [sys.executable, script, "5"], capture_output=True, text=True, check=True, env=measure.environment()
        )
        theirs = float(said.stdout)
        yield Row(
            "the same in kfp.local (subprocess)", ms(theirs), f"C = {ms(floor)}", f"{theirs / floor:.1f} C", "", None
        )


def fan_out(width: int) -> Iterator[Row]:
    """Steps that know nothing of each other, as many at once as there are places."""
    floor = measure.fork_floor(2 * width, _LANES)
    with servers.server() as at:
        servers.run(at, documents.fan_out(20))
        ran = servers.run(at, documents.fan_out(width))
    speed = width / ran.own_s
    yield Row(
        f"fan-out of {width:,}",
        f"{speed:.0f} steps/s",
        f"bare fork, {_LANES} lanes: {floor:.0f}/s",
        f"{speed / floor:.2f} ×",
        "≥ 200 steps/s",
        speed >= 200,
    )


def loops(long: int) -> Iterator[Row]:
    """A long loop costs no more a step than a short one, and the server does not swell."""
    short = 100
    with servers.server() as at:
        servers.run(at, documents.loop(20))
        few = statistics.median(servers.run(at, documents.loop(short)).own_s / short for _ in range(3))
        many = servers.run(at, documents.loop(long)).own_s / long
        peak = measure.resident_bytes(at.pid, peak=True)
    ratio = many / few
    yield Row(
        f"loop of {long:,}: a step",
        ms(many),
        f"in a loop of {short}: {ms(few)}",
        f"{ratio:.2f} ×",
        "≤ 1.3 ×",
        ratio <= 1.3,
    )
    yield Row(f"loop of {long:,}: server's peak memory", mib(peak), "", "", "≤ 400 MiB", peak <= 400 * 1024**2)
