"""What an ended attempt left, read and told: above all what is said where it is missing or wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind, Outcome
from lodestep.core.states import AttemptStatus
from lodestep.runners import collect
from lodestep.runners.settle import local_path
from lodestep.spec.ir import ParameterType
from lodestep.testing.runner_rig import RunnerRig
from tests.conformance.runner.made import process_runner

TOLD = {
    "boot": "this",
    "exit_code": 0,
    "signal": None,
    "timed_out": False,
    "canceled": False,
    "oom": False,
    "machine_oom": False,
    "max_rss_bytes": 1,
    "cpu_s": 0.1,
    "started_ms": 1000,
    "ended_ms": 3500,
}


def ended(home: Path, document: Any = None, **types: ParameterType) -> LaunchSpec:
    """An attempt that has left an executor output."""
    rig = RunnerRig(process_runner, home)
    spec = rig.with_parameters(rig.spec("true"), **types)
    spec, _ = rig.with_artifact(spec)
    Path(spec.directory, "outputs").mkdir(parents=True)
    if document is not None:
        Path(spec.executor_output_file).write_text(json.dumps(document))
    return spec


def outcome_of(spec: LaunchSpec, **changes: Any) -> Outcome:
    return collect.outcome(spec, {**TOLD, **changes}, "this")


def failure_of(spec: LaunchSpec) -> Failure:
    outcome = outcome_of(spec)
    assert outcome.state is AttemptStatus.FAILED
    assert outcome.failure is not None
    return outcome.failure


def test_times_and_usage_are_those_of_the_host(tmp_path: Path) -> None:
    outcome = outcome_of(ended(tmp_path))
    assert outcome.state is AttemptStatus.SUCCEEDED
    assert (outcome.started_ms, outcome.ended_ms, outcome.usage.wall_s) == (1000, 3500, 2.5)


def test_missing_output_says_its_name_and_where_it_was_expected(tmp_path: Path) -> None:
    spec = ended(tmp_path, accuracy=ParameterType.NUMBER_DOUBLE)
    failure = failure_of(spec)
    assert failure.kind is FailureKind.OUTPUT_MISSING
    assert failure.message == (
        f"the output 'accuracy' (NUMBER_DOUBLE) was not written: expected in {spec.directory}/outputs/accuracy"
    )
    assert "return a value" in failure.hint


@pytest.mark.parametrize(
    ("value", "words"),
    [("three", "three"), (1.5, "1.5"), ([1], "[1]"), (True, "True")],
    ids=["str", "float", "list", "bool"],
)
def test_output_of_another_type_says_what_was_found(tmp_path: Path, value: Any, words: str) -> None:
    failure = failure_of(ended(tmp_path, {"parameterValues": {"n": value}}, n=ParameterType.NUMBER_INTEGER))
    assert failure.kind is FailureKind.BAD_OUTPUT
    assert "'n'" in failure.message
    assert words.lower() in failure.message.lower()


def test_failed_step_is_not_asked_for_outputs(tmp_path: Path) -> None:
    outcome = outcome_of(ended(tmp_path, n=ParameterType.STRING), exit_code=4)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.EXIT


def test_cancelled_step_is_cancelled_whatever_it_left(tmp_path: Path) -> None:
    assert outcome_of(ended(tmp_path), canceled=True, exit_code=None, signal=15).state is AttemptStatus.CANCELED


def test_end_before_the_machine_went_down_does_not_count(tmp_path: Path) -> None:
    outcome = collect.outcome(ended(tmp_path), TOLD, "another")
    assert outcome.state is AttemptStatus.LOST
    assert outcome.failure is not None
    assert "started anew" in outcome.failure.message


@pytest.mark.parametrize(
    "described",
    [
        {"uri": "file:///tmp/a%00b"},
        {"uri": "file:///tmp/a\0b"},
        {"uri": "file:///tmp/\ud800"},
        {"custom_path": "a\0b"},
        {"uri": 1},
        {"metadata": [1]},
        {"metadata": {"rows": float("nan")}},
    ],
)
def test_artifact_that_cannot_be_is_named(tmp_path: Path, described: dict[str, Any]) -> None:
    failure = failure_of(ended(tmp_path, {"artifacts": {"data": {"artifacts": [described]}}}))
    assert failure.kind is FailureKind.BAD_OUTPUT
    assert "'data'" in failure.message or "surrogate" in failure.message


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c", "/a/b c"),
        ("/a/../b", "/b"),
        ("s3://bucket/key", ""),
        ("gs://bucket/key", ""),
        ("relative", ""),
        ("", ""),
        ("file://", ""),
    ],
)
def test_path_of_a_uri(uri: str, path: str) -> None:
    assert local_path(uri) == path
