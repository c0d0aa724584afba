"""The step host: a small process that forks steps and looks after them until nothing of them is left.

One for each Python environment of a home. It outlives the server; a restarted server connects again and asks what
runs. How an attempt ended is written to its directory by this process, its parent, and that file is the word that
counts: what is told to servers only saves them a look. Single-threaded, because it forks.
When no server is connected and no attempt runs, it ends by itself.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from . import child, pyexec, reap
from .attempt import Attempt
from .cgroups import Groups
from .forks import Forks
from .hostlock import HostLock
from .kernelkills import KernelKills
from .outcome import OUTCOME, STARTED, read_json
from .places import Places
from .servers import Connection, Ready, Servers
from .signals import Signals

_IDLE_S = 2.0
_HOME_LOOK_S = 5.0  # how often a host without a server looks whether its home is still there
_PR_SET_CHILD_SUBREAPER = 36
_SHELL_SAYS_KILLED = 128 + signal.SIGKILL  # exit code of a shell whose program was killed


class Host:
    def __init__(self, folder: str, name: str, listener: socket.socket) -> None:
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._servers = Servers(listener, self._selector, self._take, self._greeting)
        self._attempts: dict[str, Attempt] = {}
        self._by_pid: dict[int, Attempt] = {}
        self._groups = Groups()
        self._origin = child.Origin(os.getpid(), name, reap.boot_id(), self._groups.host_groups)
        child.prepare(self._origin)
        self._forks = Forks(self._origin)
        self._places = Places(name)
        self._kernel_kills = KernelKills()
        self._ending = False
        self._children_ended = False
        self._idle_since = time.monotonic()

    def serve(self) -> None:
        """Until there is nothing left to do."""
        signals = Signals((signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        self._selector.register(signals.descriptor, selectors.EVENT_READ, _when_ready(lambda: self._heard(signals)))
        gc.collect()
        gc.freeze()  # what was imported is never looked at again, and stays shared with the children
        while not self._is_done():
            for key, mask in self._selector.select(self._patience()):
                self._guarded(key.data, mask)
            if self._children_ended:
                self._children_ended = False
                self._wait_for_children()
            self._look_at_due()
            self._servers.flush()
            if not self._ending:
                self._forks.keep_ready()
                self._places.keep_ready()
        self._forks.close()
        self._places.close()
        self._groups.close()

    def _guarded(self, work: Ready, mask: int) -> None:
        """A fault in one thing must not end what else runs here."""
        try:
            work(mask)
        except Exception:
            traceback.print_exc()

    # signals

    def _heard(self, signals: Signals) -> None:
        heard = signals.read()
        if signal.SIGCHLD in heard:
            self._children_ended = True
        if signal.SIGTERM in heard:
            self._end_all(None)

    def _end_all(self, grace_s: float | None) -> None:
        """End every attempt, and then this host."""
        self._ending = True
        for attempt in self._attempts.values():
            attempt.cancel(attempt.grace_s if grace_s is None else grace_s)

    # when to wake, when to end

    def _patience(self) -> float | None:
        now = time.monotonic()
        due = [attempt.due for attempt in self._attempts.values() if attempt.due is not None]
        if self._servers.due is not None:
            due.append(self._servers.due)
        if not self._servers:
            due.append(now + _HOME_LOOK_S if self._attempts else self._idle_until())
        return max(0.0, min(due) - now) if due else None

    def _is_done(self) -> bool:
        if not self._servers and self._attempts and not self._ending and self._is_home_gone():
            self._end_all(0.0)
        if self._attempts:
            return False
        if self._ending:
            return True
        return not self._servers and time.monotonic() >= self._idle_until()

    def _idle_until(self) -> float:
        return max(self._idle_since, self._servers.last_seen) + _IDLE_S

    def _is_home_gone(self) -> bool:
        try:
            return os.stat(self._folder).st_ino != os.stat(".").st_ino
        except OSError:
            return True

    def _greeting(self) -> dict[str, Any]:
        return {"hello": self._origin.pid, "running": list(self._attempts)}

    def _take(self, connection: Connection, message: dict[str, Any]) -> None:
        try:
            self._do(connection, message)
        except Exception:  # a fault in one request must not keep another from being heard
            traceback.print_exc()

    def _do(self, connection: Connection, message: dict[str, Any]) -> None:
        if "launch" in message:
            self._launch(connection, message["launch"])
        elif "cancel" in message:
            attempt = self._attempts.get(message["cancel"])
            if attempt is not None:
                attempt.cancel(message["grace_s"])
        elif "end" in message:
            self._end_all(message["end"])

    # attempts

    def _launch(self, connection: Connection, request: dict[str, Any]) -> None:
        attempt_id, directory = request["attempt_id"], request["directory"]
        if attempt_id in self._attempts:
            return
        try:
            is_new = self._places.make(directory)
            if not is_new and os.path.exists(os.path.join(directory, STARTED)):  # by another host, in an earlier life
                outcome = read_json(directory, OUTCOME)
                told = {"known": attempt_id} if outcome is None else {"ended": attempt_id, "outcome": outcome}
                self._servers.send(connection, told)
                return
            attempt = self._fork(request)
        except Exception as error:
            if not isinstance(error, OSError):
                traceback.print_exc()
            self._servers.send(connection, {"failed": attempt_id, "why": str(error) or type(error).__name__})
            return
        self._servers.send(connection, {"started": attempt_id, "started_ms": attempt.started_ms}, later=True)

    def _fork(self, request: dict[str, Any]) -> Attempt:
        memory, cpus = request.get("memory_limit_bytes") or 0, request.get("cpu_limit") or 0
        group = self._groups.open(request["attempt_id"], memory, cpus) if memory or cpus else None
        attempt = Attempt(request, group, self._origin.boot)
        try:
            pid, read = self._forks.fork(request, group)
        except OSError:
            attempt.give_up()
            raise
        attempt.began(pid, read, self._kernel_kills.so_far())
        self._attempts[attempt.id] = attempt
        self._by_pid[pid] = attempt
        self._selector.register(read, selectors.EVENT_READ, _when_ready(lambda: self._read_log(attempt)))
        return attempt

    def _read_log(self, attempt: Attempt) -> None:
        if attempt.pipe >= 0 and not attempt.read_pipe():
            self._close_pipe(attempt)

    def _close_pipe(self, attempt: Attempt) -> None:
        if attempt.pipe >= 0:
            self._selector.unregister(attempt.pipe)
            os.close(attempt.pipe)
            attempt.pipe = -1

    def _wait_for_children(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            attempt = self._by_pid.pop(pid, None)
            if attempt is not None:
                attempt.exited(status, usage, self._was_machine_oom(attempt, status))
            elif not self._forks.has_ended(pid):
                self._orphan_ended(usage)

    def _orphan_ended(self, usage: Any) -> None:
        clearing = [attempt for attempt in self._attempts.values() if attempt.is_clearing]
        if len(clearing) == 1:
            clearing[0].charge(usage)
        for attempt in clearing:
            attempt.due = time.monotonic()

    def _was_machine_oom(self, attempt: Attempt, status: int) -> bool:
        """Was SIGKILL the kernel's own, for want of memory somewhere on this machine?"""
        if os.waitstatus_to_exitcode(status) not in (-signal.SIGKILL, _SHELL_SAYS_KILLED):
            return False
        explained = sum(each.own_oom_kills() for each in self._attempts.values())
        return self._kernel_kills.claim(attempt.kernel_kills_before, explained)

    def _look_at_due(self) -> None:
        now = time.monotonic()
        due = [attempt for attempt in self._attempts.values() if attempt.due is not None and attempt.due <= now]
        if not due:
            return
        self._wait_for_children()
        orphans = self._orphans()
        for attempt in due:
            try:
                over = attempt.look(orphans)
            except Exception:
                traceback.print_exc()
                attempt.due = now + 1.0
                continue
            if over:
                self._close_pipe(attempt)
                del self._attempts[attempt.id]
                self._kernel_kills.explain(attempt.killed_for_memory)
                self._idle_since = now
                self._servers.tell({"ended": attempt.id, "outcome": attempt.outcome})

    def _orphans(self) -> set[int]:
        """Processes whose attempt's first process has ended, zombies among them. While it lives, they are below it.

        Nobody but this process takes children off its list, and a process hands its own children on before it is a
        zombie: so when nobody is found here, nobody is left. Only one that undid that for itself can have orphans here
        before it ends; they end with the next attempt.
        """
        found: set[int] = set()
        for pid in reap.own_children():
            if pid not in self._by_pid and pid != self._forks.spare_pid:
                found |= {pid} | reap.descendants(pid)
        return found


def _when_ready(work: Callable[[], None]) -> Ready:
    return lambda _mask: work()


def main(folder: str, name: str, ready: int) -> int:
    """Serve on the socket `folder/NAME.sock`. Tells by a byte to `ready` that it listens, or that another does."""
    os.chdir(folder)  # the socket's name stays short, however long the path is
    lock = HostLock(name)
    if not lock.take():
        os.write(ready, b"o")
        return 0
    child.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans of steps come to this process, so that none is lost
    os.umask(0o077)
    try:
        os.unlink(name + ".sock")
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(name + ".sock")
    listener.listen(16)
    listener.setblocking(False)
    child.make_streams()
    pyexec.warm()
    host = Host(folder, name, listener)
    os.write(ready, b"r")
    os.close(ready)
    try:
        host.serve()
    finally:
        try:
            os.unlink(name + ".sock")
        except OSError:
            pass
    sys.stdout.flush()
    return 0
