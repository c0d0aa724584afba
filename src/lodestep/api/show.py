"""Rows as the messages of v2beta1: snake case, zero values left out, times as RFC 3339, and the reference's quirks."""

from typing import Any

import msgspec

from lodestep import jsonio
from lodestep.api.present import present
from lodestep.clock import rfc3339
from lodestep.core.model import Failure, Moment, Task, Values
from lodestep.core.states import TaskStatus
from lodestep.errors import LodestepError
from lodestep.spec import load
from lodestep.store.rows import ExperimentRow, PipelineRow, RunRow, VersionRow

_STATUS = "type.googleapis.com/google.rpc.Status"


def time(at_ms: int) -> str:
    """Of what has not happened the reference says 1970."""
    return rfc3339(at_ms)


def status(message: str, code: int = 13) -> dict[str, Any]:
    return {"code": code, "message": message}


def experiment(row: ExperimentRow) -> dict[str, Any]:
    return present(
        {
            "experiment_id": row.id,
            "display_name": row.name,
            "description": row.description,
            "created_at": time(row.created_ms),
            "last_run_created_at": time(row.last_run_ms),
            "namespace": row.namespace,
            "storage_state": row.storage_state,
        }
    )


def pipeline(row: PipelineRow) -> dict[str, Any]:
    return present(
        {
            "pipeline_id": row.id,
            "display_name": row.display_name or row.name,
            "name": row.name,
            "description": row.description,
            "created_at": time(row.created_ms),
            "namespace": row.namespace,
            "tags": row.tags,
            "error": status(row.error) if row.error else None,
        }
    )


def version(row: VersionRow) -> dict[str, Any]:
    shown = present(
        {
            "pipeline_id": row.pipeline_id,
            "pipeline_version_id": row.id,
            "display_name": row.display_name or row.name,
            "name": row.name,
            "description": row.description,
            "created_at": time(row.created_ms),
            "code_source_url": row.code_source_url,
            "tags": row.tags,
            "error": status(row.error) if row.error else None,
        }
    )
    if row.package_url:
        shown["package_url"] = {"pipeline_url": row.package_url}
    if row.spec is not None:
        shown["pipeline_spec"] = wire(row.spec)
    return shown


def wire(canonical: bytes) -> Any:
    """The stored document as the API shows it: the IR alone, or both documents."""
    try:
        return load.wire_of(canonical)
    except (LodestepError, TypeError):  # a damaged spec hides nothing of its run; who starts a run of it is told
        return {}


def run(row: RunRow, tasks: list[Task] | None = None) -> dict[str, Any]:
    """A run. With its tasks, their details are shown too."""
    shown = present(
        {
            "experiment_id": row.experiment_id,
            "run_id": row.id,
            "display_name": row.name,
            "storage_state": row.storage_state,
            "description": row.description,
            "service_account": row.service_account,
            "state": row.state,
            "recurring_run_id": row.recurring_run_id,
        }
    )
    shown["created_at"] = time(row.created_ms)
    shown["scheduled_at"] = time(row.scheduled_ms or row.created_ms)
    shown["finished_at"] = time(row.ended_ms)
    if row.version_id:
        reference = {"pipeline_id": row.pipeline_id, "pipeline_version_id": row.version_id}
        shown["pipeline_version_reference"] = reference
    elif row.spec is not None:
        shown["pipeline_spec"] = wire(row.spec)
    shown["runtime_config"] = msgspec.Raw(row.runtime_config or b"{}")
    if row.error:
        shown["error"] = status(row.error)
    elif row.failure is not None:
        shown["error"] = status(_failure_text(row.failure))
    if history := _history(row.history):
        shown["state_history"] = history
    if tasks is not None:
        shown["run_details"] = {"task_details": task_details(tasks)}
    return shown


def _failure_text(data: bytes) -> str:
    failure = jsonio.decode_as(data, Failure)
    return f"{failure.message} ({failure.hint})" if failure.hint else failure.message


def _history(data: bytes) -> list[dict[str, Any]]:
    """Every state that the run was in. CANCELING is not among them, as with the reference."""
    moments = jsonio.decode_as(data or b"[]", list[Moment])
    return [{"update_time": time(m.at_ms), "state": m.state} for m in moments if m.state != "CANCELING"]


def task_details(tasks: list[Task]) -> list[dict[str, Any]]:
    children: dict[str, list[dict[str, str]]] = {}
    for task in tasks:
        if task.parent_id:
            children.setdefault(task.parent_id, []).append({"task_id": task.id})
    return [task_detail(task, children.get(task.id, [])) for task in tasks]


def task_detail(task: Task, children: list[dict[str, str]]) -> dict[str, Any]:
    shown = present(
        {
            "run_id": task.run_id,
            "task_id": task.id,
            "display_name": task.display_name,
            "state": task_state(task),
            "parent_task_id": task.parent_id,
            "inputs": _artifact_ids(task.inputs),
            "outputs": _artifact_ids(task.outputs),
            "child_tasks": children,
            "error": status(task.failure.message) if task.failure else None,
            "state_history": [
                {"update_time": time(moment.at_ms), "state": _state(moment.state)} for moment in task.history
            ],
        }
    )
    shown["create_time"] = time(task.created_ms)
    shown["start_time"] = time(task.started_ms or task.created_ms)
    shown["end_time"] = time(task.ended_ms)
    if task.attempts:
        last = task.attempts[-1]
        shown["pod_name"] = last.id
        failed = [attempt.id for attempt in task.attempts if attempt.state in ("FAILED", "LOST")]
        shown["executor_detail"] = present({"main_job": last.id, "failed_main_jobs": failed})
    return shown


def task_state(task: Task) -> str:
    """The wire has no word for waiting, and calls what came from the cache skipped."""
    if task.cached_from and task.state is TaskStatus.SUCCEEDED:
        return "SKIPPED"
    return _state(task.state)


def _state(state: str) -> str:
    return "PENDING" if state == TaskStatus.WAITING else str(state)


def _artifact_ids(values: Values) -> dict[str, Any]:
    return {name: {"artifact_ids": [each.id for each in group if each.id]} for name, group in values.artifacts.items()}
