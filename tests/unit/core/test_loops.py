"""Loops: what they go over, how many at a time, and what they collect."""

from lodestep.core.model import ArtifactValue
from lodestep.core.states import RunStatus
from tests.unit.core.flow import DATASET, INT, LIST, STRUCT, TEXT, Flow, dag, leaf, loop, out, parent, pipeline, task

BODY = dag({"t": task("int", x=parent("item"))}, {"item": INT}, {"o": ("t", "Output")})
TAKE = leaf({"xs": LIST}, {"Output": INT})


def test_every_item_runs_and_the_outputs_are_collected_in_order() -> None:
    flow = Flow(pipeline({"l": loop("body", [5, 6, 7]), "c": task("take", xs=out("l", "o"))}, body=BODY, take=TAKE))
    assert flow.launched() == ["l[0]/t", "l[1]/t", "l[2]/t"]
    assert [flow.task(f"l[{i}]/t").inputs.parameters["x"] for i in range(3)] == [5, 6, 7]
    assert flow.task("l").reason == "goes over 3 items"
    assert flow.task("l[1]").reason == "item 2 of 3"
    assert flow.task("l[1]").iteration == 1
    flow.ok("l[2]/t", Output=70)
    flow.ok("l[0]/t", Output=50)
    flow.ok("l[1]/t", Output=60)
    assert flow.task("c").inputs.parameters == {"xs": [50, 60, 70]}
    assert flow.task("l").reason == "all 3 iterations succeeded"


def test_an_empty_list_is_a_loop_that_succeeds() -> None:
    tasks = {"a": task("list"), "l": loop("body", out("a")), "c": task("take", xs=out("l", "o"))}
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT, "all": LIST}, {"o": ("t", "Output")})
    flow = Flow(pipeline(tasks, body=body, take=TAKE, list=leaf(outputs={"Output": LIST})))
    flow.ok("a", Output=[])
    assert flow.states()["l"] == "SUCCEEDED"
    assert flow.task("l").reason == "there was no item"
    assert flow.task("c").inputs.parameters == {"xs": []}


def test_items_of_a_running_list_are_not_carried_into_every_iteration() -> None:
    tasks = {"a": task("list"), "l": loop("body", out("a"))}
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT, "all": LIST})
    flow = Flow(pipeline(tasks, body=body, list=leaf(outputs={"Output": LIST})))
    flow.ok("a", Output=[1, 2])
    assert flow.task("l").inputs.parameters == {"all": [1, 2]}
    assert flow.task("l[0]").inputs.parameters == {"item": 1}


def test_items_stay_where_the_body_reads_the_whole_list() -> None:
    body = dag({"t": task("take", xs=parent("all"))}, {"item": INT, "all": LIST})
    tasks = {"a": task("list"), "l": loop("body", out("a"))}
    flow = Flow(pipeline(tasks, body=body, take=TAKE, list=leaf(outputs={"Output": LIST})))
    flow.ok("a", Output=[1, 2])
    assert flow.task("l[1]/t").inputs.parameters == {"xs": [1, 2]}


def test_parallelism_is_kept() -> None:
    flow = Flow(pipeline({"l": loop("body", [1, 2, 3, 4], limit=2)}, body=BODY))
    assert flow.launched() == ["l[0]/t", "l[1]/t"]
    flow.ok("l[1]/t")
    assert flow.launched() == ["l[2]/t"]
    flow.fail("l[0]/t")
    assert flow.launched() == ["l[3]/t"]  # the others are independent of the one that failed
    flow.ok("l[2]/t", "l[3]/t")
    assert flow.states()["l"] == "FAILED"


def test_dict_items_and_selectors() -> None:
    body = dag({"t": task("int", x=parent("item", 'parseJson(string_value)["a"]'))}, {"item": STRUCT})
    flow = Flow(pipeline({"l": loop("body", [{"a": 3, "b": "x"}])}, body=body))
    assert flow.task("l[0]/t").inputs.parameters == {"x": 3}


def test_a_selector_for_a_key_that_is_not_there_is_a_bad_input() -> None:
    body = dag({"t": task("int", x=parent("item", 'parseJson(string_value)["z"]'))}, {"item": STRUCT})
    flow = Flow(pipeline({"l": loop("body", [{"a": 3}])}, body=body))
    assert flow.states()["l[0]/t"] == "FAILED"
    assert flow.state.status is RunStatus.FAILED


def test_nested_loops_collect_lists_of_lists() -> None:
    inner = dag({"t": task("int", x=parent("item"))}, {"item": INT}, {"o": ("t", "Output")})
    outer = dag({"in": loop("inner", [1, 2])}, {"item": INT}, {"o": ("in", "o")})
    tasks = {"l": loop("outer", [1, 2]), "c": task("take", xs=out("l", "o"))}
    flow = Flow(pipeline(tasks, inner=inner, outer=outer, take=TAKE))
    for i in (1, 0):
        for j in (1, 0):
            flow.ok(f"l[{i}]/in[{j}]/t", Output=10 * i + j)
    assert flow.task("l[1]/in").outputs.parameters == {"o": [10, 11]}
    assert flow.task("c").inputs.parameters == {"xs": [[0, 1], [10, 11]]}


def test_lists_that_a_task_makes_are_not_joined() -> None:
    body = dag({"t": task("list")}, {"item": INT}, {"o": ("t", "Output")})
    flow = Flow(pipeline({"l": loop("body", [1, 2])}, body=body, list=leaf(outputs={"Output": LIST})))
    flow.ok("l[0]/t", "l[1]/t", Output=[1])
    assert flow.task("l").outputs.parameters == {"o": [[1], [1]]}


def test_iterations_without_the_output_are_left_out() -> None:
    condition = "int(inputs.parameter_values['x']) == 1"
    branch = dag({"t": task("plain")}, {"x": INT}, {"o": ("t", "Output")})
    body = dag({"if": task("branch", condition=condition, x=parent("item"))}, {"item": INT}, {"o": ("if", "o")})
    flow = Flow(pipeline({"l": loop("body", [0, 1, 2, 1])}, body=body, branch=branch))
    flow.ok("l[1]/if/t", Output=8)
    flow.ok("l[3]/if/t", Output=9)
    assert flow.task("l").outputs.parameters == {"o": [8, 9]}


def test_a_loop_over_a_single_component() -> None:
    flow = Flow(pipeline({"l": loop("int", [4, 5], "x")}))
    assert flow.launched() == ["l[0]/l", "l[1]/l"]
    flow.ok("l[0]/l", "l[1]/l", Output=3)
    assert flow.task("l").outputs.parameters == {"Output": [3, 3]}


def test_a_loop_over_artifacts_and_what_it_collects() -> None:
    make = leaf({"x": INT}, makes={"out": DATASET})
    outer = dag({"t": task("make", x=parent("item"))}, {"item": INT})
    outer["dag"]["outputs"]["artifacts"] = {
        "o": {"artifactSelectors": [{"producerSubtask": "t", "outputArtifactKey": "out"}]}
    }
    outer["outputDefinitions"]["artifacts"] = {"o": {**DATASET, "isArtifactList": True}}
    use = leaf(artifacts={"ds": DATASET}, makes={"out": DATASET})
    one = task("use")
    one["inputs"]["artifacts"] = {"ds": {"componentInputArtifact": "each"}}
    over = dag({"t": one}, artifacts={"all": {**DATASET, "isArtifactList": True}, "each": DATASET})
    second = task("over")
    second["inputs"]["artifacts"] = {"all": {"taskOutputArtifact": {"producerTask": "l", "outputArtifactKey": "o"}}}
    second["artifactIterator"] = {"items": {"inputArtifact": "all"}, "itemInput": "each"}
    flow = Flow(pipeline({"l": loop("outer", [1, 2]), "m": second}, outer=outer, make=make, use=use, over=over))
    flow.ok("l[1]/t", out=ArtifactValue(uri="file:///b"))
    flow.ok("l[0]/t", out=ArtifactValue(uri="file:///a"))
    assert [a.uri for a in flow.task("l").outputs.artifacts["o"]] == ["file:///a", "file:///b"]
    assert flow.task("m[1]/t").inputs.artifacts == {"ds": [ArtifactValue(uri="file:///b")]}
    assert "all" not in flow.task("m[1]").inputs.artifacts


def test_too_many_items_fail_the_loop_with_both_numbers() -> None:
    flow = Flow(pipeline({"l": loop("body", [1, 2, 3])}, body=BODY), max_iterations=2)
    assert flow.task("l").reason == "the loop has 3 items: at most 2 are allowed"
    assert flow.state.status is RunStatus.FAILED


def test_too_many_tasks_fail_the_run_with_both_numbers() -> None:
    flow = Flow(pipeline({"l": loop("body", [1, 2, 3], limit=1)}, body=BODY), max_tasks=5)
    flow.ok("l[0]/t")
    assert flow.states()["l[1]"] == "FAILED"
    assert flow.task("l[1]").reason == "the run would have 6 tasks: at most 5 are allowed"
    flow = Flow(pipeline({"a": task("plain"), "b": task("plain")}), max_tasks=2)
    assert flow.state.failure is not None
    assert flow.state.failure.message == "the run would have 3 tasks: at most 2 are allowed"


def test_an_item_of_the_wrong_type_fails_its_iteration_alone() -> None:
    flow = Flow(pipeline({"l": loop("body", [1, "x"])}, body=BODY))
    assert flow.states()["l[1]"] == "FAILED"
    assert flow.states()["l[0]"] == "RUNNING"


def test_something_else_than_a_list_is_a_bad_input() -> None:
    body = dag({"t": task("plain")}, {"item": INT, "all": {**LIST, "isOptional": True}})
    tasks = {"a": task("plain"), "l": loop("body", out("a", "gone"))}
    document = pipeline(tasks, body=body)
    document["components"]["plain"]["outputDefinitions"]["parameters"]["gone"] = LIST
    flow = Flow(document)
    flow.ok("a")
    assert flow.task("l").reason == "there is no list to go over: 'all' has no value"


def test_one_of_several_branches_is_the_output() -> None:
    tested = "inputs.parameter_values['x']"
    branch = dag({"t": task("text")}, {"x": TEXT}, {"o": ("t", "Output")})
    body = dag(
        {
            "if": task("branch", condition=f"{tested} == 'a'", x=parent("x")),
            "else": task("branch", condition=f"!({tested} == 'a')", x=parent("x")),
        },
        {"x": TEXT},
        {"o": [("if", "o"), ("else", "o")]},
    )
    tasks = {"b": task("body", x="b"), "c": task("show", s=out("b", "o"))}
    flow = Flow(
        pipeline(
            tasks, body=body, branch=branch, text=leaf(outputs={"Output": TEXT}), show=leaf({"s": TEXT}, {"O": TEXT})
        )
    )
    assert flow.launched() == ["b/else/t"]
    flow.ok("b/else/t", Output="chosen")
    assert flow.task("c").inputs.parameters == {"s": "chosen"}


def test_a_wide_loop_is_opened_a_window_at_a_time() -> None:
    flow = Flow(pipeline({"l": loop("body", list(range(1500)))}, body=BODY))
    assert len(flow.launched()) == 1000
    flow.ok("l[7]/t")
    assert flow.launched() == ["l[1000]/t"]
