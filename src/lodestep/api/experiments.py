"""`/apis/v2beta1/experiments`."""

from starlette.requests import Request
from starlette.responses import Response

from lodestep import ids
from lodestep.api import show
from lodestep.api.http import Context, answer, body, change, list_query, nothing, optional_body, page_answer
from lodestep.api.inputs import ExperimentIn
from lodestep.api.naming import experiment_name
from lodestep.errors import Conflict, NotFound
from lodestep.lang.fields import Resource
from lodestep.store import experiments, runs
from lodestep.store.db import Connection
from lodestep.store.rows import ExperimentRow

DEFAULT = "Default"


async def list_(context: Context, request: Request) -> Response:
    """There are no users yet, so whatever namespace is asked for, it is the server's."""
    namespace = context.settings.namespace
    query = list_query(request, Resource.EXPERIMENTS, namespace)
    rows, total, cursor = await context.store.read(lambda conn: experiments.page(conn, query, namespace=namespace))
    return page_answer("experiments", [show.experiment(row) for row in rows], total, query, cursor)


async def create(context: Context, request: Request) -> Response:
    given = await body(request, ExperimentIn)
    row = ExperimentRow(
        id=ids.new_id(),
        name=experiment_name(given.display_name),
        description=given.description,
        namespace=context.settings.namespace,
        created_ms=context.clock.now_ms(),
    )

    def unit(conn: Connection) -> Response:
        experiments.insert(conn, row)
        return answer(show.experiment(row))

    return await change(context, request, unit)


async def get(context: Context, request: Request) -> Response:
    row = await context.store.read(lambda conn: _existing(conn, request.path_params["id"]))
    return answer(show.experiment(row))


async def delete(context: Context, request: Request) -> Response:
    def unit(conn: Connection) -> Response:
        row = _existing(conn, request.path_params["id"])
        if row.name == DEFAULT:
            raise Conflict("the experiment 'Default' cannot be deleted")
        experiments.delete(conn, row.id)
        return nothing()

    return await change(context, request, unit)


async def archive(context: Context, request: Request) -> Response:
    """With all its runs."""
    await optional_body(request)

    def unit(conn: Connection) -> Response:
        row = _existing(conn, request.path_params["id"])
        experiments.set_storage_state(conn, row.id, "ARCHIVED")
        runs.archive_all_of(conn, row.id)
        return nothing()

    return await change(context, request, unit)


async def unarchive(context: Context, request: Request) -> Response:
    """The experiment alone: its runs stay archived."""
    await optional_body(request)

    def unit(conn: Connection) -> Response:
        row = _existing(conn, request.path_params["id"])
        experiments.set_storage_state(conn, row.id, "AVAILABLE")
        return nothing()

    return await change(context, request, unit)


def default(conn: Connection, namespace: str, now_ms: int) -> ExperimentRow:
    """The experiment of runs that name none; made when first needed."""
    found = experiments.by_name(conn, DEFAULT, namespace, salvage=True)
    if found is None:
        found = ExperimentRow(
            id=ids.new_id(),
            name=DEFAULT,
            description="Runs that name no experiment",
            namespace=namespace,
            created_ms=now_ms,
        )
        experiments.insert(conn, found)
    return found


def _existing(conn: Connection, experiment_id: str) -> ExperimentRow:
    row = experiments.get(conn, experiment_id, salvage=True)
    if row is None:
        raise NotFound(f"experiment {experiment_id!r} does not exist")
    return row
