"""How an attempt ended, in words for the person who reads them. Reads its error file and the end of its log."""

import signal
from typing import Any

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind
from lodestep.runtime import logfile
from lodestep.runtime import outcome as files

_TAIL_BYTES = 4000
_LINE = 300
_SIGNAL_HINTS = {
    "SIGKILL": "something outside killed it: often the kernel, when memory is short",
    "SIGSEGV": "native code crashed: a compiled package of the step",
    "SIGBUS": "native code crashed, or a file that it had mapped became shorter: often a full disk",
    "SIGILL": "native code has instructions that this processor does not know",
    "SIGABRT": "native code gave up: look at the end of the log",
    "SIGFPE": "native code divided by zero",
    "SIGXFSZ": "it wrote a file larger than the limit of this machine",
    "SIGXCPU": "it used more processor time than the limit of this machine",
}


def failure(spec: LaunchSpec, told: dict[str, Any]) -> Failure | None:
    """Why the attempt failed of which its parent wrote `told`; None if it did not, as far as its end shows."""
    code, number = told["exit_code"], told["signal"]
    if told["timed_out"]:
        return Failure(
            kind=FailureKind.TIMEOUT,
            message=f"ran longer than its time-out of {spec.timeout_s:g} s and was ended",
            hint="raise the task's time-out, or find out what it waits for",
            exit_code=code,
            signal=number,
            detail=_last_lines(spec),
        )
    if code == 0:
        return None
    error = files.read_json(spec.directory, files.ERROR) or {}
    if told["oom"] or (spec.resources.memory_limit_bytes and error.get("type") == "MemoryError"):
        return _out_of_memory(spec, told)
    if error:
        return _of_exception(spec, error, code)
    if number is not None:
        return _of_signal(spec, told, number)
    return _of_exit(spec, code)


def _out_of_memory(spec: LaunchSpec, told: dict[str, Any]) -> Failure:
    limit = spec.resources.memory_limit_bytes
    return Failure(
        kind=FailureKind.OUT_OF_MEMORY,
        message=f"ran out of memory: limit {_size(limit)}, peak {_size(told['max_rss_bytes'])}",
        hint="raise the task's memory limit (set_memory_limit), or have it use less",
        exit_code=told["exit_code"],
        signal=told["signal"],
        detail=_last_lines(spec),
    )


def _of_exception(spec: LaunchSpec, error: dict[str, Any], code: int | None) -> Failure:
    kind, message = str(error.get("type")), str(error.get("message"))
    if kind == "CannotRun":
        hint = f"install it here, or map the image {spec.image!r} to an environment that has it ([runner.images])"
        message = f"could not be run: {message}"
        return Failure(kind=FailureKind.CANNOT_RUN, message=message, hint=hint, exit_code=code)
    if kind == "CannotStart":
        return Failure(kind=FailureKind.CANNOT_RUN, message=f"could not be started: {message}", exit_code=code)
    hint = ""
    if kind == "ModuleNotFoundError":
        hint = (
            "add the package to packages_to_install of the component, or install it where the server runs"
            f" (the image {spec.image!r} is not used here)"
        )
    elif kind == "MemoryError":
        hint = "the machine ran out of memory"
    first = next(iter(message.splitlines()), "")
    return Failure(
        kind=FailureKind.OUT_OF_MEMORY if kind == "MemoryError" else FailureKind.USER_CODE,
        message=_short(f"{kind}: {first}" if first else kind),
        hint=hint,
        detail=str(error.get("traceback") or ""),
        exit_code=code,
    )


def _of_signal(spec: LaunchSpec, told: dict[str, Any], number: int) -> Failure:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if told.get("machine_oom"):
        peak = _size(told["max_rss_bytes"])
        return Failure(
            kind=FailureKind.OUT_OF_MEMORY,
            message=f"was killed by the kernel, which had run out of memory: peak {peak}, no limit of its own",
            hint="run fewer steps at once, have it use less, or give it a memory limit so that only it fails",
            signal=number,
            detail=_last_lines(spec),
        )
    return Failure(
        kind=FailureKind.SIGNAL,
        message=f"ended by {name}",
        hint=_SIGNAL_HINTS.get(name, ""),
        signal=number,
        detail=_last_lines(spec),
    )


def _of_exit(spec: LaunchSpec, code: int | None) -> Failure:
    lines = _last_lines(spec)
    last = _short(lines.strip().rpartition("\n")[2])
    hint = ""
    if code == 127:
        hint = (
            "a program was not found: install it here, or map the image"
            f" {spec.image!r} to an environment that has it ([runner.images])"
        )
    elif "ModuleNotFoundError" in last:
        hint = f"install the package where the server runs (the image {spec.image!r} is not used here)"
    return Failure(
        kind=FailureKind.EXIT,
        message=f"ended with exit code {code}" + (f": {last}" if last else ""),
        hint=hint,
        exit_code=code,
        detail=lines,
    )


def _last_lines(spec: LaunchSpec) -> str:
    total = logfile.size(spec.directory)
    data, _ = logfile.read(spec.directory, max(0, total - _TAIL_BYTES), _TAIL_BYTES)
    return data.decode(errors="replace").replace("\0", "�")


def _short(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def _size(count: int) -> str:
    for unit, width in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= width:
            return f"{count / width:.4g} {unit}"
    return f"{count} bytes"
