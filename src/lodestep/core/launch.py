"""What a runner is given: everything that is needed to run one attempt, and nothing that needs the database.

All placeholders are substituted before this. Paths are absolute. Secret values are in `secret_env` and in the files
behind `mounts` only; a runner must not write `secret_env` to disk or to a log.
"""

from enum import StrEnum

import msgspec

from lodestep.core.model import ArtifactValue
from lodestep.spec.ir import ParameterType


class MountKind(StrEnum):
    FOLDER = "folder"  # `source` is a folder of this machine, shown at `target`
    EMPTY = "empty"  # a fresh folder for this attempt alone


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    kind: MountKind
    target: str
    source: str = ""
    read_only: bool = False


class Resources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits; 0 means none. Requests are kept for runners that place steps."""

    cpu_limit: float = 0.0
    memory_limit_bytes: int = 0
    cpu_request: float = 0.0
    memory_request_bytes: int = 0
    accelerator_type: str = ""
    accelerator_count: int = 0


class ParameterTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where an output parameter is expected: a file with its value as text."""

    type: ParameterType
    file: str


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, ready to run.

    `directory` is the attempt's own folder (made by the runner, 0700):

        started.json    pid, process start time and boot id, written before user code runs
        outcome.json    how the process ended, written by its parent
        log             its output, with a time index beside it (`log.times`)
        work/           the current folder of the step
        outputs/        `ParameterTarget.file`s and `executor_output_file`

    `output_artifacts` have their final `uri`s; for a local one the runner makes the parent folder.
    `timeout_s` 0 means none.
    """

    attempt_id: str
    run_id: str
    task_id: str
    task_name: str
    task_path: str
    directory: str
    image: str
    command: list[str]  # command and args, in one list
    env: dict[str, str]
    secret_env: dict[str, str]
    resources: Resources
    mounts: list[Mount]
    input_artifacts: dict[str, list[ArtifactValue]]
    output_parameters: dict[str, ParameterTarget]
    output_artifacts: dict[str, ArtifactValue]
    executor_output_file: str
    timeout_s: float = 0.0
    grace_s: float = 30.0
    log_bytes: int = 64 * 1024 * 1024
    output_parameter_bytes: int = 4 * 1024 * 1024
