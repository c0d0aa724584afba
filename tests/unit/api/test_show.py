"""Rows as messages: states, times, and what is shown of a row that cannot be read."""

import json
from typing import Any

import msgspec
import pytest

from lodestep import jsonio
from lodestep.api import show
from lodestep.clock import rfc3339
from lodestep.core.model import Failure, FailureKind, Moment, Values
from lodestep.core.states import AttemptStatus, TaskStatus
from lodestep.store.rows import RunRow
from tests.conformance.store import made

STATES = {"PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"}


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


@pytest.mark.parametrize("state", list(TaskStatus))
def test_each_state_of_a_task_is_one_that_clients_know(state: TaskStatus) -> None:
    shown = show.task_detail(made.task(1, state=state, history=[Moment(state, 5)]), [])
    assert shown["state"] in STATES
    assert shown["state_history"] == [{"update_time": "1970-01-01T00:00:00.005Z", "state": shown["state"]}]


def test_what_came_from_the_cache_was_skipped() -> None:
    assert show.task_state(made.task(1, state=TaskStatus.SUCCEEDED, cached_from="t")) == "SKIPPED"
    assert show.task_state(made.task(1, state=TaskStatus.SUCCEEDED)) == "SUCCEEDED"
    assert show.task_state(made.task(1, state=TaskStatus.FAILED, cached_from="t")) == "FAILED"


def test_a_task_names_its_attempts_artifacts_and_children() -> None:
    attempts = [
        made.attempt(1, state=AttemptStatus.FAILED),
        made.attempt(2, state=AttemptStatus.LOST),
        made.attempt(3, state=AttemptStatus.SUCCEEDED),
    ]
    values = Values(artifacts={"data": [made.artifact(1), made.artifact(2, id="")], "none": []})
    parent = made.task(1, id="loop", parent_id="", iteration=None, inputs=Values(), display_name="loop")
    child = made.task(2, attempts=attempts, outputs=values, failure=None)
    shown_parent, shown = show.task_details([parent, child])
    assert shown_parent["child_tasks"] == [{"task_id": child.id}]
    assert shown["display_name"] == "train"
    assert shown["pod_name"] == attempts[2].id
    assert shown["executor_detail"] == {
        "main_job": attempts[2].id,
        "failed_main_jobs": [attempts[0].id, attempts[1].id],
    }
    assert shown["outputs"] == {"data": {"artifact_ids": ["art-1"]}, "none": {"artifact_ids": []}}
    assert "child_tasks" not in shown


def test_the_history_has_every_state_but_canceling() -> None:
    moments = [Moment(state, number) for number, state in enumerate(["PENDING", "RUNNING", "CANCELING", "CANCELED"])]
    shown = show.run(made.run(1, history=jsonio.encode(moments)))
    assert [entry["state"] for entry in shown["state_history"]] == ["PENDING", "RUNNING", "CANCELED"]


def test_a_failure_is_told_with_its_hint() -> None:
    failure = Failure(kind=FailureKind.USER_CODE, message="broke", hint="mend it")
    shown = show.run(made.run(1, state="FAILED", failure=jsonio.encode(failure)))
    assert shown["error"] == {"code": 13, "message": "broke (mend it)"}


def test_a_run_always_has_its_three_times() -> None:
    shown = show.run(RunRow(id="r", name="n"))
    never = "1970-01-01T00:00:00Z"
    assert [shown[key] for key in ("created_at", "scheduled_at", "finished_at")] == [never] * 3


def test_a_damaged_row_is_shown_as_json() -> None:
    row = RunRow(id="r", name="", runtime_config=b"", history=b"", failure=None, error="it cannot be read", spec=b"{")
    shown = plain(show.run(row))
    assert shown["error"]["message"] == "it cannot be read"
    assert shown["runtime_config"] == {}
    assert shown["pipeline_spec"] == {}
    assert "state_history" not in shown


@pytest.mark.parametrize(
    "spec", [b"", b"{", b"[]", b"5", b"null", b'{"pipeline_spec": 5}', b'{"pipeline_spec": {"x": 1}}', b"\xff"]
)
def test_a_damaged_spec_hides_nothing_else(spec: bytes) -> None:
    assert plain(show.version(made.version(1, spec=spec)))["name"] == "v1"
    assert plain(show.run(made.run(1, spec=spec)))["display_name"] == "train 1"


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_700_000_000_000, "2023-11-14T22:13:20Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (2**62, "9999-12-31T23:59:59.999Z"),
        (-(2**63), "0001-01-01T00:00:00Z"),
    ],
)
def test_any_time_can_be_shown(at_ms: int, text: str) -> None:
    assert rfc3339(at_ms) == text
