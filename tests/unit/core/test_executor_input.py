"""The document that a step is given, and settings that are resolved for it."""

from typing import Any

from lodestep import jsonio
from lodestep.core import executor_input, resolve, task_config
from lodestep.core.model import ArtifactValue, Task, TaskKind, Values
from lodestep.lang import placeholders
from lodestep.spec.ir import ContainerSpec, TaskInputParameter
from lodestep.spec.platform import PvcMount
from tests.unit.core.flow import INT, TEXT, Flow, dag, leaf, loop, out, parent, pipeline, task

MODEL = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}


def built(parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    document = pipeline(
        {"a": task("step")}, step=leaf({"x": {**INT, "isOptional": True}}, {"n": INT}, makes={"m": MODEL})
    )
    flow = Flow(document)
    found = Task(id="1", run_id="r", path="a", name="a", display_name="a", kind=TaskKind.EXECUTOR, component="step")
    found.inputs = Values(parameters=parameters or {}, **more)
    return executor_input.build(
        found,
        flow.plan.named("step"),
        output_uris={"m": "/runs/m"},
        parameter_files={"n": "/runs/n"},
        output_file="/runs/out.json",
    )


def test_inputs_and_outputs() -> None:
    given = ArtifactValue(name="ds", type="system.Dataset", schema_version="0.0.1", uri="/data", metadata={"rows": 3})
    document = built({"x": 1, "s": "t"}, artifacts={"ds": [given]})
    assert document == {
        "inputs": {
            "parameterValues": {"x": 1, "s": "t"},
            "artifacts": {
                "ds": {
                    "artifacts": [
                        {
                            "name": "ds",
                            "type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
                            "uri": "/data",
                            "metadata": {"rows": 3},
                        }
                    ]
                }
            },
        },
        "outputs": {
            "outputFile": "/runs/out.json",
            "parameters": {"n": {"outputFile": "/runs/n"}},
            "artifacts": {
                "m": {
                    "artifacts": [
                        {
                            "name": "m",
                            "type": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"},
                            "uri": "/runs/m",
                            "metadata": {},
                        }
                    ]
                }
            },
        },
    }
    assert b"1.0" not in jsonio.encode(document)


def test_what_has_no_value_is_null_and_a_placeholder_for_it_stands_for_nothing() -> None:
    document = built({"x": None})
    assert document["inputs"] == {"parameterValues": {"x": None}}
    scope = placeholders.Scope(executor_input=document, variables={})
    assert placeholders.argv(["--x={{$.inputs.parameters['x']}}"], scope) == ["--x="]
    assert placeholders.argv(['{"IfPresent": {"InputName": "x", "Then": "there"}}'], scope) == []


def test_schemas_and_custom_paths() -> None:
    given = ArtifactValue(name="c", type="title: mine.Type\ntype: object", custom_path="/own/place")
    found = built(artifacts={"c": [given]})["inputs"]["artifacts"]["c"]["artifacts"][0]
    assert found["type"] == {"instanceSchema": "title: mine.Type\ntype: object"}
    assert found["customPath"] == "/own/place"


def platform(document: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {
        "pipeline_spec": document,
        "platform_spec": {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec": config}}}}},
    }


def test_settings_come_from_where_the_task_stands() -> None:
    inner = dag({"t": task("plain")}, {"item": TEXT})
    document = pipeline(
        {"a": task("named"), "l": loop("inner", ["s1", "s2"])},
        {"r": {**TEXT, "defaultValue": "root"}},
        inner=inner,
        named=leaf(outputs={"name": TEXT}),
    )
    flow = Flow(document)
    flow.ok("a", name="claim-7")
    found = flow.task("l[1]/t")
    read = resolve.platform_value
    assert read(flow.state, found, TaskInputParameter(component_input_parameter="item")) == "s2"
    assert (
        read(flow.state, found, TaskInputParameter(component_input_parameter="r")) == "root"
    )  # of a group further out
    mount = jsonio.decode_as(b'{"taskOutputParameter":{"producerTask":"a","outputParameterKey":"name"}}', PvcMount)
    assert resolve.claim_name(flow.state, found, mount) == "claim-7"
    assert resolve.claim_name(flow.state, found, PvcMount(constant="c")) == "c"
    assert resolve.claim_name(flow.state, found, PvcMount(component_input_parameter="item")) == "s2"
    constant = jsonio.decode_as(b'{"runtimeValue":{"constant":"x-{{$.pipeline_job_uuid}}"}}', TaskInputParameter)
    assert read(flow.state, found, constant) == "x-run-1"
    assert read(flow.state, found, None, "fixed") == "fixed"


def test_a_setting_that_comes_to_nothing_is_none() -> None:
    flow = Flow(pipeline({"t": task("plain")}, {"s": {**TEXT, "isOptional": True}}))
    source = TaskInputParameter(component_input_parameter="s")
    assert resolve.platform_value(flow.state, flow.task("t"), source) is None
    assert resolve.platform_value(flow.state, flow.task("t"), None) is None


CONFIG = {"cfg": {"parameterType": "TASK_CONFIG", "isOptional": True}}


def test_settings_that_are_passed_through() -> None:
    passed = [
        {"field": "RESOURCES"},
        {"field": "ENV", "applyToTask": True},
        {"field": "KUBERNETES_VOLUMES"},
        {"field": "KUBERNETES_TOLERATIONS"},
        {"field": "KUBERNETES_NODE_SELECTOR"},
        {"field": "KUBERNETES_AFFINITY"},
    ]
    document = pipeline({"t": task("step")}, step=leaf(CONFIG) | {"taskConfigPassthroughs": passed})
    flow = Flow(
        platform(
            document,
            pvcMount=[{"constant": "claim", "mountPath": "/d", "subPath": "sub"}],
            secretAsVolume=[{"secretName": "sec", "mountPath": "/s"}],
            tolerations=[{"key": "gpu", "operator": "Exists", "tolerationSeconds": "5"}],
            nodeSelector={"labels": {"disk": "ssd"}},
            nodeAffinity=[{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}], "weight": 3}],
        )
    )
    resources = {"limits": {"cpu": "2"}, "requests": {}}
    found = task_config.build(flow.state, flow.task("t"), resources, {"A": "b"})
    assert found == {
        "cfg": {
            "resources": {"limits": {"cpu": "2"}},
            "env": [{"name": "A", "value": "b"}],
            "volumes": [
                {"name": "claim", "persistentVolumeClaim": {"claimName": "claim"}},
                {"name": "sec", "secret": {"secretName": "sec", "optional": False}},
            ],
            "volumeMounts": [
                {"name": "claim", "mountPath": "/d", "subPath": "sub"},
                {"name": "sec", "mountPath": "/s"},
            ],
            "tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 5}],
            "nodeSelector": {"disk": "ssd"},
            "affinity": {
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 3,
                            "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
                        }
                    ]
                }
            },
        }
    }
    component = flow.plan.named("step")
    assert not task_config.applies(component, task_config.RESOURCES)
    assert task_config.applies(component, task_config.ENV)


def test_components_without_such_an_input_are_given_nothing() -> None:
    flow = Flow(pipeline({"t": task("plain")}))
    assert task_config.build(flow.state, flow.task("t"), {"limits": {"cpu": "1"}}, {}) == {}
    assert task_config.applies(flow.plan.named("plain"), task_config.RESOURCES)


def test_resources_of_a_container() -> None:
    text = b"""{"resources": {"cpuLimit": 1.5, "memoryLimit": 2, "resourceCpuRequest": "100m",
        "accelerator": {"type": "nvidia.com/gpu", "count": 1}}}"""
    assert task_config.resources_of(jsonio.decode_as(text, ContainerSpec)) == {
        "limits": {"cpu": "1500m", "memory": "2000000000", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "100m"},
    }


def test_hidden_inputs_are_part_of_the_document() -> None:
    tasks = {"a": task("plain"), "t": task("int", x=1, hidden=out("a"))}
    flow = Flow(pipeline(tasks))
    flow.ok("a", Output=4)
    document = executor_input.build(
        flow.task("t"),
        flow.plan.named("int"),
        output_uris={},
        parameter_files={"Output": "/o"},
        output_file="/f",
    )
    assert document["inputs"]["parameterValues"] == {"x": 1, "hidden": 4}


def test_parents_are_named_in_loops() -> None:
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT})
    flow = Flow(pipeline({"l": loop("body", [1])}, body=body))
    assert resolve.variables(flow.header, flow.task("l[0]/t"))["pipeline_task_name"] == "t"


def test_times_of_a_run() -> None:
    flow = Flow(pipeline({"t": task("plain")}), scheduled_ms=1_700_000_060_999)
    found = resolve.variables(flow.header, flow.task("t"))
    assert found["pipeline_job_create_time_utc"] == "2023-11-14T22:13:20Z"
    assert found["pipeline_job_schedule_time_utc"] == "2023-11-14T22:14:20Z"
