"""What starts when: dependencies, triggers, conditions, and the reasons that people read."""

from lodestep.core.commands import FinishRun
from lodestep.core.states import RunStatus, SkipReason
from tests.unit.core.flow import (
    ALWAYS,
    INT,
    STATUS,
    STRUCT,
    TEXT,
    Flow,
    dag,
    leaf,
    out,
    parent,
    pipeline,
    status_of,
    task,
)

IS_ONE = "int(inputs.parameter_values['x']) == 1"


def test_a_chain_runs_one_after_the_other() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("int", x=out("a"))}))
    assert flow.launched() == ["a"]
    assert flow.task("b").reason == "waits for 'a'"
    flow.ok("a", Output=5)
    assert flow.launched() == ["b"]
    assert flow.task("b").inputs.parameters == {"x": 5}
    assert flow.task("b").reason == "all that it waited for has succeeded"
    flow.ok("b")
    assert flow.state.status is RunStatus.SUCCEEDED
    assert flow.last.commands == [FinishRun(state=RunStatus.SUCCEEDED)]
    assert flow.last.run_changed
    assert [moment.state for moment in flow.state.history] == ["PENDING", "RUNNING", "SUCCEEDED"]


def test_history_and_times_of_a_task() -> None:
    flow = Flow(pipeline({"a": task("plain")}))
    flow.begin("a")
    flow.ok("a")
    found = flow.task("a")
    assert [moment.state for moment in found.history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert found.created_ms < found.started_ms < found.ended_ms
    assert found.attempts[0].started_ms == found.started_ms


def test_independent_tasks_go_on_when_one_fails() -> None:
    flow = Flow(
        pipeline({"a": task("plain"), "b": task("plain"), "c": task("int", x=out("b")), "d": task("plain", "a")})
    )
    flow.fail("a")
    assert flow.states() == {"a": "FAILED", "b": "PENDING", "c": "WAITING", "d": "SKIPPED"}
    assert flow.task("d").skip is SkipReason.UPSTREAM_FAILED
    assert flow.task("d").reason == "'a' failed, which it depends on"
    flow.ok("b", "c")
    assert flow.state.status is RunStatus.FAILED
    assert flow.state.failure is not None
    assert flow.state.failure.task == "a"
    assert flow.state.failure.message == "'a' failed: exit code 3"


def test_a_failure_deep_inside_is_named_at_the_top() -> None:
    inner = dag({"deep": task("plain")})
    flow = Flow(pipeline({"g": task("outer")}, outer=dag({"h": task("inner")}), inner=inner))
    flow.fail("g/h/deep")
    assert flow.state.failure is not None
    assert flow.state.failure.task == "g/h/deep"
    assert flow.states() == {"g": "FAILED", "g/h": "FAILED", "g/h/deep": "FAILED"}


def test_a_false_condition_skips_and_so_do_those_who_depend_on_it() -> None:
    tasks = {"if": task("int", condition=IS_ONE, x=2), "then": task("int", x=out("if")), "last": task("plain", "then")}
    flow = Flow(pipeline(tasks))
    assert flow.states() == {"if": "SKIPPED", "then": "SKIPPED", "last": "SKIPPED"}
    assert flow.task("if").skip is SkipReason.CONDITION_FALSE
    assert flow.task("if").reason == f"its condition is false: {IS_ONE}"
    assert flow.task("then").skip is SkipReason.UPSTREAM_NOT_RUN
    assert flow.task("last").skip is SkipReason.UPSTREAM_NOT_RUN
    assert flow.state.status is RunStatus.SUCCEEDED  # nothing failed


def test_a_true_condition_runs() -> None:
    flow = Flow(pipeline({"if": task("int", condition=IS_ONE, x=1)}))
    assert flow.launched() == ["if"]


def test_a_condition_that_cannot_be_evaluated_fails_its_task() -> None:
    condition = "int(inputs.parameter_values['x']) == 1"
    flow = Flow(pipeline({"if": task("text", condition=condition, x="no number")}, text=leaf({"x": TEXT})))
    assert flow.states() == {"if": "FAILED"}
    assert flow.task("if").failure is not None
    assert "int" in flow.task("if").reason


def test_a_task_waits_for_all_of_its_upstream_even_if_one_has_failed() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain"), "c": task("plain", "a", "b")}))
    flow.fail("a")
    assert flow.states()["c"] == "WAITING"
    flow.ok("b")
    assert flow.states()["c"] == "SKIPPED"


def test_ignoring_a_failure_runs_the_task_but_does_not_forgive() -> None:
    optional = leaf({"x": {**INT, "isOptional": True, "defaultValue": 7}}, {"Output": INT})
    tasks = {"a": task("plain"), "b": task("optional", x=out("a")) | ALWAYS, "c": task("int", x=out("b"))}
    flow = Flow(pipeline(tasks, optional=optional))
    flow.fail("a")
    assert flow.launched() == ["b"]
    assert flow.task("b").inputs.parameters == {"x": 7}  # the default, for the output that there is not
    assert flow.task("b").reason == "all that it waited for has ended"
    flow.ok("b", "c")
    assert flow.state.status is RunStatus.FAILED


def test_ignoring_a_failure_without_a_default_is_a_bad_input() -> None:
    flow = Flow(pipeline({"a": task("plain"), "b": task("int", x=out("a")) | ALWAYS}))
    flow.fail("a")
    assert flow.states() == {"a": "FAILED", "b": "FAILED"}
    assert flow.task("b").reason == "the input 'x' is required, but 'a', whose output 'Output' it is, is FAILED"


def test_always_runs_after_what_was_skipped_too() -> None:
    tasks = {"a": task("plain"), "b": task("plain", "a"), "c": task("plain", "b") | ALWAYS}
    flow = Flow(pipeline(tasks))
    flow.fail("a")
    assert flow.launched() == ["c"]


def exit_handler(*, exit_component: str = "notify", **components: object) -> Flow:
    tasks = {
        "exit-handler-1": task("body"),
        "notify": task(exit_component, "exit-handler-1", status=status_of("exit-handler-1")) | ALWAYS,
    }
    body = dag({"work": task("plain")})
    return Flow(pipeline(tasks, body=body, notify=leaf({"status": STATUS}), **components))  # type: ignore[arg-type]  # components are Json


def test_the_exit_task_is_told_of_success() -> None:
    flow = exit_handler()
    flow.ok("exit-handler-1/work")
    assert flow.launched() == ["notify"]
    assert flow.task("notify").inputs.parameters["status"] == {
        "state": "SUCCEEDED",
        "pipelineJobResourceName": "tested-abcde",
        "pipelineTaskName": "exit-handler-1",
        "error": {},
    }
    flow.ok("notify")
    assert flow.state.status is RunStatus.SUCCEEDED


def test_the_exit_task_is_told_of_failure_and_why() -> None:
    flow = exit_handler()
    flow.fail("exit-handler-1/work")
    status = flow.task("notify").inputs.parameters["status"]
    assert status["state"] == "FAILED"
    assert status["error"] == {"code": 3, "message": "'exit-handler-1/work' failed: exit code 3"}
    flow.ok("notify")
    assert flow.state.status is RunStatus.FAILED


def test_what_success_is_called_is_a_setting() -> None:
    tasks = {"a": task("plain"), "b": task("notify", "a", status=status_of("a")) | ALWAYS}
    flow = Flow(pipeline(tasks, notify=leaf({"status": STATUS})), final_status_success="COMPLETE")
    flow.ok("a")
    assert flow.task("b").inputs.parameters["status"]["state"] == "COMPLETE"


def test_a_failed_exit_task_fails_the_run() -> None:
    flow = exit_handler()
    flow.ok("exit-handler-1/work")
    flow.fail("notify")
    assert flow.state.status is RunStatus.FAILED


def test_a_pipeline_as_exit_task() -> None:
    inner = dag(
        {
            "read": task("read", status=parent("status")),
            "if": task("int", "read", condition="inputs.parameter_values['s'] == 'FAILED'", s=out("read", "s"), x=1),
        },
        {"status": STATUS},
    )
    flow = exit_handler(exit_component="pipe", pipe=inner, read=leaf({"status": STRUCT}, {"s": TEXT}))
    flow.fail("exit-handler-1/work")
    assert flow.launched() == ["notify/read"]
    flow.ok("notify/read", s="FAILED")
    assert flow.launched() == ["notify/if"]


def test_thousands_skipped_in_a_row_are_no_recursion() -> None:
    tasks = {"t0": task("plain")} | {f"t{i}": task("plain", f"t{i - 1}") for i in range(1, 3000)}
    flow = Flow(pipeline(tasks))
    flow.fail("t0")
    assert flow.states()["t2999"] == "SKIPPED"


def test_dags_nest_deep() -> None:
    components = {f"d{i}": dag({"in": task(f"d{i + 1}" if i < 89 else "plain")}) for i in range(90)}
    flow = Flow(pipeline({"top": task("d0")}, **components))
    path = "top" + "/in" * 90
    assert flow.launched() == [path]
    flow.ok(path)
    assert flow.state.status is RunStatus.SUCCEEDED


def test_a_pipeline_without_tasks_left_to_run_succeeds() -> None:
    inner = dag({"if": task("int", condition=IS_ONE, x=2)})
    flow = Flow(pipeline({"g": task("inner")}, inner=inner))
    assert flow.states() == {"g": "SUCCEEDED", "g/if": "SKIPPED"}
    assert flow.state.status is RunStatus.SUCCEEDED


def test_a_group_is_running_while_anything_in_it_is_open() -> None:
    flow = Flow(pipeline({"g": task("inner")}, inner=dag({"a": task("plain"), "b": task("plain", "a")})))
    assert flow.task("g").state.value == "RUNNING"
    flow.fail("g/a")
    assert flow.task("g").state.value == "FAILED"


def test_unsupported_executors_fail_in_words() -> None:
    document = pipeline({"a": task("plain")})
    document["deploymentSpec"]["executors"]["exec"] = {"customJob": {"customJob": {}}}
    flow = Flow(document)
    assert flow.states() == {"a": "FAILED"}
    assert "Vertex" in flow.task("a").reason
