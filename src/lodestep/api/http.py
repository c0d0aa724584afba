"""Requests in, answers out: bodies, queries, error bodies in the reference's two shapes, idempotency.

Whatever goes wrong becomes an answer here, and nowhere else.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lodestep import jsonio
from lodestep.api.ports import EnginePort
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.errors import Conflict, InvalidInput, LodestepError, TooLarge
from lodestep.lang.fields import Resource
from lodestep.lang.filters import ListQuery, next_token, parse_query
from lodestep.spec import protojson
from lodestep.spec.ir import Message
from lodestep.store import requests
from lodestep.store.db import Connection
from lodestep.store.store import Store

M = TypeVar("M", bound=Message)
T = TypeVar("T")
KEY_HEADER = "idempotency-key"
_KEY_CHARS = 255
_STATUS = "type.googleapis.com/google.rpc.Status"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers work with."""

    store: Store
    engine: EnginePort
    settings: Settings
    clock: Clock


Handler = Callable[[Context, Request], Awaitable[Response]]


def answer(value: Any, status: int = 200) -> Response:
    return Response(jsonio.encode(value), status, media_type="application/json")


def nothing() -> Response:
    """The reference's empty reply."""
    return Response(b"{}", 200, media_type="application/json")


def error_answer(error: LodestepError) -> Response:
    """An error as the reference's gateway writes it, and our hint beside it."""
    text = str(error) if error.place else error.message
    body: dict[str, Any] = {
        "error": text,
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
    return answer({"error_message": error.message, "error_details": str(error)}, status)


async def body(request: Request, kind: type[M]) -> M:
    """The request's JSON as a message. Raises `InvalidInput` with the place."""
    data = await request.body()
    if not data.strip():
        raise InvalidInput("the request has no body: expected a JSON object")
    return protojson.convert(jsonio.decode(data), kind, place="body")


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
    key: str, rows: list[dict[str, Any]], total: int, query: ListQuery, cursor: tuple[str | int, str] | None
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
    async def of(cls, request: Request) -> "Once":
        key = request.headers.get(KEY_HEADER, "")
        if len(key) > _KEY_CHARS:
            raise InvalidInput(f"{KEY_HEADER} has {len(key)} characters: at most {_KEY_CHARS}")
        scope = f"{request.method} {request.url.path}?{request.url.query}"
        return cls(key, scope, jsonio.digest(await request.body()) if key else "")

    async def before(self, context: Context) -> Response | None:
        """The answer that this request was given before, if it was."""
        if not self._key:
            return None
        found = await context.store.read(lambda conn: requests.find(conn, self._key, self._scope))
        if found is None:
            return None
        if found.digest != self._digest:
            raise Conflict(f"the {KEY_HEADER} {self._key!r} was used for another request", hint="choose a new key")
        return Response(found.body, found.status, headers=found.headers)

    def keep(self, conn: Connection, kept: Response, now_ms: int) -> None:
        """Write the answer, in the transaction of the effect."""
        if self._key:
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


async def change(context: Context, request: Request, unit: Callable[[Connection], Response]) -> Response:
    """Carry out `unit`, durably and once. It returns the answer."""
    once = await Once.of(request)
    if (before := await once.before(context)) is not None:
        return before

    def effect(conn: Connection) -> Response:
        made = unit(conn)
        once.keep(conn, made, context.clock.now_ms())
        return made

    return await context.store.write(effect, durable=True)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: zero values are left out, as proto JSON does."""
    return {key: value for key, value in fields.items() if value not in ("", None, 0, [], {}) or value is False}
