"""A step's first process, between the fork and user code. Does as little as can be: each step pays for it."""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

from . import mounts, pyexec, reap
from .cgroups import Group
from .outcome import ERROR, STARTED, write_json

_SIGNALS = (
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGXFSZ,  # ignored by Python itself; other programs expect the default
)
_CANNOT_START = 126
_NOT_FOUND = 127
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MOST_FILES = 65536
prctl = ctypes.CDLL(None).prctl  # looked up once, before the first fork


class Origin:
    """What a child knows of the host that forked it."""

    def __init__(self, pid: int, name: str, boot: str, groups: list[str]) -> None:
        self.pid = pid
        self.name = name
        self.boot = boot
        self.groups = groups


def run(request: dict[str, Any], output: int, group: Group | None, origin: Origin) -> NoReturn:
    """Become the step. All signals are blocked when this is called, so that none is lost to the host's handlers."""
    code = _CANNOT_START
    try:
        _belong_to(origin.pid)
        _settle(output)
        if group is not None:
            group.join()
        _limit(request, group)
        _announce(request, group, origin)
        for folder in request.get("folders", ()):
            os.makedirs(folder, exist_ok=True)
        if request.get("mounts"):
            mounts.apply(request["mounts"], os.path.join(request["directory"], "mounts"))
        os.chdir(os.path.join(request["directory"], "work"))
        _take_environment(request)
        code = _step(request, group)
    except BaseException as error:
        code = _report(request, error)
    finally:
        os._exit(code)


def _belong_to(host: int) -> None:
    """When the host is killed, the kernel ends this process with it: an end that nobody saw is no end.

    As a subreaper this process keeps all that it starts below it, as the first process of a container does.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != host:
        os._exit(_CANNOT_START)


def _settle(output: int) -> None:
    """Own session, own signals, own streams, and no descriptor of the host's."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    _close_others()
    os.umask(0o077)
    sys.stdin = open(0, closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)


def _close_others() -> None:
    if sys.version_info >= (3, 10):  # noqa: UP036 - this package runs on older interpreters than the server
        os.closerange(3, 1 << 20)  # one system call
        return
    for name in os.listdir("/proc/self/fd"):  # there it would be a million
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass


def _limit(request: dict[str, Any], group: Group | None) -> None:
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"500")  # before the server, should the machine run out of memory
        os.close(descriptor)
    except OSError:
        pass
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory may hold secrets, and a core fills the disk
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > _MOST_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, hard))
    cpus = request.get("cpu_limit") or 0
    if cpus and not (group is not None and group.cpu_limited):
        _pin(cpus)


def _pin(cpus: float) -> None:
    """As many processors as were asked for, rounded up; which ones differs from step to step."""
    allowed = sorted(os.sched_getaffinity(0))
    wanted = max(1, math.ceil(cpus))
    if wanted < len(allowed):
        start = os.getpid() % len(allowed)
        os.sched_setaffinity(0, [(allowed + allowed)[start + i] for i in range(wanted)])


def _announce(request: dict[str, Any], group: Group | None, origin: Origin) -> None:
    """Who this attempt is, on disk before any user code runs: a lost host's successor finds and ends it by this.

    Not by way of another name: if it is only half there, the attempt has begun all the same, and no user code has run.
    """
    own = reap.stat(os.getpid())
    started = {
        "pid": os.getpid(),
        "started": own.started if own else 0,
        "boot": origin.boot,
        "started_ms": time.time_ns() // 1_000_000,
        "host": origin.name,
        "log_pipe": os.readlink("/proc/self/fd/1"),
        "groups": origin.groups + (group.paths if group is not None else []),
    }
    path = os.path.join(request["directory"], STARTED)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(descriptor, json.dumps(started).encode())
    os.close(descriptor)


def _take_environment(request: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(request["env"])
    os.environ[reap.MARKER] = request["attempt_id"]
    if "TZ" in request["env"]:
        time.tzset()


def _step(request: dict[str, Any], group: Group | None) -> int:
    memory = request.get("memory_limit_bytes") or 0
    if memory and not (group is not None and group.memory_limited):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    python = request.get("python")
    if python is not None:
        folders = os.environ.get("PYTHONPATH", "")
        if folders:
            sys.path[0:0] = [folder for folder in folders.split(os.pathsep) if folder]
        return pyexec.run(dict(python, directory=request["directory"]))
    argv = request["argv"]
    try:
        os.execvpe(argv[0], argv, os.environ)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = "no such program here" if missing else error.strerror
        _say_and_note(request, "CannotRun", "%s: %s" % (argv[0], why))
        return _NOT_FOUND if missing else _CANNOT_START


def _report(request: dict[str, Any], error: BaseException) -> int:
    """What kept the step from starting, where the outcome's reader looks for it."""
    kind = "MemoryError" if isinstance(error, MemoryError) else "CannotStart"
    _say_and_note(request, kind, str(error) or type(error).__name__)
    return _CANNOT_START


def _say_and_note(request: dict[str, Any], kind: str, message: str) -> None:
    try:
        print("lodestep: the step could not be started: " + message, file=sys.stderr)
        write_json(request["directory"], ERROR, {"type": kind, "message": message, "traceback": ""})
    except OSError:
        pass
