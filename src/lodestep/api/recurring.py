"""`/apis/v2beta1/recurringruns`: their place. There are none yet, and what would make one says so."""

from starlette.requests import Request
from starlette.responses import Response

from lodestep.api.http import Context, answer, list_query
from lodestep.errors import NotFound, Unimplemented
from lodestep.lang.fields import Resource


async def list_(_context: Context, request: Request) -> Response:
    list_query(request, Resource.RECURRING_RUNS, request.query_params.get("namespace", ""))  # a wrong query is told
    return answer({})


async def create(_context: Context, _request: Request) -> Response:
    raise Unimplemented(
        "recurring runs are not there yet", hint="start the run from cron: `lodestep run FILE --no-wait`"
    )


async def one(_context: Context, request: Request) -> Response:
    raise NotFound(f"recurring run {request.path_params['id']!r} does not exist")
