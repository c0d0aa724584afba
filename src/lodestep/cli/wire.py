"""What the server answers, as far as the command line reads it. Unknown fields are ignored, absent ones are empty."""

from typing import Any

import msgspec

Value = Any

RUN_ENDED = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"})
TASK_ENDED = RUN_ENDED


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: str = ""
    message: str = ""
    hint: str = ""
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    task: str = ""


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str = ""
    name: str = ""
    type: str = ""
    uri: str = ""
    metadata: dict[str, Value] = {}
    size: int = -1


class Values(msgspec.Struct, frozen=True, omit_defaults=True):
    parameters: dict[str, Value] = {}
    artifacts: dict[str, list[Artifact]] = {}


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    max_rss_bytes: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str = ""
    number: int = 1
    state: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    failure: Failure | None = None
    usage: Usage = Usage()


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task of a run. The root has the path ""."""

    id: str
    path: str = ""
    name: str = ""
    display_name: str = ""
    kind: str = ""
    parent_id: str = ""
    iteration: int | None = None
    iterations: int | None = None
    state: str = "WAITING"
    skip: str | None = None
    reason: str = ""
    created_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    inputs: Values = Values()
    outputs: Values = Values()
    failure: Failure | None = None
    cached_from: str = ""
    cache_reason: str = ""
    attempts: list[Attempt] = []


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run as the Kubeflow Pipelines API shows it, with times in milliseconds."""

    run_id: str
    display_name: str = ""
    state: str = "PENDING"
    experiment_id: str = ""
    created_at: str = ""
    finished_at: str = ""
    pipeline_name: str = ""
    error: str = ""
    parameters: dict[str, Value] = {}


class Problem(msgspec.Struct, frozen=True):
    task: str
    message: str


class Change(msgspec.Struct, frozen=True):
    """Something that happened in a run: `kind` is `run` or `task`."""

    kind: str
    rev: str
    run: Run | None = None
    task: Task | None = None
