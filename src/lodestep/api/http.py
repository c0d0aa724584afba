"""Requests in, answers out: bodies, queries, error bodies in the reference's two shapes, idempotency.

Whatever goes wrong becomes an answer here, and nowhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lodestep import jsonio
from lodestep.api.listed import ListedRuns
from lodestep.api.ports import Also, EnginePort
from lodestep.api.present import present
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.errors import Conflict, InvalidInput, LodestepError, TooLarge
from lodestep.lang.fields import Resource
from lodestep.lang.filters import ListQuery, next_token, parse_query
from lodestep.spec import jsontext, protojson
from lodestep.spec.ir import Message
from lodestep.spec.limits import LIMITS
from lodestep.store import requests
from lodestep.store.db import Connection
from lodestep.store.store import Store

M = TypeVar("M", bound=Message)
T = TypeVar("T")
KEY_HEADER = "idempotency-key"
_KEY_CHARS = 255
_SHORT_BYTES = 64 * 1024
_BODY_LIMITS = msgspec.structs.replace(LIMITS, nesting=LIMITS.nesting + 8)  # of what stands around a document
_KEPT_MS = 24 * 3600 * 1000  # an answer, for repetitions of its request
_STATUS = "type.googleapis.com/google.rpc.Status"


class Turns:
    """One at a time for each name: who comes second waits for the first."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, name: tuple[str, str]) -> asyncio.Lock:
        """The lock of a name. It is forgotten with the last who holds it or waits for it."""
        return self._locks.setdefault(name, asyncio.Lock())


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers work with."""

    store: Store
    engine: EnginePort
    settings: Settings
    clock: Clock
    turns: Turns = msgspec.field(default_factory=Turns)
    listed: ListedRuns = msgspec.field(default_factory=ListedRuns)


Handler = Callable[[Context, Request], Awaitable[Response]]


def answer(value: Any, status: int = 200) -> Response:
    return Response(jsonio.encode(value), status, media_type="application/json")


def nothing() -> Response:
    """The reference's empty reply."""
    return Response(b"{}", 200, media_type="application/json")


def error_answer(error: LodestepError) -> Response:
    """An error as the reference's gateway writes it, and our hint beside it.

    Pages show `error`, which says all; programs that know the hint do not want it twice.
    """
    text = _placed(error)
    body: dict[str, Any] = {
        "error": str(error),
        "code": error.grpc_code,
        "message": text,
        "details": [{"@type": _STATUS, "code": error.grpc_code, "message": text}],
    }
    if error.hint:
        body["hint"] = error.hint
    return answer(body, error.http_status)


def upload_error_answer(error: LodestepError) -> Response:
    """An error as the reference's upload endpoints write it."""
    status = 400 if isinstance(error, TooLarge) else error.http_status
    return answer({"error_message": _placed(error), "error_details": str(error)}, status)


def _placed(error: LodestepError) -> str:
    return f"{error.place}: {error.message}" if error.place else error.message


async def body(request: Request, kind: type[M]) -> M:
    """The request's JSON as a message. Raises `InvalidInput` with the place, `TooLarge` where a limit is passed."""
    data = await request.body()
    if not data.strip():
        raise InvalidInput("the request has no body: expected a JSON object")
    if len(data) <= _SHORT_BYTES:
        return _message(data, kind)
    return await asyncio.to_thread(_message, data, kind)  # a long one would hold up all other requests


def _message(data: bytes, kind: type[M]) -> M:
    try:
        value = jsontext.parse(data, _BODY_LIMITS)
    except (InvalidInput, TooLarge) as error:
        raise type(error)(error.message, hint=error.hint, place="body") from error
    return protojson.convert(value, kind, place="body")


async def optional_body(request: Request) -> None:
    """A body that says nothing: absent, or an object."""
    data = await request.body()
    if data.strip() and not isinstance(jsonio.decode(data), dict | type(None)):
        raise InvalidInput("expected a JSON object or no body")


def list_query(request: Request, resource: Resource, scope: str) -> ListQuery:
    """`page_size`, `page_token`, `sort_by` and `filter`. Raises `InvalidInput`."""
    given = request.query_params
    return parse_query(
        resource,
        filter=given.get("filter", ""),
        sort_by=given.get("sort_by", ""),
        page_size=given.get("page_size") or None,
        page_token=given.get("page_token", ""),
        scope=scope,
    )


def page_answer(
    key: str,
    rows: Sequence[dict[str, Any] | msgspec.Raw],
    total: int,
    query: ListQuery,
    cursor: tuple[str | int, str] | None,
) -> Response:
    """A page of a list. Nothing found is an empty object, as proto JSON leaves out what is zero."""
    token = next_token(query, *cursor) if cursor is not None else ""
    return answer(present({key: rows, "total_size": total, "next_page_token": token}))


class Once:
    """Makes a request with an idempotency key take effect once: its answer is kept with its effect."""

    def __init__(self, key: str, scope: str, digest: str) -> None:
        self._key = key
        self._scope = scope
        self._digest = digest

    @classmethod
    async def of(cls, request: Request, *, content: bytes | None = None) -> "Once":
        """`content` stands for the body where the same request may come in other bytes, as forms do."""
        key = request.headers.get(KEY_HEADER, "")
        if len(key) > _KEY_CHARS:
            raise InvalidInput(f"{KEY_HEADER} has {len(key)} characters: at most {_KEY_CHARS}")
        scope = f"{request.method} {request.url.path}?{request.url.query}"
        if not key:
            return cls("", scope, "")
        return cls(key, scope, jsonio.digest(await request.body() if content is None else content))

    @property
    def name(self) -> tuple[str, str] | None:
        """What the same request has in common with its repetitions, where it has a key."""
        return (self._key, self._scope) if self._key else None

    def found(self, conn: Connection) -> Response | None:
        """The answer that this request was given before, if it was. Raises `Conflict` for another request's key."""
        kept = requests.find(conn, self._key, self._scope) if self._key else None
        if kept is None:
            return None
        if kept.digest != self._digest:
            raise Conflict(f"the {KEY_HEADER} {self._key!r} was used for another request", hint="choose a new key")
        return Response(kept.body, kept.status, headers=kept.headers)

    def keep(self, conn: Connection, kept: Response, now_ms: int) -> None:
        """Write the answer, in the transaction of the effect. Answers that nobody asks for any more are removed."""
        if self._key:
            requests.sweep(conn, now_ms - _KEPT_MS)
            requests.put(
                conn,
                self._key,
                self._scope,
                digest=self._digest,
                status=kept.status_code,
                headers={"content-type": "application/json"},
                body=bytes(kept.body),
                created_ms=now_ms,
            )


async def change(
    context: Context, request: Request, unit: Callable[[Connection], Response], *, content: bytes | None = None
) -> Response:
    """Carry out `unit`, durably and once. It returns the answer.

    Whether it was done before is asked in its own transaction: of two at once, the second sees the first.
    """
    once = await Once.of(request, content=content)

    def effect(conn: Connection) -> Response:
        if (before := once.found(conn)) is not None:
            return before
        made = unit(conn)
        once.keep(conn, made, context.clock.now_ms())
        return made

    return await context.store.write(effect, durable=True)


async def have_done(context: Context, request: Request, effect: Callable[[Also], Awaitable[None]]) -> Response:
    """Have the engine do something, once; the answer is empty. It is kept in the transaction of the effect.

    A repetition that comes while the first is under way waits here for its end.
    """
    once = await Once.of(request)
    reply = nothing()

    def keep(conn: Connection) -> None:
        once.keep(conn, reply, context.clock.now_ms())

    if once.name is None:
        await effect(keep)
        return reply
    async with context.turns.of(once.name):
        if (before := await context.store.read(once.found)) is not None:
            return before
        await effect(keep)
        return reply
