"""Runs that are cancelled, and runs that are retried."""

from lodestep.core.commands import Cancel, FinishRun, Launch
from lodestep.core.events import CancelRequested, RunStarted
from lodestep.core.states import AttemptStatus, RunStatus, SkipReason
from tests.unit.core.flow import (
    ALWAYS,
    INT,
    LIST,
    STATUS,
    Flow,
    dag,
    leaf,
    loop,
    out,
    parent,
    pipeline,
    status_of,
    task,
)

BODY = dag({"t": task("int", x=parent("item"))}, {"item": INT}, {"o": ("t", "Output")})


def test_cancelling_ends_open_attempts_and_starts_nothing() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain", "a"), "c": task("plain", "a") | ALWAYS}))
    flow.begin("a")
    flow.cancel()
    assert flow.cancelled() == ["a"]
    assert flow.state.status is RunStatus.CANCELING
    assert flow.states() == {"a": "RUNNING", "b": "CANCELED", "c": "CANCELED"}
    assert flow.task("b").reason == "the run was cancelled before its turn"
    flow.end("a", AttemptStatus.CANCELED)
    assert flow.states()["a"] == "CANCELED"
    assert flow.state.status is RunStatus.CANCELED
    assert flow.last.commands == [FinishRun(state=RunStatus.CANCELED)]
    assert flow.state.history[2].reason == "a person asked for it"


def test_what_ends_by_itself_while_cancelling_keeps_its_end() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain")}))
    flow.cancel()
    flow.ok("a")
    flow.fail("b")
    assert flow.states() == {"a": "SUCCEEDED", "b": "FAILED"}
    assert flow.state.status is RunStatus.CANCELED


def test_no_retry_and_no_replacement_while_cancelling() -> None:
    policy = {"retryPolicy": {"maxRetryCount": 3}}
    flow = Flow(pipeline({"a": task("plain") | policy, "b": task("plain")}))
    flow.cancel()
    flow.fail("a")
    assert flow.launched() == []
    flow.lose("b")
    assert flow.states() == {"a": "FAILED", "b": "CANCELED"}


def test_cancelling_a_delay_or_a_question_to_the_cache_ends_at_once() -> None:
    policy = {"retryPolicy": {"maxRetryCount": 3, "backoffDuration": "5s"}}
    tasks = {"a": task("plain") | policy, "b": task("plain") | {"cachingOptions": {"enableCache": True}}}
    flow = Flow(pipeline(tasks))
    flow.fail("a")
    flow.cancel()
    assert flow.state.status is RunStatus.CANCELED
    assert flow.states() == {"a": "CANCELED", "b": "CANCELED"}


def test_cancelling_a_run_that_was_not_taken_up() -> None:
    flow = Flow(pipeline({"a": task("plain")}), started=False)
    flow.cancel()
    assert flow.state.status is RunStatus.CANCELED
    flow.feed(RunStarted(at_ms=flow.now()))
    assert flow.last.transitions == []
    flow.retry()
    assert flow.launched() == ["a"]


def test_cancelling_twice_changes_nothing() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.cancel()
    flow.feed(CancelRequested(at_ms=flow.now()))
    assert flow.last.commands == []
    assert flow.last.transitions == []


def test_a_loop_that_is_cancelled_opens_no_further_iterations() -> None:
    flow = Flow(pipeline({"l": loop("body", [1, 2, 3], limit=1)}, body=BODY))
    flow.cancel()
    flow.ok("l[0]/t")
    assert flow.states() == {"l": "CANCELED", "l[0]": "SUCCEEDED", "l[0]/t": "SUCCEEDED"}
    flow.retry()
    assert flow.launched() == ["l[1]/t"]
    flow.ok("l[1]/t", "l[2]/t")
    assert flow.task("l").outputs.parameters == {"o": [1, 1, 1]}


def test_after_a_restart_a_cancelled_attempt_is_adopted_and_cancelled() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.cancel()
    assert [type(command) for command in flow.outstanding()] == [Launch, Cancel]


def test_a_retry_runs_what_failed_and_what_was_skipped_for_it() -> None:
    tasks = {"a": task("plain"), "b": task("plain"), "c": task("int", x=out("b")), "d": task("int", x=out("a"))}
    flow = Flow(pipeline(tasks))
    flow.ok("a", "d")
    flow.fail("b")
    assert flow.state.status is RunStatus.FAILED
    flow.retry()
    assert flow.launched() == ["b"]
    assert flow.state.status is RunStatus.RUNNING
    assert flow.state.generation == 2
    assert flow.state.failure is None
    assert flow.states() == {"a": "SUCCEEDED", "b": "PENDING", "c": "WAITING", "d": "SUCCEEDED"}
    flow.ok("b", "c")
    assert flow.state.status is RunStatus.SUCCEEDED
    assert [a.number for a in flow.task("b").attempts] == [1, 2]
    assert [a.generation for a in flow.task("b").attempts] == [1, 2]
    assert [a.number for a in flow.task("d").attempts] == [1]


def test_a_retry_has_all_its_retries_again() -> None:
    flow = Flow(pipeline({"a": task("plain") | {"retryPolicy": {"maxRetryCount": 1}}}))
    flow.fail("a")
    flow.fail("a")
    flow.retry()
    flow.fail("a")
    assert flow.launched() == ["a"]


def test_a_retry_goes_into_groups_and_loops() -> None:
    flow = Flow(pipeline({"g": task("inner")}, inner=dag({"l": loop("body", [1, 2, 3])}), body=BODY))
    flow.ok("g/l[0]/t")
    flow.fail("g/l[1]/t")
    flow.ok("g/l[2]/t")
    assert flow.states()["g"] == "FAILED"
    flow.retry()
    assert flow.launched() == ["g/l[1]/t"]
    assert flow.states()["g/l[0]"] == "SUCCEEDED"
    flow.ok("g/l[1]/t", Output=5)
    assert flow.task("g/l").outputs.parameters == {"o": [1, 5, 1]}
    assert flow.state.status is RunStatus.SUCCEEDED


def test_conditions_that_were_false_stay_so() -> None:
    condition = "int(inputs.parameter_values['x']) == 1"
    flow = Flow(pipeline({"if": task("int", condition=condition, x=2), "b": task("plain")}))
    flow.fail("b")
    flow.retry()
    assert flow.task("if").skip is SkipReason.CONDITION_FALSE
    assert flow.launched() == ["b"]


def test_an_exit_task_runs_again_because_what_it_is_told_changes() -> None:
    tasks = {"a": task("plain"), "exit": task("notify", "a", status=status_of("a")) | ALWAYS}
    flow = Flow(pipeline(tasks, notify=leaf({"status": STATUS})))
    flow.fail("a")
    flow.ok("exit")
    flow.retry()
    assert flow.states() == {"a": "PENDING", "exit": "WAITING"}
    flow.ok("a")
    assert flow.launched() == ["exit"]
    assert flow.task("exit").inputs.parameters["status"]["state"] == "SUCCEEDED"


def test_a_group_whose_inputs_change_begins_anew() -> None:
    optional = {**LIST, "isOptional": True, "defaultValue": [1, 2, 3]}
    outer = dag({"l": loop("body", parent("xs"))}, {"xs": optional})
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT, "all": LIST}, {"o": ("t", "Output")})
    tasks = {"a": task("list"), "g": task("outer", xs=out("a")) | ALWAYS}
    flow = Flow(pipeline(tasks, outer=outer, body=body, list=leaf(outputs={"Output": LIST})))
    flow.fail("a")
    flow.ok("g/l[0]/t", "g/l[1]/t")
    flow.fail("g/l[2]/t")
    flow.retry()
    assert flow.launched() == ["a"]
    assert flow.states()["g"] == "WAITING"
    assert flow.states()["g/l[1]/t"] == "SKIPPED"
    flow.ok("a", Output=[9])
    assert flow.launched() == ["g/l[0]/t"]
    flow.ok("g/l[0]/t", Output=90)
    assert flow.task("g/l").outputs.parameters == {"o": [90]}
    assert flow.task("g/l[1]").skip is SkipReason.RUN_ENDED  # of an earlier try; not part of the loop any more
    assert flow.state.status is RunStatus.SUCCEEDED


def test_a_run_that_failed_for_want_of_a_parameter_fails_again() -> None:
    flow = Flow(pipeline({"t": task("int", x=parent("a"))}, {"a": INT}))
    flow.retry()
    assert flow.state.status is RunStatus.FAILED
    assert flow.state.generation == 2


def test_only_ended_runs_that_did_not_succeed_are_retried() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.retry()
    assert flow.last.transitions == []
    flow.ok("a")
    flow.retry()
    assert flow.last.transitions == []
    assert flow.state.generation == 1
