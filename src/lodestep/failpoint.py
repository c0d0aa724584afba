"""Named places where a test may stop, kill or break the process.

A fail point does nothing unless `LODESTEP_FAILPOINT` names it: `name:action` or `name:count:action`, several joined by
commas. `count` is which passage acts (1 is the first, the default). Actions: `kill` (SIGKILL to this process), `exit`,
`error` (raises `OSError(EIO)`), `full` (raises `OSError(ENOSPC)`), `sleep=SECONDS`.

The names of all fail points stand in `POINTS`, so that a crash test can walk through every one of them.
"""

import errno
import os
import signal
import time

POINTS = (
    "submit.before-commit",
    "submit.after-commit",
    "writer.before-commit",
    "writer.after-commit",
    "engine.before-record",
    "engine.after-record",
    "engine.before-launch",
    "engine.after-launch",
    "engine.before-finish",
    "engine.after-finish",
    "runner.before-send",
    "runner.after-send",
    "runner.before-collect",
    "runner.after-collect",
    "cancel.before-send",
    "cancel.after-send",
    "retry.before-commit",
    "retry.after-commit",
    "adopt.before",
    "adopt.after",
    "upload.before-commit",
    "upload.after-commit",
)


class _Armed:
    __slots__ = ("action", "left")

    def __init__(self, count: int, action: str) -> None:
        self.left = count
        self.action = action


def _parse(text: str) -> dict[str, _Armed]:
    armed: dict[str, _Armed] = {}
    for part in filter(None, text.split(",")):
        name, *rest = part.split(":")
        count = int(rest[0]) if len(rest) == 2 else 1
        armed[name] = _Armed(count, rest[-1] if rest else "kill")
    return armed


_armed = _parse(os.environ.get("LODESTEP_FAILPOINT", ""))


def hit(name: str) -> None:
    """Pass the fail point `name`."""
    if _armed and name in _armed:
        _act(_armed[name])


def arm(text: str) -> None:
    """Arm fail points of this process, in place of the environment's. An empty text disarms all."""
    _armed.clear()
    _armed.update(_parse(text))


def _act(point: _Armed) -> None:
    point.left -= 1
    if point.left != 0:
        return
    match point.action.partition("="):
        case ("kill", _, _):
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        case ("exit", _, _):
            os._exit(77)
        case ("error", _, _):
            raise OSError(errno.EIO, "fail point")
        case ("full", _, _):
            raise OSError(errno.ENOSPC, "fail point")
        case ("sleep", _, seconds):
            time.sleep(float(seconds))
        case (other, _, _):
            raise ValueError(f"fail point action {other!r}: expected kill, exit, error, full or sleep=SECONDS")
