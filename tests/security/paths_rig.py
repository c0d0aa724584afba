"""Runs whose every task names a path in one of its fields: as few documents as possible, for many tasks."""

import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from lodestep import jsonio
from tests.security.rig import Served

_TRUE = {"container": {"image": "python:3.11", "command": ["true"]}}
_ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}


class Step(NamedTuple):
    """A task, by the parts of the document that name paths."""

    platform: dict[str, Any] = {}
    executor: dict[str, Any] = _TRUE
    outputs: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    name: str = ""


def document(steps: list[Step], *, root: str = "") -> dict[str, Any]:
    components: dict[str, Any] = {}
    executors: dict[str, Any] = {}
    tasks: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for number, step in enumerate(steps):
        declared = {name: {"parameterType": "STRING"} for name in step.inputs}
        given = {name: {"runtimeValue": {"constant": value}} for name, value in step.inputs.items()}
        components[f"comp-{number}"] = {
            "executorLabel": f"exec-{number}",
            "inputDefinitions": {"parameters": declared},
            "outputDefinitions": step.outputs,
        }
        executors[f"exec-{number}"] = step.executor
        settings[f"exec-{number}"] = step.platform
        name = step.name or f"step-{number}"
        tasks[name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": f"comp-{number}"},
            "inputs": {"parameters": given},
        }
    spec: dict[str, Any] = {
        "pipelineInfo": {"name": "paths"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "deploymentSpec": {"executors": executors},
        "components": components,
        "root": {"dag": {"tasks": tasks}},
    }
    if root:
        spec["defaultPipelineRoot"] = root
    return {
        "pipeline_spec": spec,
        "platform_spec": {"platforms": {"kubernetes": {"deploymentSpec": {"executors": settings}}}},
    }


def post(served: Served, path: str, value: Any) -> tuple[int, Any]:
    body = jsonio.encode(value)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:{served.port}\r\nContent-Type: application/json\r\n"
    answer = served.wire.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return answer.status, jsonio.decode(answer.body)


def get(served: Served, path: str) -> Any:
    answer = served.wire.ask(f"GET {path} HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode())
    assert answer.status == 200, answer
    return jsonio.decode(answer.body)


def run(served: Served, steps: list[Step], *, root: str = "", timeout_s: float = 60) -> list[dict[str, Any]]:
    """The tasks of a run that has ended. One that is refused has none."""
    given = {"display_name": "paths", "pipeline_spec": document(steps, root=root)}
    status, said = post(served, "/apis/v2beta1/runs", given)
    if status in (400, 413):
        return []
    assert status == 200, said
    run_id = said["run_id"]
    deadline = time.monotonic() + timeout_s
    while get(served, f"/apis/v2beta1/runs/{run_id}")["state"] not in _ENDED:
        assert time.monotonic() < deadline, get(served, f"/apis/lodestep/v1/runs/{run_id}/tasks")
        threading.Event().wait(0.05)
    return get(served, f"/apis/lodestep/v1/runs/{run_id}/tasks")["tasks"]


def tree(folder: Path) -> list[str]:
    """Everything below a folder, to compare."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
