"""What cannot run is refused, each problem with its place; what the reference accepts is accepted."""

import copy
import json
from typing import Any

import pytest

from lodestep.errors import InvalidInput
from lodestep.spec import load

BASE: dict[str, Any] = {
    "pipelineInfo": {"name": "base"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {
        "executors": {
            "exec-make": {"container": {"image": "alpine"}},
            "exec-use": {"container": {"image": "alpine"}},
            "exec-import": {
                "importer": {"artifactUri": {"constant": "x"}, "typeSchema": {"schemaTitle": "system.Dataset"}}
            },
        }
    },
    "components": {
        "make": {
            "executorLabel": "exec-make",
            "outputDefinitions": {
                "parameters": {
                    "n": {"parameterType": "NUMBER_INTEGER"},
                    "text": {"parameterType": "STRING"},
                    "many": {"parameterType": "LIST"},
                },
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}},
            },
        },
        "use": {
            "executorLabel": "exec-use",
            "inputDefinitions": {
                "parameters": {
                    "n": {"parameterType": "NUMBER_INTEGER"},
                    "free": {"parameterType": "STRING", "defaultValue": "x"},
                    "maybe": {"parameterType": "STRUCT", "isOptional": True},
                    "status": {"parameterType": "TASK_FINAL_STATUS"},
                },
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}},
            },
        },
        "load": {
            "executorLabel": "exec-import",
            "outputDefinitions": {"artifacts": {"artifact": {"artifactType": {"schemaTitle": "system.Dataset"}}}},
        },
        "loop": {
            "inputDefinitions": {
                "parameters": {"item": {"parameterType": "NUMBER_INTEGER"}, "many": {"parameterType": "LIST"}}
            },
            "dag": {"tasks": {"inside": {"componentRef": {"name": "make"}}}},
        },
    },
    "root": {
        "inputDefinitions": {
            "parameters": {"n": {"parameterType": "NUMBER_INTEGER"}, "flag": {"parameterType": "BOOLEAN"}},
            "artifacts": {"given": {"artifactType": {"schemaTitle": "system.Dataset"}}},
        },
        "outputDefinitions": {"parameters": {"out": {"parameterType": "NUMBER_INTEGER"}}},
        "dag": {
            "outputs": {
                "parameters": {"out": {"valueFromParameter": {"producerSubtask": "make", "outputParameterKey": "n"}}},
                "artifacts": {
                    "kept": {"artifactSelectors": [{"producerSubtask": "make", "outputArtifactKey": "data"}]}
                },
            },
            "tasks": {
                "make": {"componentRef": {"name": "make"}, "taskInfo": {"name": "make"}},
                "load": {"componentRef": {"name": "load"}},
                "use": {
                    "componentRef": {"name": "use"},
                    "dependentTasks": ["make"],
                    "inputs": {
                        "parameters": {
                            "n": {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "n"}},
                        },
                        "artifacts": {
                            "data": {"taskOutputArtifact": {"producerTask": "make", "outputArtifactKey": "data"}}
                        },
                    },
                },
                "loop": {
                    "componentRef": {"name": "loop"},
                    "inputs": {
                        "parameters": {
                            "many": {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "many"}}
                        }
                    },
                    "parameterIterator": {"items": {"inputParameter": "many"}, "itemInput": "item"},
                    "iteratorPolicy": {"parallelismLimit": 2},
                },
            },
        },
    },
}
TASKS = ("root", "dag", "tasks")
USE = (*TASKS, "use")
N = (*USE, "inputs", "parameters", "n")
LOOP = (*TASKS, "loop")
GONE = object()


def _changed(*changes: tuple[tuple[Any, ...], Any]) -> dict[str, Any]:
    document = copy.deepcopy(BASE)
    for path, value in changes:
        target: Any = document
        for step in path[:-1]:
            target = target.setdefault(step, {}) if isinstance(target, dict) else target[step]
        if value is GONE:
            del target[path[-1]]
        else:
            target[path[-1]] = value
    return document


def _refusal(document: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load.from_wire(document)
    return caught.value


def test_the_base_is_right() -> None:
    assert load.from_wire(BASE).name == "base"


PROBLEMS: list[tuple[tuple[Any, ...], Any, str, str]] = [
    (("pipelineInfo", "name"), "Base", "$.pipelineInfo.name", "is no pipeline name"),
    (("pipelineInfo", "name"), "-base", "$.pipelineInfo.name", "is no pipeline name"),
    (("pipelineInfo", "name"), "b" * 129, "$.pipelineInfo.name", "is no pipeline name"),
    (("pipelineInfo", "name"), "base\n", "$.pipelineInfo.name", "is no pipeline name"),
    (("pipelineInfo",), GONE, "$.pipelineInfo.name", "no name"),
    (("schemaVersion",), "2.2.0", "$.schemaVersion", "expected '2.1.0'"),
    (("schemaVersion",), GONE, "$.schemaVersion", "no schema version"),
    (("root",), GONE, "$.root", "expected a dag"),
    (("root", "executorLabel"), "exec-make", "$.root", "both dag and executorLabel"),
    (TASKS, {}, "$.root.dag.tasks", "at least one"),
    (
        ("components", "use", "executorLabel"),
        "exec-us",
        "$.components['use'].executorLabel",
        "did you mean 'exec-use'?",
    ),
    (("components", "use", "executorLabel"), GONE, "$.components['use']", "neither dag nor executorLabel"),
    (
        ("deploymentSpec", "executors", "exec-use", "importer"),
        {},
        "$.deploymentSpec.executors['exec-use']",
        "found container and importer",
    ),
    (("deploymentSpec", "executors", "exec-use"), {}, "$.deploymentSpec.executors['exec-use']", "found none of them"),
    (
        ("deploymentSpec", "executors", "exec-use", "container", "image"),
        "",
        "$.deploymentSpec.executors['exec-use'].container.image",
        "no image",
    ),
    (
        ("deploymentSpec", "executors", "exec-import", "importer", "typeSchema"),
        {"schemaUri": "x"},
        "$.deploymentSpec.executors['exec-import'].importer.typeSchema.schemaUri",
        "schemaUri",
    ),
    (
        ("components", "use", "inputDefinitions", "artifacts", "data", "artifactType"),
        {"schemaUri": "x"},
        "$.components['use'].inputDefinitions.artifacts['data'].artifactType.schemaUri",
        "expected schemaTitle",
    ),
    ((*USE, "componentRef", "name"), "usee", "$.root.dag.tasks['use'].componentRef.name", "did you mean 'use'?"),
    ((*USE, "dependentTasks"), ["mak"], "$.root.dag.tasks['use'].dependentTasks[0]", "did you mean 'make'?"),
    (
        (*N, "taskOutputParameter", "producerTask"),
        "mke",
        "$.root.dag.tasks['use'].inputs.parameters['n'].taskOutputParameter",
        "there is no task 'mke'",
    ),
    (
        (*N, "taskOutputParameter", "outputParameterKey"),
        "m",
        "$.root.dag.tasks['use'].inputs.parameters['n'].taskOutputParameter",
        "there is no output parameter of task 'make' 'm'",
    ),
    (
        N,
        {"componentInputParameter": "m"},
        "$.root.dag.tasks['use'].inputs.parameters['n'].componentInputParameter",
        "there is no input parameter 'm'",
    ),
    (N, {}, "$.root.dag.tasks['use'].inputs.parameters['n']", "found none"),
    (
        (*N, "runtimeValue"),
        {"constant": 1},
        "$.root.dag.tasks['use'].inputs.parameters['n']",
        "found taskOutputParameter and runtimeValue",
    ),
    (
        N,
        {"taskFinalStatus": {"producerTask": "x"}},
        "$.root.dag.tasks['use'].inputs.parameters['n'].taskFinalStatus",
        "there is no task 'x'",
    ),
    (
        N,
        {"runtimeValue": {"constant": "many"}},
        "$.root.dag.tasks['use'].inputs.parameters['n'].runtimeValue",
        "expected a whole number",
    ),
    (
        N,
        {"componentInputParameter": "flag"},
        "$.root.dag.tasks['use'].inputs.parameters['n']",
        "expects a number (NUMBER_INTEGER), but is given a boolean (BOOLEAN)",
    ),
    (
        N,
        {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "many"}},
        "$.root.dag.tasks['use'].inputs.parameters['n']",
        "is given a list (LIST)",
    ),
    (
        (*USE, "inputs", "artifacts", "data"),
        {"componentInputArtifact": "gvn"},
        "$.root.dag.tasks['use'].inputs.artifacts['data'].componentInputArtifact",
        "did you mean 'given'?",
    ),
    (
        (*USE, "inputs", "artifacts", "data", "taskOutputArtifact", "outputArtifactKey"),
        "n",
        "$.root.dag.tasks['use'].inputs.artifacts['data'].taskOutputArtifact",
        "there is no output artifact of task 'make' 'n'",
    ),
    ((*USE, "inputs", "artifacts", "data"), {}, "$.root.dag.tasks['use'].inputs.artifacts['data']", "found none"),
    (N, GONE, "$.root.dag.tasks['use'].inputs.parameters", "input parameter 'n' is not given"),
    (
        (*USE, "inputs", "artifacts", "data"),
        GONE,
        "$.root.dag.tasks['use'].inputs.artifacts",
        "input artifact 'data' is not given",
    ),
    ((*TASKS, "make", "dependentTasks"), ["use"], "$.root.dag.tasks['make']", "'make' → 'use' → 'make'"),
    ((*TASKS, "make", "dependentTasks"), ["make"], "$.root.dag.tasks['make']", "'make' → 'make'"),
    (
        ("components", "load"),
        {"dag": {"tasks": {"t": {"componentRef": {"name": "load"}}}}},
        "$.components['load']",
        "the components contain each other: 'load' → 'load'",
    ),
    (
        (*TASKS, "load", "triggerPolicy"),
        {"condition": "1 == 1"},
        "$.root.dag.tasks['load'].triggerPolicy.condition",
        "an importer cannot have a condition",
    ),
    (
        (*USE, "retryPolicy"),
        {"backoffDuration": "1m"},
        "$.root.dag.tasks['use'].retryPolicy.backoffDuration",
        "'1m' is no duration",
    ),
    ((*USE, "retryPolicy"), {"maxRetryCount": -1}, "$.root.dag.tasks['use'].retryPolicy.maxRetryCount", "negative"),
    (
        (*LOOP, "iteratorPolicy", "parallelismLimit"),
        -1,
        "$.root.dag.tasks['loop'].iteratorPolicy.parallelismLimit",
        "0 for no limit",
    ),
    (
        (*LOOP, "parameterIterator", "items", "inputParameter"),
        "man",
        "$.root.dag.tasks['loop'].parameterIterator.items.inputParameter",
        "did you mean 'many'?",
    ),
    (
        (*LOOP, "parameterIterator", "items", "inputParameter"),
        "item",
        "$.root.dag.tasks['loop'].parameterIterator.items.inputParameter",
        "expected a list, 'item' is a number",
    ),
    (
        (*LOOP, "parameterIterator", "items"),
        {"raw": "5"},
        "$.root.dag.tasks['loop'].parameterIterator.items.raw",
        "expected a list",
    ),
    ((*LOOP, "parameterIterator", "items"), {}, "$.root.dag.tasks['loop'].parameterIterator.items", "found none"),
    (
        (*LOOP, "parameterIterator", "itemInput"),
        "itm",
        "$.root.dag.tasks['loop'].parameterIterator.itemInput",
        "did you mean 'item'?",
    ),
    (
        (*LOOP, "artifactIterator"),
        {"items": {"inputArtifact": "a"}, "itemInput": "b"},
        "$.root.dag.tasks['loop']",
        "both parameterIterator and artifactIterator",
    ),
    (
        ("root", "dag", "outputs", "parameters", "out"),
        {},
        "$.root.dag.outputs.parameters['out']",
        "found none",
    ),
    (
        ("root", "dag", "outputs", "parameters", "out", "valueFromParameter", "producerSubtask"),
        "mak",
        "$.root.dag.outputs.parameters['out']",
        "did you mean 'make'?",
    ),
    (
        ("root", "dag", "outputs", "artifacts", "kept", "artifactSelectors", 0, "outputArtifactKey"),
        "date",
        "$.root.dag.outputs.artifacts['kept']",
        "did you mean 'data'?",
    ),
]


@pytest.mark.parametrize(("path", "value", "place", "words"), PROBLEMS)
def test_one_problem(path: tuple[Any, ...], value: Any, place: str, words: str) -> None:
    error = _refusal(_changed((path, value)))
    assert error.place == place
    assert words in str(error)


def test_all_problems_are_told() -> None:
    error = _refusal(_changed((("pipelineInfo", "name"), "Base"), (("schemaVersion",), "3"), (N, {})))
    assert error.place == "$.pipelineInfo.name"
    assert "3 problems, also: $.schemaVersion: " in error.hint
    assert "$.root.dag.tasks['use'].inputs.parameters['n']: " in error.hint


def test_very_many_problems_are_counted() -> None:
    tasks = {f"t{at}": {"componentRef": {"name": f"c{at}"}} for at in range(50)}
    error = _refusal(_changed((TASKS, tasks)))
    assert "and 31 more" in error.hint  # with the two outputs, whose task is gone
    assert len(str(error)) < 5000


ACCEPTED: list[tuple[tuple[Any, ...], Any]] = [
    (("schemaVersion",), "2.0.0"),
    (("pipelineInfo", "name"), "0"),
    (("pipelineInfo", "name"), "b" * 128),
    # What nothing uses is not looked at.
    (("components", "unused"), {"executorLabel": "nowhere"}),
    (("deploymentSpec", "executors", "unused"), {}),
    # Values that some run may give.
    (("root", "inputDefinitions", "parameters", "n", "defaultValue"), "no number"),
    (N, {"runtimeValue": {"constant": "5"}}),
    (N, {"runtimeValue": {"constant": None}}),
    (N, {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}}),
    (N, {"runtimeValue": {"runtimeParameter": "x"}}),
    (N, {"runtimeValue": {"constantValue": {"intValue": "5"}}}),
    (N, {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "text"}}),
    (
        N,
        {
            "taskOutputParameter": {"producerTask": "make", "outputParameterKey": "many"},
            "parameterExpressionSelector": "parseJson(string_value)[0]",
        },
    ),
    ((*USE, "inputs", "parameters", "undeclared"), {"runtimeValue": {"constant": 1}}),
    ((*USE, "inputs", "artifacts", "data"), {"componentInputArtifact": "given"}),
    ((*LOOP, "parameterIterator", "items"), {"raw": '[1, {"a": 2}]'}),
    (("components", "use", "inputDefinitions", "parameters", "n", "parameterType"), "PARAMETER_TYPE_ENUM_UNSPECIFIED"),
    (("deploymentSpec", "executors", "exec-use"), {"resolver": {}}),
    (("deploymentSpec", "executors", "exec-use"), {"customJob": {"customJob": {"anything": [1]}}}),
]


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_what_may_run_is_accepted(path: tuple[Any, ...], value: Any) -> None:
    assert load.from_wire(_changed((path, value))).spec.schema_version


def _with_platform(config: Any, label: str = "exec-use") -> dict[str, Any]:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {label: config}}}}}
    return {"pipeline_spec": BASE, "platform_spec": platform}


def test_platform_settings_are_read_strictly() -> None:
    error = _refusal(_with_platform({"secretAsEnv": [{"keyToEnv": [{"secretKy": "x"}]}]}))
    assert error.place == "$.platforms['kubernetes'].deploymentSpec.executors['exec-use'].secretAsEnv[0].keyToEnv[0]"
    assert "did you mean 'secretKey'?" in error.hint


def test_platform_settings_of_others_are_kept() -> None:
    assert load.from_wire(_with_platform({"activeDeadlineSeconds": "60"}, label="exec-unused")).platform is not None
    other = {"pipeline_spec": BASE, "platform_spec": {"platforms": {"moon": {"config": {"x": 1}}}}}
    document = load.from_wire(other)
    assert document.platform is not None
    assert document.platform.kubernetes is None
    assert json.loads(document.wire) == other
