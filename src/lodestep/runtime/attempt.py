"""One attempt in a step host: its processes, its log, its end.

running     the first process is alive
clearing    it has ended, or was told to; what is left of the tree is being killed
over        nothing is left, and `outcome.json` tells how it ended
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from typing import Any

from . import logfile, reap
from .cgroups import Group
from .outcome import OUTCOME, write_json

_READ = 256 * 1024
_PIPE = 1024 * 1024  # the most that a pipe may hold, unless its owner is root
_AGAIN_S = 0.005
_AGAIN_MOST_S = 0.5
_DISK_AGAIN_S = 1.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Attempt:
    """`due` is when to `look` at it again (monotonic), None while nothing is to be done."""

    def __init__(self, request: dict[str, Any], group: Group | None, boot: str) -> None:
        self.id: str = request["attempt_id"]
        self.directory: str = request["directory"]
        self.group = group
        self.pid = 0
        self.started_ms = now_ms()
        self.grace_s: float = request.get("grace_s") or 0
        self.pipe = -1
        self.status: int | None = None  # of the first process, as wait gives it
        self.canceled = False
        self.timed_out = False
        self.over = False
        self.outcome: dict[str, Any] | None = None
        self.kernel_kills_before = 0
        self.killed_for_memory = 0  # processes, by its own limit
        self.due: float | None = None
        self._boot = boot
        self._timeout_s: float = request.get("timeout_s") or 0
        self._memory_limit: int = request.get("memory_limit_bytes") or 0
        self._log = logfile.LogWriter(self.directory, request.get("log_bytes") or 1 << 26)
        self._cpu_s = 0.0
        self._max_rss_bytes = 0
        self._machine_oom = False
        self._kill_at: float | None = None
        self._again_s = _AGAIN_S
        self._log_fault = ""

    def began(self, pid: int, pipe: int, kernel_kills: int) -> None:
        self.pid = pid
        self.pipe = pipe
        self.kernel_kills_before = kernel_kills
        if self._timeout_s:
            self.due = time.monotonic() + self._timeout_s

    # what it writes

    def read_pipe(self, limit: int = _READ) -> bool:
        """Take what is in the pipe into the log, at most `limit` bytes. False at its end."""
        while limit > 0:
            try:
                data = os.read(self.pipe, min(limit, 65536))
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            limit -= len(data)
            try:
                self._log.write(data, now_ms())
            except OSError as error:  # disk full: the step goes on, its log has a hole
                self._log_fault = str(error)
            if len(data) < 65536:
                return True  # the pipe was emptied: another read would only say so
        return True

    # its end

    def cancel(self, grace_s: float) -> None:
        """Somebody wants it to end: SIGTERM now, SIGKILL after `grace_s`. Asked again, the shorter grace counts."""
        if self.over:
            return
        if self._kill_at is None:
            self.canceled = True
            self._terminate(grace_s)
        else:  # it is ending already, for whatever came first
            self._kill_at = min(self._kill_at, time.monotonic() + grace_s)
            self.due = self._kill_at if self.due is None else min(self.due, self._kill_at)

    def exited(self, status: int, usage: Any, machine_oom: bool) -> None:
        """The first process has ended."""
        self.status = status
        self._cpu_s += usage.ru_utime + usage.ru_stime
        self._max_rss_bytes = max(self._max_rss_bytes, usage.ru_maxrss * 1024)
        self._machine_oom = machine_oom
        self._kill_at = self.due = time.monotonic()
        self._again_s = _AGAIN_S

    @property
    def is_clearing(self) -> bool:
        return self.status is not None and not self.over

    def charge(self, usage: Any) -> None:
        """A process that this attempt left behind has ended."""
        self._cpu_s += usage.ru_utime + usage.ru_stime
        self._max_rss_bytes = max(self._max_rss_bytes, usage.ru_maxrss * 1024)

    def look(self, orphans: Iterable[int]) -> bool:
        """Do what is due. `orphans` are processes that no living attempt's first process owns. True once it is over."""
        now = time.monotonic()
        if self._kill_at is None:
            self.timed_out = True
            self._terminate(self.grace_s)
        elif now >= self._kill_at:
            left = self.tree() if self.status is None else self._listed() | set(orphans)
            if left:
                reap.kill(left)
            elif self.status is not None:
                self._finish()
                return self.over
            # Else the first process is dying: its status comes with the next SIGCHLD.
            self.due = now + self._again_s
            self._again_s = min(self._again_s * 1.5, _AGAIN_MOST_S)
        return self.over

    def tree(self) -> set[int]:
        """Every living process below and with the first one, which is alive."""
        return reap.alive({self.pid} | reap.descendants(self.pid) | self._listed())

    def give_up(self) -> None:
        """Its folder is gone: there is nothing to write to, and nobody who would read it."""
        self._log.close()
        self._remove_group()
        self.over = True
        self.due = None

    def own_oom_kills(self) -> int:
        """How many processes its own limit has killed so far."""
        return self.group.oom_kills() if self.group is not None else 0

    def _listed(self) -> set[int]:
        return self.group.processes() if self.group is not None else set()

    def _terminate(self, grace_s: float) -> None:
        tree = self.tree()
        reap.send(tree, signal.SIGTERM)
        reap.send(tree, signal.SIGCONT)  # a stopped process hears SIGTERM only when it goes on
        self._kill_at = self.due = time.monotonic() + grace_s

    def _finish(self) -> None:
        if self.outcome is None:
            if self.pipe >= 0:
                self.read_pipe(2 * _PIPE)  # whoever of the attempt could write is gone: what is in the pipe is all
            self._log.close()
            self.outcome = self._describe()
        try:
            write_json(self.directory, OUTCOME, self.outcome)
        except OSError:
            if not os.path.isdir(self.directory):
                self.outcome = None
                self.give_up()
                return
            self.due = time.monotonic() + _DISK_AGAIN_S  # disk full: nothing is reported that is not written
            return
        self._remove_group()
        self.due = None
        self.over = True

    def _remove_group(self) -> None:
        if self.group is not None:
            self.group.remove()

    def _describe(self) -> dict[str, Any]:
        code = os.waitstatus_to_exitcode(self.status or 0)
        group = self.group
        self.killed_for_memory = self.own_oom_kills()
        return {
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "boot": self._boot,
            "started_ms": self.started_ms,
            "ended_ms": max(now_ms(), self.started_ms),
            "max_rss_bytes": max(self._max_rss_bytes, group.peak_bytes() if group is not None else 0),
            "cpu_s": round(self._cpu_s, 6),
            "oom": self.killed_for_memory > 0,
            "machine_oom": self._machine_oom,
            "memory_limit_bytes": self._memory_limit,
            "timed_out": self.timed_out,
            "canceled": self.canceled,
            "log_bytes": self._log.total,
            "log_fault": self._log_fault,
        }
