"""What happens in a run, as it happens: server-sent events.

    event: task | run
    id: REVISION              where to go on: send it back as Last-Event-ID
    data: the task or the run as the other routes show it

What was committed together comes together, and only its last event has an id, so that nobody goes on from its middle.
A stream ends when its run has ended. Without Last-Event-ID it begins with what changes after the request.
"""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lodestep import jsonio
from lodestep.api import runs, show
from lodestep.api.http import Context
from lodestep.api.own.tasks import shown
from lodestep.core.states import RUN_TERMINAL
from lodestep.errors import InvalidInput, NotFound
from lodestep.store import revisions, tasks
from lodestep.store.db import Connection

_HEARTBEAT_S = 15.0
_HEARTBEAT = b": still here\n\n"


async def of_run(context: Context, request: Request) -> Response:
    run_id = request.path_params["id"]
    given = request.headers.get("last-event-id", "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 19):
        raise InvalidInput(f"Last-Event-ID {given[:40]!r} is no revision: expected the id of an event")

    def unit(conn: Connection) -> int:
        runs.existing(conn, run_id)
        return revisions.newest(conn)

    since = await context.store.read(unit)  # asked before the answer begins, so that nothing falls in between
    return StreamingResponse(
        _events(context, run_id, min(int(given), since) if given else since),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


class _News(NamedTuple):
    rev: int
    events: list[tuple[str, bytes]]
    ended: bool


async def _events(context: Context, run_id: str, rev: int) -> AsyncGenerator[bytes]:
    with context.engine.feed.watch(run_id) as watch:
        while not watch.closed:
            try:
                news = await context.store.read(lambda conn, rev=rev: _since(conn, run_id, rev))
            except NotFound:  # deleted meanwhile
                return
            for position, (name, data) in enumerate(news.events, 1):
                yield _event(name, news.rev if position == len(news.events) else None, data)
            rev = news.rev
            if news.ended:
                return
            while not await watch.changes(_HEARTBEAT_S) and not watch.closed:
                yield _HEARTBEAT


def _since(conn: Connection, run_id: str, rev: int) -> _News:
    row = runs.existing(conn, run_id)
    events = [("task", jsonio.encode(shown(task))) for task in tasks.of_run(conn, run_id, after_rev=rev)]
    ended = row.state in RUN_TERMINAL
    if row.rev > rev or ended:
        events.append(("run", jsonio.encode(show.run(row))))
    return _News(revisions.newest(conn), events, ended)


def _event(name: str, rev: int | None, data: bytes) -> bytes:
    number = b"" if rev is None else b"id: %d\n" % rev
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), number, data)
