"""Attempts: launched once, ended once, retried with delays, lost and replaced."""

from lodestep.core.commands import Launch, StartTimer
from lodestep.core.events import AttemptEnded, AttemptStarted, CacheAnswered, TimerFired
from lodestep.core.model import FailureKind, Outcome, Values
from lodestep.core.states import AttemptStatus, RunStatus, TaskStatus
from tests.unit.core.flow import INT, Flow, Json, dag, leaf, loop, parent, pipeline, task


def retries(count: int, delay: str = "0s", factor: float = 2.0, longest: str = "3600s") -> Json:
    return {
        "retryPolicy": {
            "maxRetryCount": count,
            "backoffDuration": delay,
            "backoffFactor": factor,
            "backoffMaxDuration": longest,
        }
    }


def ended(flow: Flow, path: str, attempt_id: str, state: AttemptStatus = AttemptStatus.SUCCEEDED) -> AttemptEnded:
    outcome = Outcome(state=state, outputs=Values(parameters={"Output": 9}))
    return AttemptEnded(at_ms=flow.now(), attempt_id=attempt_id, task_id=flow.task(path).id, outcome=outcome)


def nothing(flow: Flow) -> bool:
    decision = flow.last
    return not (
        decision.transitions or decision.commands or decision.tasks or decision.attempts or decision.run_changed
    )


def test_without_a_policy_the_first_failure_is_final() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.fail("a")
    assert flow.states() == {"a": "FAILED"}
    assert flow.task("a").failure is not None
    assert flow.task("a").failure.exit_code == 3


def test_a_retry_without_a_delay_is_launched_at_once() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(1)}))
    flow.begin("a")
    flow.fail("a")
    assert flow.launched() == ["a"]
    assert flow.task("a").state is TaskStatus.PENDING
    assert flow.task("a").reason == "attempt 1 failed (exit code 3); another follows, 0 left after that"
    flow.begin("a")
    flow.ok("a")
    assert [moment.state for moment in flow.task("a").history] == [
        "PENDING",
        "RUNNING",
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert [attempt.number for attempt in flow.task("a").attempts] == [1, 2]
    assert flow.state.status is RunStatus.SUCCEEDED


def test_delays_grow_up_to_a_limit() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(4, "10s", 3.0, "60s")}))
    delays = []
    for _ in range(4):
        flow.fail("a")
        assert flow.launched() == []
        delays.append(flow.timers()[0].delay_s)
        assert flow.timers()[0].fire_at_ms == flow.at_ms + round(delays[-1] * 1000)
        flow.fire()
        assert flow.launched() == ["a"]
    assert delays == [10, 30, 60, 60]
    flow.fail("a")
    assert flow.states() == {"a": "FAILED"}


def test_a_timer_fires_once_and_only_its_own() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(2, "5s")}))
    flow.fail("a")
    timer = flow.timers()[0].timer
    flow.feed(TimerFired(at_ms=flow.now(), timer="something/else"))
    assert nothing(flow)
    flow.feed(TimerFired(at_ms=flow.now(), timer=timer))
    assert flow.launched() == ["a"]
    flow.feed(TimerFired(at_ms=flow.now(), timer=timer))
    assert nothing(flow)


def test_a_failure_that_cannot_be_helped_spends_no_retries() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(3)}))
    flow.fail("a", retryable=False)
    assert flow.states() == {"a": "FAILED"}
    assert len(flow.task("a").attempts) == 1


def test_a_group_hands_its_policy_down_to_those_without_their_own() -> None:
    inner = dag({"own": task("plain") | retries(0), "none": task("plain")})
    outer = dag({"g": task("inner")})
    flow = Flow(pipeline({"h": task("outer") | retries(1)}, inner=inner, outer=outer))
    flow.fail("h/g/own")
    assert flow.states()["h/g/own"] == "FAILED"
    flow.fail("h/g/none")
    assert flow.launched() == ["h/g/none"]


def test_a_loop_hands_its_policy_down_too() -> None:
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT})
    flow = Flow(pipeline({"l": loop("body", [1]) | retries(1)}, body=body))
    flow.fail("l[0]/t")
    assert flow.launched() == ["l[0]/t"]


def test_a_lost_attempt_is_replaced_and_not_charged() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(1)}))
    flow.begin("a")
    flow.lose("a")
    assert flow.launched() == ["a"]
    assert flow.task("a").reason == "attempt 1 was lost (the step host died); another takes its place"
    flow.fail("a")
    assert flow.launched() == ["a"]  # the retry is still there
    flow.ok("a")
    assert [attempt.state for attempt in flow.task("a").attempts] == ["LOST", "FAILED", "SUCCEEDED"]


def test_five_losses_in_a_row_are_a_failure() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    for _ in range(4):
        flow.lose("a")
        assert flow.launched() == ["a"]
    flow.lose("a")
    failure = flow.task("a").failure
    assert failure is not None
    assert failure.kind is FailureKind.LOST
    assert failure.message == "5 attempts in a row were lost: the step host died"


def test_a_failure_in_between_starts_the_count_of_losses_again() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(1)}))
    for _ in range(4):
        flow.lose("a")
    flow.fail("a")
    for _ in range(4):
        flow.lose("a")
    assert flow.states() == {"a": "PENDING"}


def test_an_attempt_ends_once() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain")}))
    first = flow.attempt("a")
    flow.ok("a")
    for state in (AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.LOST):
        flow.feed(ended(flow, "a", first, state))
        assert nothing(flow)


def test_a_late_end_does_not_touch_the_next_attempt() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(1)}))
    first = flow.attempt("a")
    flow.fail("a")
    flow.feed(ended(flow, "a", first))
    assert nothing(flow)
    flow.feed(AttemptStarted(at_ms=flow.now(), attempt_id=first, task_id=flow.task("a").id))
    assert nothing(flow)


def test_foreign_events_change_nothing() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain")}))
    flow.feed(ended(flow, "b", flow.attempt("a")))  # the attempt of another task
    assert nothing(flow)
    flow.feed(AttemptEnded(at_ms=1, attempt_id="x", task_id="y", outcome=Outcome(state=AttemptStatus.FAILED)))
    assert nothing(flow)
    flow.feed(CacheAnswered(at_ms=1, task_id=flow.task("a").id))  # nobody asked
    assert nothing(flow)


def test_an_end_that_is_none_is_ignored() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.feed(ended(flow, "a", flow.attempt("a"), AttemptStatus.RUNNING))
    assert nothing(flow)


def test_an_end_from_outside_is_a_failure() -> None:
    flow = Flow(pipeline({"a": task("plain") | retries(3)}))
    flow.end("a", AttemptStatus.CANCELED)
    assert flow.states() == {"a": "FAILED"}
    assert flow.task("a").reason == "it was ended from outside, though nobody asked us to"


def test_a_failure_without_a_reason_gets_one() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.end("a", AttemptStatus.FAILED)
    assert flow.task("a").reason == "it failed, and its runner gave no reason"


def test_a_short_attempt_counts_as_started() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    started_ms = flow.now()
    outcome = Outcome(state=AttemptStatus.SUCCEEDED, started_ms=started_ms, ended_ms=flow.now())
    flow.feed(AttemptEnded(at_ms=flow.now(), attempt_id=flow.attempt("a"), task_id=flow.task("a").id, outcome=outcome))
    assert [moment.state for moment in flow.task("a").history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert flow.task("a").started_ms == started_ms
    assert flow.task("a").ended_ms == outcome.ended_ms


def test_ids_are_always_the_same() -> None:
    one, two = Flow(pipeline({"a": task("plain")})), Flow(pipeline({"a": task("plain")}))
    assert one.attempt("a") == two.attempt("a")
    assert one.task("a").id == two.task("a").id


def test_importers_are_launched_and_not_cached() -> None:
    document = pipeline({"i": task("import", uri="gs://x/y") | {"cachingOptions": {"enableCache": True}}})
    document["components"]["import"] = leaf({"uri": {"parameterType": "STRING"}}) | {"executorLabel": "importer"}
    document["deploymentSpec"]["executors"]["importer"] = {
        "importer": {"artifactUri": {"runtimeParameter": "uri"}, "typeSchema": {"schemaTitle": "system.Dataset"}}
    }
    flow = Flow(document)
    assert flow.launched() == ["i"]
    assert flow.task("i").kind == "importer"
    assert flow.task("i").cache_reason == "an importer is not cached"


def test_outstanding_asks_again_for_all_that_has_not_come() -> None:
    tasks = {
        "cached": task("plain") | {"cachingOptions": {"enableCache": True}},
        "created": task("plain"),
        "running": task("plain"),
        "delayed": task("plain") | retries(1, "5s"),
        "waiting": task("plain", "created"),
    }
    flow = Flow(pipeline(tasks))
    flow.begin("running")
    flow.fail("delayed")
    found = flow.outstanding()
    launches = {flow.state.tasks[c.task_id].path for c in found if isinstance(c, Launch)}
    assert launches == {"created", "running"}
    assert [c.timer for c in found if isinstance(c, StartTimer)] == [flow.task("delayed").id + "/2"]
    assert len(found) == 4
