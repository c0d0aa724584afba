"""Attempts whose step host has died: end what is left of them, and prove that nothing is.

How such an attempt would have ended cannot be known, so it is LOST; it may be started again once this has returned, and
there are never two live copies of it.
"""

import os
import time

from lodestep.core.model import Failure, FailureKind, Outcome
from lodestep.core.states import AttemptStatus
from lodestep.runtime import cgroups, reap
from lodestep.runtime import outcome as files

_PATIENCE_S = 10.0
_LOOK_S = 0.01


def began(directory: str) -> bool:
    """Did the attempt get so far that user code may have run?"""
    return os.path.exists(os.path.join(directory, files.STARTED))


def end(directory: str, now_ms: int) -> Outcome:
    """Kill what is left, look until nothing is, and say LOST. Blocks; for a thread."""
    started = files.read_json(directory, files.STARTED) or {}
    same_boot = started.get("boot", "") == reap.boot_id()
    # What a copied folder says of its processes is said of those of another home.
    known = started if same_boot and started.get("directory") == directory else {}
    traces = reap.Traces(directory, known.get("pid", -1), known.get("started", -1), known.get("log_pipe", ""))
    deadline = time.monotonic() + _PATIENCE_S
    while left := _left(traces, known.get("groups", [])):
        for pid in left:
            if (seen := reap.stat(pid)) is not None:
                reap.kill_known(pid, seen.started)
        if time.monotonic() > deadline:
            return _stuck(left, now_ms)
        time.sleep(_LOOK_S)
    why = "its step host died" if same_boot or not started else "the machine was started anew"
    return Outcome(
        state=AttemptStatus.LOST,
        failure=Failure(kind=FailureKind.LOST, message=why),
        started_ms=started.get("started_ms", 0),
        ended_ms=now_ms,
    )


def _left(traces: reap.Traces, groups: list[str]) -> set[int]:
    found = reap.of_attempt(traces)
    for group in groups:
        if _is_orphaned(group):
            found |= cgroups.processes_in(group)
    return reap.alive(found)


def _is_orphaned(group: str) -> bool:
    """Is the host dead whose group this is? Then everything in it is left over, whoever's it was."""
    return not cgroups.host_is_alive(group)


def _stuck(left: set[int], now_ms: int) -> Outcome:
    pids = ", ".join(str(pid) for pid in sorted(left))
    message = f"its step host died, and the processes {pids} cannot be ended"
    failure = Failure(kind=FailureKind.SYSTEM, message=message, hint="end them by hand, then retry", retryable=False)
    return Outcome(state=AttemptStatus.FAILED, failure=failure, ended_ms=now_ms)
