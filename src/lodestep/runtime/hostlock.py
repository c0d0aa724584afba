"""Which process is the step host of an environment: a lock held for life, and in its file who holds it.

Stands in the current folder. A lock that nobody holds is free, whatever its file says.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from typing import NamedTuple

from . import reap

_PATIENCE_S = 5.0
_LOOK_S = 0.01


class Holder(NamedTuple):
    """The process that holds the lock, or held it last."""

    pid: int
    started: int
    boot: str

    @property
    def is_alive(self) -> bool:
        return self.boot == reap.boot_id() and reap.is_alive(self.pid, self.started)


class HostLock:
    def __init__(self, name: str) -> None:
        self._name = name
        self._descriptor = -1

    def take(self) -> bool:
        """Be the host. False where another one serves; one that is about to end is waited for."""
        self._descriptor = os.open(self._name + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if self._is_served() or time.monotonic() > deadline:
                    return False
                time.sleep(_LOOK_S)
        own = reap.stat(os.getpid())
        text = "%d %d %s\n" % (os.getpid(), own.started if own else 0, reap.boot_id())
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)
        return True

    def _is_served(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            try:
                sock.connect(self._name + ".sock")
            except OSError:
                return False
        return True


def holder(folder: str, name: str) -> Holder | None:
    """Who holds the lock of a host, or held it last."""
    try:
        with open(os.path.join(folder, name + ".lock")) as file:
            pid, started, boot = file.read().split()
        return Holder(int(pid), int(started), boot)
    except (OSError, ValueError):
        return None
