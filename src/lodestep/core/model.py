"""The nouns of the engine: values that a run, its tasks and its attempts are made of.

Frozen structs are values. `Task`, `Attempt` and `RunState` change, but only inside `core.machine`. Times are wall
milliseconds (`_ms`, see `clock`); 0 means not yet.
"""

from enum import StrEnum
from typing import Any

import msgspec

from lodestep.core.states import AttemptStatus, RunStatus, SkipReason, TaskStatus

# A parameter's value: what JSON can say. Whole numbers are ints (`jsonio.whole`).
Value = Any


class FailureKind(StrEnum):
    USER_CODE = "user_code"  # an exception in a Python component; `detail` holds the traceback
    EXIT = "exit"  # a command ended with a code other than 0
    SIGNAL = "signal"  # a signal that nobody here sent ended it
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    OUTPUT_MISSING = "output_missing"
    BAD_OUTPUT = "bad_output"  # an output of another type than declared, or too large
    BAD_INPUT = "bad_input"  # an input that could not be resolved, or has the wrong type
    CANNOT_RUN = "cannot_run"  # what the step needs is not here: image, program, secret, mount
    ENVIRONMENT = "environment"  # its packages could not be installed
    LOST = "lost"  # its parent process died again and again
    UPSTREAM = "upstream"  # of a group: a task in it failed
    CANCELED = "canceled"
    SYSTEM = "system"  # disk full, a broken file: not the step's fault


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt, a task or a run failed, for the person who reads it.

    `message` is one line and stands alone; `detail` may be long (a traceback, the end of the log); `hint` says what
    to do. `retryable` False means that trying again cannot help, so retries are not spent on it.
    """

    kind: FailureKind
    message: str
    hint: str = ""
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    retryable: bool = True
    task: str = ""  # of a group or run: the path of the task that failed first


class ArtifactValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An artifact as tasks pass it on: what the proto calls `RuntimeArtifact`, and what we know of its bytes.

    `type` is a schema title such as `system.Dataset`, or the text of an instance schema. `uri` is a URL; a local
    file is `file:///…`. `digest` is the sha256 of the content ("" where it is not known).
    """

    id: str = ""
    name: str = ""
    type: str = "system.Artifact"
    schema_version: str = ""
    uri: str = ""
    metadata: dict[str, Value] = {}
    custom_path: str = ""
    digest: str = ""
    size: int = -1
    producer_task_id: str = ""
    producer_key: str = ""


class Values(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The inputs or the outputs of a task: parameters, and lists of artifacts (mostly of one)."""

    parameters: dict[str, Value] = {}
    artifacts: dict[str, list[ArtifactValue]] = {}


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt used. CPU time covers its whole process tree as far as the host could count it."""

    max_rss_bytes: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an attempt ended: SUCCEEDED with outputs, FAILED or LOST with a failure, or CANCELED."""

    state: AttemptStatus
    outputs: Values = msgspec.field(default_factory=Values)
    failure: Failure | None = None
    usage: Usage = Usage()
    started_ms: int = 0
    ended_ms: int = 0


class TaskKind(StrEnum):
    ROOT = "root"
    EXECUTOR = "executor"  # a container spec: run by a runner
    IMPORTER = "importer"  # run by the engine itself
    DAG = "dag"
    LOOP = "loop"
    ITERATION = "iteration"


class Moment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a state history."""

    state: str
    at_ms: int
    reason: str = ""


class Attempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One try of a task. `number` counts from 1 over the task's whole life, so ids never return."""

    id: str
    task_id: str
    number: int
    generation: int
    state: AttemptStatus = AttemptStatus.CREATED
    created_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    failure: Failure | None = None
    usage: Usage = Usage()


class Task(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The instance in a run of a task spec, of a loop's iteration, or of the run's root DAG.

    `path` is unique in the run and speaks: `for-loop-1[3]/train`; the root's is "". `id` is derived from run id and
    path, so a replay gives the same.
    """

    id: str
    run_id: str
    path: str
    name: str
    display_name: str
    kind: TaskKind
    component: str
    parent_id: str = ""
    iteration: int | None = None
    iterations: int | None = None  # of a loop: how many items it has; iterations become tasks as they begin
    state: TaskStatus = TaskStatus.WAITING
    skip: SkipReason | None = None
    reason: str = ""  # one line: why it is in this state
    created_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    inputs: Values = msgspec.field(default_factory=Values)
    outputs: Values = msgspec.field(default_factory=Values)
    failure: Failure | None = None
    fingerprint: str = ""
    cached_from: str = ""  # id of the task whose outputs were taken
    cache_reason: str = ""
    attempts: list[Attempt] = []
    history: list[Moment] = []


class RunHeader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is fixed when a run is accepted."""

    run_id: str
    name: str  # display name
    pipeline_name: str
    resource_name: str  # `PIPELINE-xxxxx`, what Kubeflow Pipelines calls the workflow's name
    spec_digest: str
    namespace: str = ""
    created_ms: int = 0
    scheduled_ms: int = 0
    parameters: dict[str, Value] = {}
    pipeline_root: str = ""  # where artifacts go, without a closing slash
    workspace: str = ""  # folder of the run's workspace, if the pipeline asks for one
    cache: bool = True
    final_status_success: str = "SUCCEEDED"  # what TaskFinalStatus says of success
    max_iterations: int = 100_000
    max_tasks: int = 1_000_000


class CacheHit(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier task with the same fingerprint whose outputs still exist."""

    task_id: str
    run_id: str
    outputs: Values


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    state: RunStatus
    failure: Failure | None = None
