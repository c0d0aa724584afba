"""`/apis/v2beta1/runs`, with all verbs."""

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lodestep.api import new_run, show
from lodestep.api.http import (
    Context,
    Once,
    answer,
    body,
    change,
    have_done,
    list_query,
    nothing,
    optional_body,
    page_answer,
)
from lodestep.api.inputs import RunIn
from lodestep.api.ports import Also
from lodestep.core.model import Task
from lodestep.errors import FailedPrecondition, NotFound
from lodestep.lang.fields import Resource
from lodestep.store import experiments, runs, tasks
from lodestep.store.db import Connection
from lodestep.store.rows import RunRow


async def list_(context: Context, request: Request) -> Response:
    experiment_id = request.query_params.get("experiment_id", "")
    query = list_query(request, Resource.RUNS, experiment_id)
    rows, total, cursor = await context.store.read(
        lambda conn: runs.page(conn, query, experiment_id=experiment_id or None, with_specs=True)
    )
    return page_answer("runs", [context.listed.of(row) for row in rows], total, query, cursor)


async def create(context: Context, request: Request) -> Response:
    """Accept a run. Once this is answered, the run survives anything."""
    once = await Once.of(request)
    if (before := await context.store.read(once.found)) is not None:
        return before
    given = await body(request, RunIn)
    new_run.check_one_source(given)
    if given.pipeline_spec is not None:
        source = new_run.Source(await asyncio.to_thread(new_run.checked, given.pipeline_spec), None)
    else:
        source = await context.store.read(lambda conn: new_run.referred(conn, given))
    if experiment_id := request.query_params.get("experiment_id", ""):
        given = _in_experiment(given, experiment_id)
    new = new_run.NewRun(given, source, context.settings, context.clock)
    made: list[Response] = []

    def insert(conn: Connection) -> None:
        if (meanwhile := once.found(conn)) is not None:
            raise _AcceptedMeanwhile(meanwhile)
        reply = answer(show.run(new.insert(conn)))
        once.keep(conn, reply, new.now_ms)
        made[:] = [reply]

    try:
        await context.engine.submit(new.run_id, insert)
    except _AcceptedMeanwhile as first:
        return first.answer
    return made[0]


class _AcceptedMeanwhile(Exception):
    """No error: the same request came twice at once, and the other was first."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


def _in_experiment(given: RunIn, experiment_id: str) -> RunIn:
    return given if given.experiment_id else msgspec.structs.replace(given, experiment_id=experiment_id)


async def get(context: Context, request: Request) -> Response:
    run_id = request.path_params["id"]

    def unit(conn: Connection) -> tuple[RunRow, list[Task]]:
        return existing(conn, run_id, with_spec=True), tasks.of_run(conn, run_id)

    row, found = await context.store.read(unit)
    return answer(show.run(row, found))


async def delete(context: Context, request: Request) -> Response:
    run_id = request.path_params["id"]

    async def effect(also: Also) -> None:
        await context.store.read(lambda conn: existing(conn, run_id))
        await context.engine.forget(run_id, also=also)

    return await have_done(context, request, effect)


async def archive(context: Context, request: Request) -> Response:
    await optional_body(request)

    def unit(conn: Connection) -> Response:
        row = existing(conn, request.path_params["id"])
        runs.set_storage_state(conn, row.id, "ARCHIVED")
        return nothing()

    return await change(context, request, unit)


async def unarchive(context: Context, request: Request) -> Response:
    await optional_body(request)

    def unit(conn: Connection) -> Response:
        row = existing(conn, request.path_params["id"])
        experiment = experiments.get(conn, row.experiment_id, salvage=True)
        if experiment is not None and experiment.storage_state == "ARCHIVED":
            raise FailedPrecondition(
                f"run {row.id!r} is in the archived experiment {experiment.name!r}", hint="unarchive that first"
            )
        runs.set_storage_state(conn, row.id, "AVAILABLE")
        return nothing()

    return await change(context, request, unit)


async def terminate(context: Context, request: Request) -> Response:
    await optional_body(request)
    run_id = request.path_params["id"]

    async def effect(also: Also) -> None:
        await context.store.read(lambda conn: existing(conn, run_id))
        await context.engine.cancel(run_id, "somebody terminated it", also=also)

    return await have_done(context, request, effect)


async def retry(context: Context, request: Request) -> Response:
    await optional_body(request)
    run_id = request.path_params["id"]

    async def effect(also: Also) -> None:
        await context.store.read(lambda conn: existing(conn, run_id))
        await context.engine.retry(run_id, also=also)

    return await have_done(context, request, effect)


def existing(conn: Connection, run_id: str, *, with_spec: bool = False) -> RunRow:
    """The run, or what can be read of it. Raises `NotFound`."""
    row = runs.get(conn, run_id, with_spec=with_spec, salvage=True)
    if row is None:
        raise NotFound(f"run {run_id!r} does not exist")
    return row
