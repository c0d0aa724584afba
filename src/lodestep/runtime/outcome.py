"""Small files in an attempt's folder that are there whole or not at all: how it ended, what kept it from starting."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import Any

STARTED = "started.json"
OUTCOME = "outcome.json"
ERROR = "error.json"
_MOST_BYTES = 4 * 1024 * 1024
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # follows no link, waits for no pipe


def partial(name: str) -> str:
    """What a file is called until it is whole."""
    return "." + name + ".partial"


def write_json(directory: str, name: str, value: Any) -> None:
    """Write `directory/name`, whole."""
    write(directory, name, json.dumps(value).encode())


def write(directory: str, name: str, data: bytes) -> None:
    """Write `directory/name`: to another name first, so that no one reads half of it.

    The folder is the step's as well: what it has put in the way, a folder or a pipe, is moved aside.
    """
    path, target = os.path.join(directory, partial(name)), os.path.join(directory, name)
    try:
        _write(path, target, data)
    except OSError:
        if not _move_aside(path) | _move_aside(target):
            raise
        _write(path, target, data)


def _write(path: str, target: str, data: bytes) -> None:
    # Not O_TRUNC: some file systems write a file to the disk at once that was emptied first.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _PLAIN, 0o600)
    try:
        if os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, 0)
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)
    os.rename(path, target)


def _move_aside(path: str) -> bool:
    """Was there something else than a file?"""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            return False
        os.rename(path, "%s.aside-%d" % (path, time.monotonic_ns()))
    except OSError:
        return False
    return True


def read_json(directory: str, name: str) -> dict[str, Any] | None:
    """The object in `directory/name`; None where it is missing, not whole (the machine lost power) or no file."""
    try:
        with open(os.open(os.path.join(directory, name), os.O_RDONLY | _PLAIN), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            found = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
