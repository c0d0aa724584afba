"""How an attempt ended, in words for the person who reads them. Reads its error file and the end of its log."""

import re
import signal
from typing import Any

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind
from lodestep.runtime import logfile
from lodestep.runtime import outcome as files

_TAIL_BYTES = 4000
_LINE = 300
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_SIGNALLED = 128  # a shell's exit code for a program that a signal ended, less the signal
_SIGNAL_HINTS = {
    "SIGKILL": "something outside killed it: often the kernel, when memory is short",
    "SIGTERM": "something outside asked it to end",
    "SIGSEGV": "native code crashed: a compiled package of the step",
    "SIGBUS": "native code crashed, or a file that it had mapped became shorter: often a full disk",
    "SIGILL": "native code has instructions that this processor does not know",
    "SIGABRT": "native code gave up: look at the end of the log",
    "SIGFPE": "native code divided by zero",
    "SIGPIPE": "it wrote to something that had gone away",
    "SIGXFSZ": "it wrote a file larger than the limit of this machine",
    "SIGXCPU": "it used more processor time than the limit of this machine",
    "SIGSYS": "it made a system call that this machine does not allow",
}
# What programs say whose request for memory was refused.
_REFUSED = re.compile(r"\bMemoryError\b|Cannot allocate memory|std::bad_alloc|[Oo]ut of memory|memory exhausted")
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def failure(spec: LaunchSpec, told: dict[str, Any]) -> Failure | None:
    """Why the attempt failed of which its parent wrote `told`; None if it did not, as far as its end shows."""
    if told["timed_out"]:
        return _of_timeout(spec, told)
    if told["exit_code"] == 0:
        return None
    error = files.read_json(spec.directory, files.ERROR) or {}
    lines = _last_lines(spec)
    if told["oom"] or _was_refused(spec, told, error, lines):
        return _of_memory(spec, told, lines)
    if told["machine_oom"]:
        return _of_machine(told, lines)
    if error:
        return _of_error(spec, error, told["exit_code"])
    if told["signal"] is not None:
        return _of_signal(told["signal"], lines)
    return _of_exit(spec, told["exit_code"], lines)


def _of_timeout(spec: LaunchSpec, told: dict[str, Any]) -> Failure:
    limit = _seconds(spec.timeout_s)
    hint = "raise the task's time-out, or find out what it waits for: the end of its log is below"
    if told["signal"] == signal.SIGKILL:
        hint += f". It did not end by itself within {_seconds(spec.grace_s)} of SIGTERM, so it was killed"
    return Failure(
        kind=FailureKind.TIMEOUT,
        message=f"ran longer than its time-out of {limit} and was ended",
        hint=hint,
        exit_code=told["exit_code"],
        signal=told["signal"],
        detail=_last_lines(spec),
    )


# memory


def _was_refused(spec: LaunchSpec, told: dict[str, Any], error: dict[str, Any], lines: str) -> bool:
    """Did it fail because it was not given the memory that it asked for?"""
    if not spec.resources.memory_limit_bytes:
        return False
    if error:
        return error.get("type") == "MemoryError"
    return told["signal"] in (None, signal.SIGABRT) and _REFUSED.search(lines) is not None


def _of_memory(spec: LaunchSpec, told: dict[str, Any], lines: str) -> Failure:
    limit = _size(spec.resources.memory_limit_bytes)
    hint = "raise the task's memory limit (set_memory_limit), or have it use less"
    if not told["oom"]:
        hint += ". On this machine the limit counts address space, which is more than what is in use"
    return Failure(
        kind=FailureKind.OUT_OF_MEMORY,
        message=f"ran out of memory: limit {limit}, peak {_size(told['max_rss_bytes'])}",
        hint=hint,
        exit_code=told["exit_code"],
        signal=told["signal"],
        detail=lines,
    )


def _of_machine(told: dict[str, Any], lines: str) -> Failure:
    peak = _size(told["max_rss_bytes"])
    limit = told["memory_limit_bytes"]
    own = f"its own limit of {_size(limit)} was not reached" if limit else "no limit of its own"
    return Failure(
        kind=FailureKind.OUT_OF_MEMORY,
        message=f"was killed by the kernel, which had run out of memory: peak {peak}, {own}",
        hint="run fewer steps at once, have it use less, or give it a memory limit so that only it fails",
        exit_code=told["exit_code"],
        signal=told["signal"],
        detail=lines,
    )


# what it said itself


def _of_error(spec: LaunchSpec, error: dict[str, Any], code: int | None) -> Failure:
    kind, message = str(error.get("type")), str(error.get("message"))
    if kind == "CannotRun":
        message = f"could not be run: {message}"
        return Failure(kind=FailureKind.CANNOT_RUN, message=message, hint=_map_image(spec), exit_code=code)
    if kind == "CannotStart":
        return Failure(kind=FailureKind.CANNOT_RUN, message=f"could not be started: {message}", exit_code=code)
    hint = ""
    if kind == "ModuleNotFoundError":
        hint = (
            "add the package to packages_to_install of the component, or install it where the server runs"
            f" (the image {spec.image!r} is not pulled here)"
        )
    elif kind == "MemoryError":
        hint = "the machine has no more memory for it, or a limit of its shell (ulimit -v) is in the way"
    first = next(iter(message.splitlines()), "")
    return Failure(
        kind=FailureKind.OUT_OF_MEMORY if kind == "MemoryError" else FailureKind.USER_CODE,
        message=_short(f"{kind}: {first}" if first else kind),
        hint=hint,
        detail=str(error.get("traceback") or ""),
        exit_code=code,
    )


def _map_image(spec: LaunchSpec) -> str:
    return (
        f"the image {spec.image!r} is not pulled here: install what it has on this machine, or name a virtual"
        f' environment that has it, in lodestep.toml under [runner.images]: "{spec.image}" = "/path/to/environment"'
    )


# how it ended


def _of_signal(number: int, lines: str) -> Failure:
    name = _signal_name(number)
    return Failure(
        kind=FailureKind.SIGNAL,
        message=f"ended by {name}",
        hint=_SIGNAL_HINTS.get(name, ""),
        signal=number,
        detail=lines,
    )


def _of_exit(spec: LaunchSpec, code: int, lines: str) -> Failure:
    last = _short(lines.strip().rpartition("\n")[2])
    what, hint = "", ""
    if code == _NOT_FOUND:
        what, hint = " (a program was not found)", _map_image(spec)
    elif code == _NOT_EXECUTABLE:
        what, hint = " (a program could not be executed)", "is it a program for this machine, and marked executable?"
    elif _SIGNALLED < code <= _SIGNALLED + signal.NSIG:
        name = _signal_name(code - _SIGNALLED)
        what, hint = f" (a shell's way to say that {name} ended a program)", _SIGNAL_HINTS.get(name, "")
    elif (missing := _MODULE.search(lines)) is not None:
        hint = (
            f"install {missing[1].partition('.')[0]} where the server runs, or in an environment for the image"
            f" {spec.image!r}, which is not pulled here ([runner.images] in lodestep.toml)"
        )
    return Failure(
        kind=FailureKind.EXIT,
        message=f"ended with exit code {code}{what}" + (f": {last}" if last else ""),
        hint=hint,
        exit_code=code,
        detail=lines,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# words


def _last_lines(spec: LaunchSpec) -> str:
    total = logfile.size(spec.directory)
    data, _ = logfile.read(spec.directory, max(0, total - _TAIL_BYTES), _TAIL_BYTES)
    return data.decode(errors="replace").replace("\0", "�")


def _short(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def _seconds(count: float) -> str:
    if count < 120:
        return f"{count:g} s"
    parts = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    words: list[str] = []
    left = round(count)
    for unit, width in parts:
        if left >= width:
            words.append(f"{left // width} {unit}")
            left %= width
    return f"{round(count)} s" + (f" ({' '.join(words)})" if words else "")


def _size(count: int) -> str:
    for unit, width in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= width:
            return f"{count / width:.4g} {unit}"
    return f"{count} bytes"
