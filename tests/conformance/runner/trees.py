"""Hostile trees that are ended: what of them is alive when their end is told.

    python -m tests.conformance.runner.trees FOLDER

Prints who has survived, a line each.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from lodestep.core.model import FailureKind
from lodestep.core.states import AttemptStatus
from lodestep.testing.runner_rig import RunnerRig, Signpost
from tests.conformance.runner import hostile
from tests.conformance.runner.made import host_pids, process_runner

GRACE_S = 0.3
TIMEOUT_S = 0.8
PROMISED_S = GRACE_S + 1.0
SCRIPT = str(Path(hostile.__file__))
KINDS = [work.__name__ for work in hostile.KINDS]
_AT_ONCE = 4
HOWS = ["cancel", "timeout", "end", "kill host"]


async def end_of(rig: RunnerRig, kind: str, how: str, post: Signpost) -> tuple[AttemptStatus, float]:
    """Start a hostile tree and end it. How it ended, and how long that took."""
    mode = "end" if how == "end" else "stay"
    timeout_s = TIMEOUT_S if how == "timeout" else 0.0
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
        assert took_s < PROMISED_S + (TIMEOUT_S if how == "timeout" else 0)
        return alive


async def all_survivors(folder: Path) -> list[str]:
    """Every kind, ended in every way."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(kind: str, how: str) -> str:
        async with places:
            home = folder / f"{kind} {how}"
            home.mkdir()
            return f"{kind} {how}\n" if await survivors(home, kind, how) else ""

    return await asyncio.gather(*(one(kind, how) for kind in KINDS for how in HOWS))


if __name__ == "__main__":
    print("".join(asyncio.run(all_survivors(Path(sys.argv[1])))), end="")
