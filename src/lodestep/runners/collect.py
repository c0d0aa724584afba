"""From the folder of an ended attempt to its outcome: how it ended, and what it left.

Order of a success: outputs are read and checked, their bytes are on disk, and only then is it reported. Everything can
be read again from the folder after a crash of the server, with the same result. What a step left is not trusted:
neither its size nor its shape, nor that a file is a file.
"""

import json
import os
import stat
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from lodestep import jsonio
from lodestep.core.launch import LaunchSpec, MountKind, ParameterTarget
from lodestep.core.model import ArtifactValue, Failure, FailureKind, Outcome, Usage, Values
from lodestep.core.states import AttemptStatus
from lodestep.errors import InvalidInput
from lodestep.runners import endings
from lodestep.runners.settle import bring, file_uri, local_path, settle
from lodestep.spec import values

_OUTPUT_JSON_BYTES = 64 * 1024 * 1024
_QUICK_BYTES = 1024 * 1024


class OutputFault(Exception):
    """An output that is missing or wrong."""

    def __init__(self, kind: FailureKind, message: str, *, hint: str = "", retryable: bool = True) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message, hint=hint, retryable=retryable)


class _Told(msgspec.Struct, frozen=True):
    """`executor_output_file`, as far as its outermost shape was checked."""

    parameters: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}


def is_quick(spec: LaunchSpec) -> bool:
    """Is to collect it a matter of a moment, with nothing to wait for on the disk?"""
    if spec.output_artifacts:
        return False  # to be synced
    files = [spec.executor_output_file, *(target.file for target in spec.output_parameters.values())]
    return sum(map(_size_of, files)) <= _QUICK_BYTES


def outcome(spec: LaunchSpec, told: dict[str, Any], boot: str) -> Outcome:
    """How the attempt ended of which its parent wrote `told`. `boot` is the present boot of the machine."""
    if told.get("boot", "") != boot:
        # What it wrote need not have reached the disk before the machine went down, so it does not count.
        failure = Failure(kind=FailureKind.LOST, message="the machine was started anew before its outputs were safe")
        return Outcome(state=AttemptStatus.LOST, failure=failure, ended_ms=told["ended_ms"])
    state, outputs = AttemptStatus.SUCCEEDED, Values()
    failure = None
    if told["canceled"]:
        state = AttemptStatus.CANCELED
    else:
        failure = endings.failure(spec, told)
        if failure is None:
            outputs, failure = _outputs_or_failure(spec)
    return Outcome(
        state=state if failure is None else AttemptStatus.FAILED,
        outputs=outputs,
        failure=failure,
        usage=Usage(
            max_rss_bytes=told["max_rss_bytes"],
            cpu_s=round(told["cpu_s"], 4),
            wall_s=max(0, told["ended_ms"] - told["started_ms"]) / 1000,
        ),
        started_ms=told["started_ms"],
        ended_ms=told["ended_ms"],
    )


def _outputs_or_failure(spec: LaunchSpec) -> tuple[Values, Failure | None]:
    try:
        document = _executor_output(spec)
        return Values(parameters=_parameters(spec, document), artifacts=_artifacts(spec, document)), None
    except OutputFault as fault:
        return Values(), fault.failure
    except OSError as error:
        return Values(), Failure(kind=FailureKind.SYSTEM, message=f"its outputs could not be read or saved: {error}")


# the document of the SDK's executor


def _executor_output(spec: LaunchSpec) -> _Told:
    data = _read(spec.executor_output_file, _OUTPUT_JSON_BYTES, _too_large_document)
    if data is None:
        return _Told()
    try:
        document = jsonio.decode(data)
    except InvalidInput as error:
        document = _lenient(data, error)
    found = document if isinstance(document, dict) else {}
    parameters, artifacts = found.get("parameterValues") or {}, found.get("artifacts") or {}
    legacy = found.get("parameters") or {}  # the form of the first executors: {name: {stringValue: …}}
    if not all(isinstance(part, dict) for part in (document, parameters, artifacts, legacy)):
        raise OutputFault(FailureKind.BAD_OUTPUT, f"its executor output is no JSON object of objects: {data[:80]!r}")
    for name, value in legacy.items():
        parameters.setdefault(name, next(iter(value.values()), None) if isinstance(value, dict) else value)
    return _Told(parameters, artifacts)


def _lenient(data: bytes, error: InvalidInput) -> Any:
    """Python writes NaN and infinities, which are no JSON: read them, so that the output is named that holds one."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise OutputFault(FailureKind.BAD_OUTPUT, f"its executor output is {error.message}") from error


def _too_large_document(size: int) -> OutputFault:
    message = f"its executor output has {size} bytes: at most {_OUTPUT_JSON_BYTES}"
    return OutputFault(FailureKind.BAD_OUTPUT, message, hint="pass large values as artifacts", retryable=False)


def _read(path: str, limit: int, too_large: Callable[[int], OutputFault]) -> bytes | None:
    """A regular file, as a step may have left anything; None where there is nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OutputFault(FailureKind.BAD_OUTPUT, f"{path} is no regular file")
        if found.st_size > limit:
            raise too_large(found.st_size)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


# parameters


def _parameters(spec: LaunchSpec, told: _Told) -> dict[str, Any]:
    return {
        name: _parameter(name, target, told.parameters.get(name), spec.output_parameter_bytes)
        for name, target in spec.output_parameters.items()
    }


def _parameter(name: str, target: ParameterTarget, given: Any, limit: int) -> Any:
    def too_large(size: int) -> OutputFault:
        message = f"the output parameter {name!r} has {size} bytes: at most {limit} (output_parameter_bytes)"
        hint = "pass large values as artifacts, or raise the limit in lodestep.toml"
        return OutputFault(FailureKind.BAD_OUTPUT, message, hint=hint, retryable=False)

    try:
        if given is not None:
            value = values.coerce(given, target.type)
            if (size := len(jsonio.encode(value))) > limit:
                raise too_large(size)
            return value
        text = _read(target.file, limit, too_large)
        if text is not None:
            return values.parse_output(text.decode(), target.type)
    except (InvalidInput, UnicodeError) as error:
        why = error.message if isinstance(error, InvalidInput) else f"its file is no UTF-8 text: {error}"
        raise OutputFault(FailureKind.BAD_OUTPUT, f"the output {name!r} is wrong: {why}") from error
    raise OutputFault(
        FailureKind.OUTPUT_MISSING,
        f"the output {name!r} ({target.type}) was not written: expected in {target.file}",
        hint="return a value for it, or write it to the path that the component was given",
    )


# artifacts


def _artifacts(spec: LaunchSpec, told: _Told) -> dict[str, list[ArtifactValue]]:
    found: dict[str, list[ArtifactValue]] = {}
    for name, expected in spec.output_artifacts.items():
        group = told.artifacts.get(name) or {}
        described = (group.get("artifacts") if isinstance(group, dict) else None) or [{}]
        if not isinstance(described, list) or not all(isinstance(each, dict) for each in described):
            raise OutputFault(FailureKind.BAD_OUTPUT, f"the output artifact {name!r} is no list of artifacts")
        found[name] = [_artifact(spec, name, expected, each) for each in described]
    return found


def _artifact(spec: LaunchSpec, name: str, expected: ArtifactValue, told: dict[str, Any]) -> ArtifactValue:
    """One output artifact: what the component said of it, and its bytes brought to rest at its URI."""
    metadata = told.get("metadata") or {}
    uri = told.get("uri") or expected.uri
    custom = told.get("custom_path") or told.get("customPath") or ""
    if not (isinstance(metadata, dict) and isinstance(uri, str) and isinstance(custom, str)):
        raise OutputFault(FailureKind.BAD_OUTPUT, f"the output artifact {name!r} has a metadata, uri or path of no use")
    if _is_no_path(uri) or _is_no_path(custom):
        raise OutputFault(FailureKind.BAD_OUTPUT, f"the output artifact {name!r} has a URI or path that no file has")
    path = local_path(uri)
    is_expected = path == local_path(expected.uri)
    if custom and path and is_expected:
        bring(_as_seen_here(spec, custom), path, own=spec.directory)
    # A component may name another place. A file there is the artifact; a folder may be anything, even all of the disk.
    digest, size = settle(path) if path and (is_expected or os.path.isfile(path)) else ("", -1)
    try:
        metadata = jsonio.whole({**expected.metadata, **metadata})
    except InvalidInput as error:
        raise OutputFault(FailureKind.BAD_OUTPUT, f"metadata of the artifact {name!r}: {error.message}") from error
    title = told.get("name")
    return ArtifactValue(
        name=title if isinstance(title, str) and title else expected.name or name,
        type=expected.type,
        schema_version=expected.schema_version,
        uri=file_uri(path) if path else uri,
        metadata=metadata,
        custom_path=custom,
        digest=digest,
        size=size,
    )


def _is_no_path(text: str) -> bool:
    """Does it hold what no path of this machine can?"""
    try:
        return b"\0" in os.fsencode(unquote(text))
    except UnicodeError:
        return True


def _as_seen_here(spec: LaunchSpec, path: str) -> str:
    """A path as the step saw it, which had its folders shown elsewhere, as a path of this machine."""
    path = os.path.normpath(os.path.join(spec.directory, "work", path))
    for number, mount in sorted(enumerate(spec.mounts), key=lambda each: len(each[1].target), reverse=True):
        target = mount.target.rstrip("/")
        if path == target or path.startswith(target + "/"):
            empty = os.path.join(spec.directory, "mounts", f"empty{number}")
            return (mount.source if mount.kind is MountKind.FOLDER else empty) + path[len(target) :]
    return path
