"""The log of an attempt: whole, a piece of it, or as it grows.

Offsets count all bytes that the step wrote; `X-Next-Offset` is where the next request goes on. With `timestamps=true`
each line begins with the time at which it arrived.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lodestep.api.http import Context
from lodestep.api.own.tasks import existing
from lodestep.clock import rfc3339
from lodestep.core.model import Task
from lodestep.core.states import ATTEMPT_TERMINAL
from lodestep.errors import InvalidInput, NotFound
from lodestep.runtime import logfile

_PIECE_BYTES = 256 * 1024
_LIMIT_BYTES = 8 * 1024 * 1024
_LOOK_S = 0.2  # how often a log is looked at, while somebody follows it

Read = Callable[[str, int, int], tuple[bytes, int]]  # directory, offset, limit: bytes, and where to go on


async def of_task(context: Context, request: Request) -> Response:
    given = request.query_params
    task = await existing(context, request.path_params["id"])
    attempt_id = _attempt(task, _number(given.get("attempt", ""), "attempt"))
    offset = _number(given.get("offset", ""), "offset")
    limit = _number(given.get("limit", ""), "limit")
    if limit > _LIMIT_BYTES:
        raise InvalidInput(f"limit {limit}: at most {_LIMIT_BYTES} bytes at once", place="limit")
    read: Read = _with_times if given.get("timestamps") == "true" else logfile.read
    if not attempt_id:
        return _text(b"", offset)
    folder = str(context.settings.home_path / "runs" / task.run_id / attempt_id)
    if given.get("follow") == "true":
        return _stream(_follow(context, task.id, attempt_id, folder, offset, read))
    if limit:
        return _text(*await asyncio.to_thread(read, folder, offset, limit))
    end = await asyncio.to_thread(logfile.size, folder)
    return _stream(_until(folder, offset, end, read), end)


def _attempt(task: Task, number: int) -> str:
    """The id of an attempt, by default of the last; "" where none has begun."""
    if not number:
        return task.attempts[-1].id if task.attempts else ""
    for attempt in task.attempts:
        if attempt.number == number:
            return attempt.id
    raise NotFound(f"task {task.name!r} has no attempt {number}: it has {len(task.attempts)}")


def _number(text: str, name: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(f"{text!r} is no whole number", place=name)
    return int(text)


async def _until(folder: str, offset: int, end: int, read: Read) -> AsyncGenerator[bytes]:
    while offset < end:
        data, following = await asyncio.to_thread(read, folder, offset, _PIECE_BYTES)
        if following == offset:
            return
        yield data
        offset = following


async def _follow(
    context: Context, task_id: str, attempt_id: str, folder: str, offset: int, read: Read
) -> AsyncGenerator[bytes]:
    """What there is and what comes, until the attempt is over."""
    with context.engine.feed.watch("") as server:  # of no run: tells only that the server ends
        while not server.closed:
            over = await asyncio.to_thread(
                logfile.is_complete, folder
            )  # asked before reading: what is written after is not missed
            data, following = await asyncio.to_thread(read, folder, offset, _PIECE_BYTES)
            if data:
                yield data
            if following != offset:
                offset = following
                continue
            if over or not await _may_grow(context, task_id, attempt_id):
                return
            await server.changes(_LOOK_S)


async def _may_grow(context: Context, task_id: str, attempt_id: str) -> bool:
    """False once the attempt's end is recorded: one that never started leaves no sign of its end in its folder."""
    try:
        task = await existing(context, task_id)
    except NotFound:
        return False
    states = {attempt.id: attempt.state for attempt in task.attempts}
    return states.get(attempt_id) not in ATTEMPT_TERMINAL and attempt_id in states


def _with_times(directory: str, offset: int, limit: int) -> tuple[bytes, int]:
    lines, following = logfile.lines(directory, offset, limit)
    text = b"".join(b"%s %s\n" % (_time(line.at_ms), line.text) for line in lines)
    return text, following


def _time(at_ms: int) -> bytes:
    return rfc3339(at_ms).encode() if at_ms else b"-"


def _text(data: bytes, following: int) -> Response:
    return Response(data, media_type="text/plain; charset=utf-8", headers={"x-next-offset": str(following)})


def _stream(pieces: AsyncGenerator[bytes], end: int | None = None) -> Response:
    headers = {} if end is None else {"x-next-offset": str(end)}
    return StreamingResponse(pieces, media_type="text/plain; charset=utf-8", headers=headers)
