"""A step's first process, between the fork and user code. Does as little as can be: each step pays for it."""

from __future__ import annotations

import ctypes
import json
import marshal
import math
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

from . import mounts, pyexec, reap
from .cgroups import Group
from .outcome import ERROR, STARTED, write, write_json
from .title import Title

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # other programs expect the default
_CANNOT_START = 126
_NOT_FOUND = 127
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MOST_FILES = 65536
_ORDERS = 3  # where a spare reads its request
_REHEARSALS = 20
# What nearly every component does; the imports are those that compilers put before its source.
_HEARD = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_USUAL = """
import kfp
from kfp import dsl
from kfp.dsl import *
from typing import *
import json
def usual(a: int) -> int:
    return a
json.dumps(json.loads('{"inputs": {"a": [1]}}'))
"""
prctl = ctypes.CDLL(None).prctl  # looked up once, before the first fork


class Origin:
    """What a child knows of the host that forked it."""

    def __init__(self, pid: int, name: str, boot: str, groups: list[str]) -> None:
        self.pid = pid
        self.boot = boot
        self.title = Title()
        self._groups = groups
        self._text = '{"host":%s,"boot":%s,"groups":' % (json.dumps(name), json.dumps(boot))
        self._groups_text = json.dumps(groups)

    def describe(self, more_groups: list[str], own_text: str) -> bytes:
        """JSON of the host, of the groups of a child, and of what the child says itself, which is JSON already."""
        groups = json.dumps(self._groups + more_groups) if more_groups else self._groups_text
        return (self._text + groups + "," + own_text + "}").encode()


def make_streams() -> None:
    """Streams of this process as a step has them: of a pipe, so that they do not think that they can seek."""
    read, write = os.pipe()
    kept = [os.dup(number) for number in (0, 1, 2)]
    for number, end in enumerate((read, write, write)):
        os.dup2(end, number)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    out = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.stdout = sys.__stdout__ = out
    err = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    sys.stderr = sys.__stderr__ = err
    for number, descriptor in enumerate(kept):
        os.dup2(descriptor, number)
    for descriptor in (*kept, read, write):
        os.close(descriptor)


def prepare(origin: Origin) -> None:
    """What every step would have to do alike, done once by the host before its first fork."""
    for number in _HEARD:  # a server that was started in the background may have inherited that they are ignored
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _rehearse(origin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory may hold secrets, and a core fills the disk
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > _MOST_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, hard))


def _rehearse(origin: Origin) -> None:
    """Code that has run a few times was made fast for good; in a child that would copy the pages that it stands in."""
    kept = dict(os.environ)
    for _ in range(_REHEARSALS):
        _describe_self(origin, [], json.dumps("/"))
        os.environ.clear()
        os.environ.update(kept)


def run(request: dict[str, Any], output: int, group: Group | None, origin: Origin) -> NoReturn:
    """Become the step."""
    code = _CANNOT_START
    try:
        _settle(output, origin.pid)
        _close_from(3)
        code = _carry_out(request, group, origin)
    except BaseException as error:
        code = _report(request, error)
    finally:
        os._exit(code)


def wait(orders: int, output: int, origin: Origin) -> NoReturn:
    """Become ready for a step that is not known yet, read its request from `orders`, and become it.

    Nothing to read means that there will be none.
    """
    request: dict[str, Any] = {}
    code = _CANNOT_START
    try:
        _settle(output, origin.pid)
        os.dup2(orders, _ORDERS)
        _close_from(_ORDERS + 1)
        os.environ.clear()
        origin.title.set("lodestep: ready for a step")
        _touch_usual()
        data = bytearray()
        while part := os.read(_ORDERS, 1 << 16):
            data += part
        os.close(_ORDERS)
        if data:
            request = marshal.loads(data)
            code = _carry_out(request, None, origin)
    except BaseException as error:
        if request:
            code = _report(request, error)
    finally:
        os._exit(code)


def _touch_usual() -> None:
    """Use what a component will use: the first use in a process copies pages, which takes longer than the use."""
    if "kfp" in sys.modules:
        exec(compile(_USUAL, "usual", "exec"), {"__name__": "usual"})


def _settle(output: int, host: int) -> None:
    """Bound to the host; own session, own signals, own streams.

    When the host is killed, the kernel ends this process with it: an end that nobody saw is no end. As a subreaper this
    process keeps all that it starts below it, as the first process of a container does.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != host:
        os._exit(_CANNOT_START)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what came since the fork takes effect now
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    _offer_to_the_kernel()


def _offer_to_the_kernel() -> None:
    """Before the server, should the machine run out of memory."""
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"500")
        os.close(descriptor)
    except OSError:
        pass


def _close_from(first: int) -> None:
    """No descriptor of the host's."""
    if sys.version_info >= (3, 10):  # noqa: UP036 - this package runs on older interpreters than the server
        os.closerange(first, 1 << 20)  # one system call
        return
    for name in os.listdir("/proc/self/fd"):  # there it would be a million
        if int(name) >= first:
            try:
                os.close(int(name))
            except OSError:
                pass


def _carry_out(request: dict[str, Any], group: Group | None, origin: Origin) -> int:
    if group is not None:
        group.join()
    _announce(request, group, origin)
    for folder in request.get("folders", ()):
        _make_folder(folder)
    if request.get("mounts"):
        mounts.apply(request["mounts"], os.path.join(request["directory"], "mounts"))
    os.chdir(os.path.join(request["directory"], "work"))
    _limit(request, group)
    python = request.get("python")
    if python is None:
        return _execute(request)
    origin.title.set("lodestep: step %s" % request.get("title", ""))
    return _call(request, python)


def _announce(request: dict[str, Any], group: Group | None, origin: Origin) -> None:
    """Who this attempt is, on disk before any user code runs: a lost host's successor finds and ends it by this."""
    directory = request["directory"]
    groups = group.paths if group is not None else []
    write(directory, STARTED, _describe_self(origin, groups, json.dumps(directory)))


def _describe_self(origin: Origin, groups: list[str], directory: str) -> bytes:
    pid = os.getpid()
    own = reap.stat(pid)
    own_text = '"pid":%d,"started":%d,"started_ms":%d,"log_pipe":"pipe:[%d]","directory":%s' % (
        pid,
        own.started if own else 0,
        time.time_ns() // 1_000_000,
        os.fstat(1).st_ino,
        directory,
    )
    return origin.describe(groups, own_text)


def _make_folder(path: str) -> None:
    try:
        os.mkdir(path)
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:
        pass


def _limit(request: dict[str, Any], group: Group | None) -> None:
    """What a control group does not do here."""
    cpus = request.get("cpu_limit") or 0
    if cpus and not (group is not None and group.cpu_limited):
        _pin(cpus)
    memory = request.get("memory_limit_bytes") or 0
    if memory and not (group is not None and group.memory_limited):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _pin(cpus: float) -> None:
    """As many processors as were asked for, rounded up; which ones differs from step to step."""
    allowed = sorted(os.sched_getaffinity(0))
    wanted = max(1, math.ceil(cpus))
    if wanted < len(allowed):
        start = os.getpid() % len(allowed)
        os.sched_setaffinity(0, [(allowed + allowed)[start + i] for i in range(wanted)])


def _call(request: dict[str, Any], python: dict[str, Any]) -> int:
    """A Python component, in this process."""
    os.environ.clear()
    os.environ.update(_environment(request))
    if "TZ" in os.environ:
        time.tzset()
    folders = os.environ.get("PYTHONPATH", "")
    if folders:
        sys.path[0:0] = [folder for folder in folders.split(os.pathsep) if folder]
    return pyexec.run(dict(python, directory=request["directory"]))


def _execute(request: dict[str, Any]) -> int:
    """A program, in place of this process."""
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    argv = request["argv"]
    try:
        os.execvpe(argv[0], argv, _environment(request))
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = "no such program here" if missing else error.strerror
        _say_and_note(request, "CannotRun", "%s: %s" % (argv[0], why))
        return _NOT_FOUND if missing else _CANNOT_START


def _environment(request: dict[str, Any]) -> dict[str, str]:
    env: dict[str, str] = request["env"]
    env["LODESTEP_ATTEMPT"] = request["attempt_id"]
    env[reap.MARKER] = request["directory"]
    return env


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
