"""When the cache is asked, what it does, and what a fingerprint covers."""

from typing import Any

import msgspec
import pytest

from lodestep.core import machine
from lodestep.core.events import RunStarted
from lodestep.core.model import ArtifactValue
from lodestep.core.states import RunStatus
from tests.unit.core.flow import DATASET, INT, TEXT, Flow, Json, leaf, out, pipeline, task

CACHED = {"cachingOptions": {"enableCache": True}}


def test_a_miss_is_launched() -> None:
    flow = Flow(pipeline({"a": task("plain") | CACHED}))
    assert flow.asked() == ["a"]
    assert flow.launched() == []
    flow.miss("a")
    assert flow.launched() == ["a"]
    assert flow.task("a").cache_reason == "nothing found"


def test_a_hit_succeeds_without_an_attempt() -> None:
    flow = Flow(pipeline({"a": task("plain") | CACHED, "b": task("int", x=out("a"))}))
    flow.hit("a", Output=11)
    found = flow.task("a")
    assert found.state == "SUCCEEDED"
    assert found.cached_from == "earlier"
    assert found.attempts == []
    assert found.reason == "taken from run-0"
    assert flow.task("b").inputs.parameters == {"x": 11}  # cached counts as success
    flow.ok("b")
    assert flow.state.status is RunStatus.SUCCEEDED


def test_a_hit_without_an_output_that_is_declared_is_none() -> None:
    flow = Flow(pipeline({"a": task("plain") | CACHED}))
    flow.hit("a")
    assert flow.launched() == ["a"]


def test_the_second_answer_changes_nothing() -> None:
    flow = Flow(pipeline({"a": task("plain") | CACHED}))
    flow.miss("a")
    flow.hit("a", Output=11)
    assert flow.last.transitions == []
    assert flow.last.tasks == []


@pytest.mark.parametrize(
    ("options", "header"), [({}, {}), ({"cachingOptions": {}}, {}), (CACHED, {"cache": False})], ids=str
)
def test_without_caching_nobody_is_asked(options: Json, header: Json) -> None:
    flow = Flow(pipeline({"a": task("plain") | options}), **header)
    assert flow.asked() == []
    assert flow.launched() == ["a"]
    assert flow.task("a").fingerprint == ""
    assert flow.task("a").cache_reason == "caching is off"


def fingerprint(change: Any = None, *, artifact: Json | None = None, x: int = 1, **component: Any) -> str:
    """Of a task with a parameter and an artifact, after a change of the document."""
    tasks = {"make": task("make"), "a": task("used", x=x) | CACHED}
    tasks["a"]["inputs"]["artifacts"] = {
        "ds": {"taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": "out"}}
    }
    used = leaf({"x": INT}, {"Output": INT}, artifacts={"ds": DATASET}) | component
    document = pipeline(tasks, make=leaf(makes={"out": DATASET}), used=used)
    if change:
        change(document)
    flow = Flow(document)
    flow.ok(
        "make", out=ArtifactValue(**({"uri": "file:///a", "digest": "d1", "type": "system.Dataset"} | (artifact or {})))
    )
    return flow.task("a").fingerprint


def container(**fields: Any) -> Any:
    def change(document: Json) -> None:
        document["deploymentSpec"]["executors"]["exec"]["container"].update(fields)

    return change


def test_the_same_again() -> None:
    assert fingerprint() == fingerprint()
    assert len(fingerprint()) == 64


@pytest.mark.parametrize(
    "other",
    [
        lambda: fingerprint(x=2),
        lambda: fingerprint(container(image="other")),
        lambda: fingerprint(container(command=["false"])),
        lambda: fingerprint(container(args=["-v"])),
        lambda: fingerprint(container(env=[{"name": "A", "value": "b"}])),
        lambda: fingerprint(artifact={"digest": "d2"}),
        lambda: fingerprint(artifact={"digest": ""}),
        lambda: fingerprint(artifact={"metadata": {"rows": 1}}),
        lambda: fingerprint(artifact={"type": "system.Model"}),
        lambda: fingerprint(outputDefinitions={"parameters": {"Output": TEXT}}),
        lambda: fingerprint(outputDefinitions={"parameters": {"Output": INT, "more": INT}}),
    ],
)
def test_what_decides_the_output_counts(other: Any) -> None:
    assert other() != fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        lambda: fingerprint(artifact={"uri": "file:///elsewhere"}),  # the same bytes
        lambda: fingerprint(artifact={"name": "other", "id": "1", "producer_task_id": "2", "size": 3}),
        lambda: fingerprint(container(resources={"resourceCpuLimit": "2"})),
        lambda: fingerprint(outputDefinitions={"parameters": {"Output": {**INT, "description": "words"}}}),
    ],
)
def test_what_does_not_decide_it_does_not(other: Any) -> None:
    assert other() == fingerprint()


def test_a_key_of_the_users_own_replaces_all_but_the_component() -> None:
    def key(document: Json) -> None:
        document["root"]["dag"]["tasks"]["a"]["cachingOptions"] = {"enableCache": True, "cacheKey": "mine"}

    assert fingerprint(key) == fingerprint(key, x=2, artifact={"digest": "d2"})
    assert fingerprint(key) != fingerprint()


def test_the_runs_variables_count_where_the_command_names_them() -> None:
    document = pipeline({"a": task("plain") | CACHED})
    named = pipeline({"a": task("plain") | CACHED})
    named["deploymentSpec"]["executors"]["exec"]["container"]["args"] = ["{{$.pipeline_job_resource_name}}"]
    for one, same in ((document, True), (named, False)):
        first = Flow(one).task("a").fingerprint
        other = Flow(one)
        header = {"name": "another", "resource_name": "tested-fghij"}
        assert (first == renamed(other, header).task("a").fingerprint) is same


def renamed(flow: Flow, header: Json) -> Flow:
    """The same pipeline, run under another name."""
    flow.header = msgspec.structs.replace(flow.header, **header)
    flow.state = machine.new_state(flow.header, flow.plan)
    flow.events = []
    flow.feed(RunStarted(at_ms=flow.now()))
    return flow


def test_names_of_secrets_and_claims_count() -> None:
    def with_secret(name: str) -> str:
        document = pipeline({"a": task("plain") | CACHED})
        secret = {"secretName": name, "mountPath": "/s", "secretNameParameter": {"runtimeValue": {"constant": name}}}
        claim = {"mountPath": "/d", "constant": "claim"}
        platform = {
            "platforms": {
                "kubernetes": {
                    "deploymentSpec": {"executors": {"exec": {"secretAsVolume": [secret], "pvcMount": [claim]}}}
                }
            }
        }
        flow = Flow({"pipeline_spec": document, "platform_spec": platform})
        return flow.task("a").fingerprint

    assert with_secret("one") == with_secret("one")
    assert with_secret("one") != with_secret("two")
