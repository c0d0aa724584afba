"""Forks the first processes of attempts, and keeps one ready that has already done what every step begins with.

Such a spare knows nothing of any attempt. It waits for its request in a pipe of its own, and ends when that is closed.
It takes a third of a step's time off the way from one step to the next.
"""

from __future__ import annotations

import marshal
import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from . import child
from .cgroups import Group

_FITS = 60_000  # into an empty pipe, without waiting


class _Spare(NamedTuple):
    pid: int
    log: int  # where its output can be read
    orders: int  # where its request is written


class Forks:
    """`fork` gives (process id, descriptor to read its output from). Raises OSError where there can be no process."""

    def __init__(self, origin: child.Origin) -> None:
        self._origin = origin
        self._spare: _Spare | None = None
        self._is_wanted = False

    @property
    def spare_pid(self) -> int:
        return self._spare.pid if self._spare is not None else 0

    def fork(self, request: dict[str, Any], group: Group | None) -> tuple[int, int]:
        self._is_wanted = True
        if group is None and (taken := self._use_spare(request)) is not None:
            return taken
        return _fork(lambda output: child.run(request, output, group, self._origin))

    def keep_ready(self) -> None:
        """Have a spare, if steps are being started. Without one it goes on as well."""
        if self._spare is not None or not self._is_wanted:
            return
        self._is_wanted = False  # if this fails, the next launch says when to try again
        read = write = -1
        try:
            read, write = os.pipe()
            os.set_blocking(write, False)
            pid, log = _fork(lambda output: child.wait(read, output, self._origin))
        except OSError:
            _close(write)
        else:
            self._spare = _Spare(pid, log, write)
        finally:
            _close(read)

    def has_ended(self, pid: int) -> bool:
        """Was it the spare that ended? Then it is forgotten."""
        spare = self._spare
        if spare is None or spare.pid != pid:
            return False
        self._spare = None
        _close(spare.log)
        _close(spare.orders)
        return True

    def close(self) -> None:
        """End the spare."""
        if self._spare is not None:
            pid = self._spare.pid
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.has_ended(pid)

    def _use_spare(self, request: dict[str, Any]) -> tuple[int, int] | None:
        spare = self._spare
        data = marshal.dumps(request)
        if spare is None or len(data) > _FITS:
            return None
        try:
            whole = os.write(spare.orders, data) == len(data)
        except OSError:  # it is dead
            whole = False
        if not whole:
            self.close()
            return None
        self._spare = None
        os.close(spare.orders)
        return spare.pid, spare.log


def _fork(become: Callable[[int], NoReturn]) -> tuple[int, int]:
    read, write = os.pipe()
    try:
        os.set_blocking(read, False)
        pid = os.fork()
        if pid == 0:
            become(write)
    except OSError:
        os.close(read)
        raise
    finally:
        os.close(write)
    return pid, read


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
