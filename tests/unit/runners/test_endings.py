"""Why an attempt failed, as the person reads it who has to do something about it."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from lodestep.core.launch import LaunchSpec, Resources
from lodestep.core.model import Failure, FailureKind
from lodestep.runners import endings
from lodestep.runtime.logfile import LogWriter
from lodestep.runtime.outcome import ERROR
from lodestep.testing.runner_rig import RunnerRig
from tests.conformance.runner.made import process_runner

MIB = 1 << 20


def spec_in(home: Path, *, limit: int = 0, **changes: Any) -> LaunchSpec:
    spec = RunnerRig(process_runner, home).spec(
        "sh", image="example.org/team/image:1", resources=Resources(memory_limit_bytes=limit), **changes
    )
    Path(spec.directory).mkdir(parents=True)
    return spec


def told(**changes: Any) -> dict[str, Any]:
    """What a step host writes of an end with exit code 1."""
    usual = {"exit_code": 1, "signal": None, "timed_out": False, "oom": False, "machine_oom": False}
    return {**usual, "max_rss_bytes": 90 * MIB, "memory_limit_bytes": 0, **changes}


def failure_of(spec: LaunchSpec, log: str = "", error: dict[str, str] | None = None, **changes: Any) -> Failure:
    writer = LogWriter(spec.directory, MIB)
    writer.write(log.encode(), 1)
    writer.close()
    if error is not None:
        Path(spec.directory, ERROR).write_text(json.dumps(error))
    failure = endings.failure(spec, told(**changes))
    assert failure is not None
    return failure


def ended_by(number: int) -> dict[str, Any]:
    return {"exit_code": None, "signal": number}


def test_success_is_no_failure(tmp_path: Path) -> None:
    assert endings.failure(spec_in(tmp_path), told(exit_code=0)) is None


def test_exception_says_its_type_and_message_and_shows_where(tmp_path: Path) -> None:
    error = {
        "type": "ValueError",
        "message": "three is too many\nmore of it",
        "traceback": "Traceback …\nValueError: …",
    }
    failure = failure_of(spec_in(tmp_path), error=error)
    assert failure.kind is FailureKind.USER_CODE
    assert failure.message == "ValueError: three is too many"
    assert failure.detail == error["traceback"]


def test_exception_without_a_message_is_its_type(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path), error={"type": "KeyboardInterrupt", "message": "", "traceback": "…"})
    assert failure.message == "KeyboardInterrupt"


def test_missing_module_says_where_to_add_it(tmp_path: Path) -> None:
    error = {"type": "ModuleNotFoundError", "message": "No module named 'pandas'", "traceback": "…"}
    failure = failure_of(spec_in(tmp_path), error=error)
    assert failure.message == "ModuleNotFoundError: No module named 'pandas'"
    assert "packages_to_install" in failure.hint
    assert "example.org/team/image:1" in failure.hint


def test_missing_module_of_a_program_is_named_too(tmp_path: Path) -> None:
    log = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'sklearn.svm'\n"
    failure = failure_of(spec_in(tmp_path), log)
    assert failure.kind is FailureKind.EXIT
    assert failure.hint.startswith("install sklearn where the server runs")


def test_exit_code_comes_with_the_last_line(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path), "reading\ncannot open config.yaml\n", exit_code=3)
    assert failure.message == "ended with exit code 3: cannot open config.yaml"
    assert failure.detail == "reading\ncannot open config.yaml\n"
    assert failure.exit_code == 3


def test_long_last_line_is_cut(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path), "x" * 5000)
    assert len(failure.message) < 400
    assert failure.message.endswith("…")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (126, "(a program could not be executed)"),
        (127, "(a program was not found)"),
        (137, "(a shell's way to say that SIGKILL ended a program)"),
        (139, "(a shell's way to say that SIGSEGV ended a program)"),
    ],
)
def test_exit_codes_of_shells_are_explained(tmp_path: Path, code: int, words: str) -> None:
    assert words in failure_of(spec_in(tmp_path), exit_code=code).message


def test_missing_program_says_how_to_map_the_image(tmp_path: Path) -> None:
    error = {"type": "CannotRun", "message": "gsutil: no such program here", "traceback": ""}
    for failure in (
        failure_of(spec_in(tmp_path / "own"), error=error, exit_code=127),
        failure_of(spec_in(tmp_path / "in a shell"), "sh: 1: gsutil: not found\n", exit_code=127),
    ):
        assert "gsutil" in failure.message
        assert "lodestep.toml" in failure.hint
        assert '[runner.images]: "example.org/team/image:1" = "/path/to/environment"' in failure.hint


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGKILL, signal.SIGTERM])
def test_signal_is_named_and_explained(tmp_path: Path, number: signal.Signals) -> None:
    failure = failure_of(spec_in(tmp_path), "almost done\n", **ended_by(number))
    assert failure.kind is FailureKind.SIGNAL
    assert failure.message == f"ended by {number.name}"
    assert failure.hint
    assert failure.detail == "almost done\n"


def test_signal_without_a_name_is_its_number(tmp_path: Path) -> None:
    assert failure_of(spec_in(tmp_path), **ended_by(40)).message == "ended by signal 40"


def test_memory_limit_and_peak_are_said(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path, limit=100 * MIB), oom=True, **ended_by(9))
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert failure.message == "ran out of memory: limit 100 MiB, peak 90 MiB"
    assert "set_memory_limit" in failure.hint
    assert "address space" not in failure.hint


@pytest.mark.parametrize(
    "log",
    ["MemoryError\n", "terminate called after throwing an instance of 'std::bad_alloc'\n", "tail: memory exhausted\n"],
)
def test_refused_memory_is_out_of_memory(tmp_path: Path, log: str) -> None:
    """Where there is no control group, the kernel refuses, and the program ends as it likes."""
    failure = failure_of(spec_in(tmp_path / "limited", limit=100 * MIB), log)
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "address space" in failure.hint
    assert failure_of(spec_in(tmp_path / "unlimited"), log).kind is FailureKind.EXIT


def test_memory_error_of_a_component_without_a_limit_is_the_machines(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path), error={"type": "MemoryError", "message": "", "traceback": "…"})
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "machine" in failure.hint


def test_kernels_victim_is_told_from_one_of_its_own_limit(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path / "a"), machine_oom=True, **ended_by(9))
    assert failure.kind is FailureKind.OUT_OF_MEMORY
    assert "killed by the kernel" in failure.message
    assert failure.message.endswith("peak 90 MiB, no limit of its own")
    limited = failure_of(
        spec_in(tmp_path / "b", limit=MIB), machine_oom=True, memory_limit_bytes=1 << 30, **ended_by(9)
    )
    assert limited.message.endswith("its own limit of 1 GiB was not reached")


@pytest.mark.parametrize(
    ("timeout_s", "words"),
    [(0.2, "0.2 s"), (90, "90 s"), (3600, "3600 s (1 h)"), (93_784, "93784 s (1 d 2 h 3 min 4 s)")],
)
def test_timeout_says_its_number(tmp_path: Path, timeout_s: float, words: str) -> None:
    failure = failure_of(spec_in(tmp_path, timeout_s=timeout_s), "waiting for the lock\n", timed_out=True)
    assert failure.kind is FailureKind.TIMEOUT
    assert failure.message == f"ran longer than its time-out of {words} and was ended"
    assert failure.detail == "waiting for the lock\n"
    assert "SIGTERM" not in failure.hint


def test_timeout_says_that_it_had_to_be_killed(tmp_path: Path) -> None:
    failure = failure_of(spec_in(tmp_path, timeout_s=1, grace_s=5.0), timed_out=True, **ended_by(9))
    assert "within 5 s of SIGTERM, so it was killed" in failure.hint


def test_binary_log_does_not_break_the_words(tmp_path: Path) -> None:
    spec = spec_in(tmp_path)
    Path(spec.directory, "log").write_bytes(b"\xff\x00\xfe" * 3000)
    failure = endings.failure(spec, told())
    assert failure is not None
    assert "\0" not in failure.detail + failure.message
    json.dumps(failure.detail).encode()
