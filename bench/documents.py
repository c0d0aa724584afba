"""Pipelines of any size, in the exact shape in which kfp writes them.

They are made here because kfp takes quadratic time to compile a long one. `step.yaml` was compiled by kfp; tasks are
copies of its only task, each with a component and an executor of its own, as kfp does it.
"""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

_TEMPLATE = Path(__file__).with_name("step.yaml")


def chain(length: int, *, name: str = "chain") -> dict[str, Any]:
    """Steps one after the other, each taking the output of the one before."""
    document, template = _empty(name)
    for number in range(1, length + 1):
        task = _add_step(document, template, number)
        if number == 1:
            source: dict[str, Any] = {"runtimeValue": {"constant": 0.0}}
        else:
            task["dependentTasks"] = [_named("step", number - 1)]
            source = {
                "taskOutputParameter": {"outputParameterKey": "Output", "producerTask": _named("step", number - 1)}
            }
        task["inputs"] = {"parameters": {"x": source}}
        document["root"]["dag"]["tasks"][_named("step", number)] = task
    return document


def fan_out(width: int) -> dict[str, Any]:
    """Steps that know nothing of each other."""
    document, template = _empty("fan-out")
    for number in range(1, width + 1):
        task = _add_step(document, template, number)
        task["inputs"] = {"parameters": {"x": {"runtimeValue": {"constant": float(number)}}}}
        document["root"]["dag"]["tasks"][_named("step", number)] = task
    return document


def loop(items: int) -> dict[str, Any]:
    """One step for each item of a list."""
    document, template = _empty("loop")
    item = "pipelinechannel--loop-item-param-1"
    task = _add_step(document, template, 1)
    task["inputs"] = {"parameters": {"x": {"componentInputParameter": item}}}
    document["components"]["comp-for-loop-2"] = {
        "dag": {"tasks": {"step": task}},
        "inputDefinitions": {"parameters": {item: {"parameterType": "NUMBER_INTEGER"}}},
    }
    document["root"]["dag"]["tasks"]["for-loop-2"] = {
        "componentRef": {"name": "comp-for-loop-2"},
        "parameterIterator": {"itemInput": item, "items": {"raw": json.dumps(list(range(items)))}},
        "taskInfo": {"name": "for-loop-2"},
    }
    return document


def noisy(width: int, seconds: int) -> dict[str, Any]:
    """Steps that print as fast as they can, for so long."""
    document = fan_out(width)
    for executor in document["deploymentSpec"]["executors"].values():
        executor["container"] = {"image": "debian", "command": ["timeout", str(seconds), "yes"]}
    for component in document["components"].values():
        component.pop("outputDefinitions", None)
    return document


def as_yaml(document: dict[str, Any]) -> bytes:
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=True).encode()


def _empty(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    template = yaml.load(_TEMPLATE.read_text(), Loader=yaml.CSafeLoader)
    document = {
        "components": {},
        "deploymentSpec": {"executors": {}},
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": {}}},
        "schemaVersion": template["schemaVersion"],
        "sdkVersion": template["sdkVersion"],
    }
    return document, template


def _add_step(document: dict[str, Any], template: dict[str, Any], number: int) -> dict[str, Any]:
    """The component and executor of one more step. Returns its task without inputs, caching off."""
    component = copy.deepcopy(template["components"]["comp-step"])
    component["executorLabel"] = _named("exec-step", number)
    document["components"][_named("comp-step", number)] = component
    executor = copy.deepcopy(template["deploymentSpec"]["executors"]["exec-step"])
    document["deploymentSpec"]["executors"][_named("exec-step", number)] = executor
    return {
        "cachingOptions": {},
        "componentRef": {"name": _named("comp-step", number)},
        "taskInfo": {"name": _named("step", number)},
    }


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
