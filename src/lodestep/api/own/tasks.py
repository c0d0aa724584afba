"""Tasks as they are: with inputs, outputs, attempts and reasons, which the messages of v2beta1 have no place for."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lodestep.api import runs
from lodestep.api.http import Context, answer
from lodestep.core.model import Task
from lodestep.errors import NotFound
from lodestep.store import tasks
from lodestep.store.db import Connection


async def of_run(context: Context, request: Request) -> Response:
    """All tasks of a run, in the order in which they came to be."""
    run_id = request.path_params["id"]

    def unit(conn: Connection) -> bytes:
        runs.existing(conn, run_id)
        return msgspec.json.encode({"tasks": [shown(task) for task in tasks.of_run(conn, run_id)]})

    return Response(await context.store.read(unit), media_type="application/json")


async def get(context: Context, request: Request) -> Response:
    return answer(shown(await existing(context, request.path_params["id"])))


async def existing(context: Context, task_id: str) -> Task:
    found = await context.store.read(lambda conn: tasks.get(conn, task_id))
    if found is None:
        raise NotFound(f"task {task_id!r} does not exist")
    return found


def shown(task: Task) -> dict[str, Any]:
    """The task's fields that are set; its state, and that of its attempts, always."""
    fields: dict[str, Any] = msgspec.to_builtins(task)
    fields["state"] = task.state.value
    for attempt, of_attempt in zip(task.attempts, fields.get("attempts", []), strict=True):
        of_attempt["state"] = attempt.state.value
    return fields
