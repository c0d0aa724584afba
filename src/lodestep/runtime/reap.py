"""Processes: who they are, who belongs to an attempt, and their end.

A process is known by pid, start time and boot, because pids come back. The first process of an attempt is a subreaper:
while it lives, its whole tree hangs below it, whatever forks twice or makes a session of its own. Once it has ended,
what is left comes to the step host, a subreaper as well. Where the host is dead too, a process is told by the traces
that it carries: its session, its environment, its folder, its end of the log.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable

MARKER = "LODESTEP_FOLDER"  # in the environment of a step: the folder of its attempt
_QUIET = 2


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


class Stat:
    """What `/proc/PID/stat` says that matters here."""

    __slots__ = ("parent", "session", "started", "state", "threads")

    def __init__(self, parent: int, session: int, started: int, state: str, threads: int) -> None:
        self.parent = parent
        self.session = session
        self.started = started
        self.state = state
        self.threads = threads

    @property
    def is_alive(self) -> bool:
        # A process whose first thread has ended looks like a zombie while its other threads go on.
        return self.state not in ("Z", "X") or self.threads > 1


def stat(pid: int) -> Stat | None:
    """None where there is no such process."""
    words = _read("/proc/%d/stat" % pid).rpartition(b")")[2].split()
    if len(words) < 20:
        return None
    return Stat(int(words[1]), int(words[3]), int(words[19]), words[0].decode(), int(words[17]))


def is_alive(pid: int, started: int) -> bool:
    """Is this very process there, and no zombie?"""
    found = stat(pid)
    return found is not None and found.started == started and found.is_alive


def alive(pids: Iterable[int]) -> set[int]:
    """Those that are there and no zombies."""
    found: set[int] = set()
    for pid in pids:
        seen = stat(pid)
        if seen is not None and seen.is_alive:
            found.add(pid)
    return found


_TELLS_CHILDREN = os.path.exists("/proc/self/task/%d/children" % os.getpid())


def children(pid: int) -> list[int]:
    """Direct children of a process, dead ones among them."""
    if not _TELLS_CHILDREN:
        return [other for other in everyone() if (seen := stat(other)) is not None and seen.parent == pid]
    found: list[int] = []
    for thread in _list("/proc/%d/task" % pid):
        found += map(int, _read("/proc/%d/task/%s/children" % (pid, thread)).split())
    return found


def own_children() -> list[int]:
    """Those of this process, which has but one thread."""
    pid = os.getpid()
    return list(map(int, _read("/proc/%d/task/%d/children" % (pid, pid)).split())) if _TELLS_CHILDREN else children(pid)


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children(waiting.pop()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def everyone() -> list[int]:
    """Ids of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


class Traces:
    """By what a process of an attempt is told whose step host is dead. Empty or -1: not known.

    An attempt is known by its folder, not by its id: a copy of a home has the same ids, and is another home.
    """

    def __init__(self, directory: str, pid: int = -1, started: int = -1, log_pipe: str = "") -> None:
        self.directory = directory
        self.pid = pid
        self.started = started
        self.log_pipe = log_pipe
        self._mark = os.fsencode("%s=%s" % (MARKER, directory))

    def fit(self, pid: int, seen: Stat) -> bool:
        if pid == self.pid and seen.started == self.started:
            return True
        if seen.session == self.pid and seen.started >= self.started:
            return True
        # Of a process whose first thread has ended, only the other threads still show something.
        shown = ["/proc/%d/task/%s" % (pid, name) for name in _list("/proc/%d/task" % pid)][:2]
        if any(self._fit_shown(folder) for folder in shown):
            return True
        # One that is just ending shows nothing any more, and may still hold what it had open. It is waited for.
        return bool(shown) and all(map(_has_left, shown))

    def _fit_shown(self, folder: str) -> bool:
        if self._mark in _read(folder + "/environ").split(b"\0"):
            return True
        if (_link(folder + "/cwd") + "/").startswith(self.directory + "/"):
            return True
        # Only its own processes were given the other end of its log.
        return bool(self.log_pipe) and any(_link("%s/fd/%d" % (folder, fd)) == self.log_pipe for fd in (1, 2))


def of_attempt(traces: Traces) -> set[int]:
    """Living processes that can be told to belong to an attempt. Nothing only when surely none is there.

    Processes come and go while one looks: so it is looked again until no new one has come. Twice, because a list that
    is read from low ids to high ones misses a process whose id has just begun anew from the low end.
    """
    known: set[int] = set()
    quiet = 0
    while quiet < _QUIET:
        fresh = set(everyone()) - known
        quiet = 0 if fresh else quiet + 1
        known |= fresh
        found: set[int] = set()
        for pid in fresh:
            seen = stat(pid)
            if seen is not None and seen.is_alive and pid != os.getpid() and traces.fit(pid, seen):
                found |= {pid} | descendants(pid)
        found = alive(found)
        if found:
            return found
    return set()


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _read(path: str) -> bytes:
    """A file of the kernel's; b"" where it is gone. Such files are short, and this is called often."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    data = b""
    try:
        while part := os.read(descriptor, 65536):
            data += part
    except OSError:  # the process ended meanwhile
        pass
    finally:
        os.close(descriptor)
    return data


def _has_left(folder: str) -> bool:
    """Has a thread no folder any more, on its way to its end?"""
    try:
        os.readlink(folder + "/cwd")
    except PermissionError:  # somebody else's
        return False
    except OSError:
        return True
    return False


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each of them that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def kill(pids: Iterable[int]) -> None:
    send(pids, signal.SIGKILL)


def kill_known(pid: int, started: int) -> None:
    """SIGKILL for this very process. A pid that meanwhile came back to another is spared."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if is_alive(pid, started):  # looked at after it was taken hold of, so it cannot change any more
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(handle)


def wait_gone(pid: int, started: int, patience_s: float) -> bool:
    """Wait until this very process has ended. False when it has not in time. Blocks."""
    deadline = time.monotonic() + patience_s
    while is_alive(pid, started):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            time.sleep(min(left, 0.01))
            continue
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll(left * 1000)
        finally:
            os.close(handle)
    return True
