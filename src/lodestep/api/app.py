"""The application: the table of routes, bound to the parts that handlers work with, behind the guard."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp as App

from lodestep.api import guard, routes
from lodestep.api.http import Context, error_answer, upload_error_answer
from lodestep.api.ports import EnginePort
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.errors import InvalidInput, LodestepError, NotFound, TooLarge, Unavailable
from lodestep.store.store import Store

__all__ = ["App", "build"]

_BY_STATUS: dict[int, type[LodestepError]] = {400: InvalidInput, 404: NotFound, 413: TooLarge, 503: Unavailable}


def build(*, store: Store, engine: EnginePort, settings: Settings, clock: Clock) -> App:
    context = Context(store=store, engine=engine, settings=settings, clock=clock)
    app = Starlette(
        routes=[_route(entry, context) for entry in routes.TABLE],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return guard.guarded(app, settings)


def _route(entry: routes.Entry, context: Context) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return await entry.handler(context, request)
        except LodestepError as error:
            return upload_error_answer(error) if entry.upload else error_answer(error)

    return Route(entry.path, endpoint, methods=[entry.method])


async def _failed(request: Request, _error: Exception) -> Response:
    """Our own fault. The guard, which is told of it as well, has its story written to the log."""
    answer = upload_error_answer if request.url.path in guard.UPLOAD_PATHS else error_answer
    return answer(LodestepError("the server failed to answer this; its log says why"))


async def _refused(request: Request, error: Exception) -> Response:
    """What the router refuses, and bodies that broke off, in the reference's shape."""
    if not isinstance(error, HTTPException):  # what the handler was registered for
        raise error
    if error.status_code == 405:
        reply = error_answer(InvalidInput(f"{request.method} is not possible on {request.url.path}"))
        reply.status_code = 405
        reply.headers.update(error.headers or {})
        return reply
    kind = _BY_STATUS.get(error.status_code, InvalidInput)
    words = f"there is nothing at {request.url.path}" if kind is NotFound else str(error.detail).lower()
    return error_answer(kind(words))
