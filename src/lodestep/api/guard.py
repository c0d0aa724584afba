"""What every request passes before anything else sees it, and what every answer carries.

Requests that a page of another site, another user of this machine or another machine could have sent are refused here,
for every route, those that do not exist included. Bodies are counted while they arrive. Whatever escapes the
application becomes an answer without a trace of its inside. It knows no route but the two that take files.
"""

import hmac
import re
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lodestep import log
from lodestep.api import peer
from lodestep.api.authority import Authority, Hosts, is_loopback, is_same_origin
from lodestep.api.http import error_answer, upload_error_answer
from lodestep.config import Settings
from lodestep.errors import InvalidInput, LodestepError, PermissionDenied, TooLarge, Unauthenticated

UPLOAD_PATHS = frozenset({"/apis/v2beta1/pipelines/upload", "/apis/v2beta1/pipelines/upload_version"})
MOST_HEADERS = 100

_logger = log.get("guard")
_MULTIPART_BYTES = 64 * 1024  # what a form may add to the file in it
_SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WATCHED = frozenset(
    {
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"sec-fetch-mode",
        b"sec-fetch-dest",
        b"content-type",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
    }
)
ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")

Headers = Mapping[bytes, list[bytes]]


class _NoJson(InvalidInput):
    http_status: ClassVar[int] = 415


class _HeadTooLarge(TooLarge):
    http_status: ClassVar[int] = 431


def check_bind(settings: Settings) -> None:
    """Raises `InvalidInput` where these settings would let strangers in."""
    Hosts(settings)
    _check_token(settings.token)
    if settings.token:
        return
    if not is_loopback(settings.host):
        raise InvalidInput(
            f"other machines can reach {settings.host or 'every address'!r}, and there is no token to keep them out",
            hint="set LODESTEP_TOKEN to a long random text, or listen on 127.0.0.1",
        )
    if not peer.can_tell(settings.host):
        raise InvalidInput(
            "this system does not tell which user a connection belongs to, and there is no token to keep others out",
            hint="set LODESTEP_TOKEN to a long random text",
        )


def guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app` behind the guard."""
    return _Guard(app, settings)


def _check_token(token: str) -> None:
    if token and (len(token) < _SHORTEST_TOKEN or not _TOKEN.fullmatch(token)):
        raise InvalidInput(
            f"settings: the token has {len(token)} characters, or some that no header can carry",
            hint=f"use {_SHORTEST_TOKEN} or more of A-Z a-z 0-9 . _ ~ + / = -",
        )


class _Guard:
    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = Hosts(settings)
        self._token = settings.token.encode()
        self._request_bytes = settings.limits.request_bytes
        self._upload_bytes = settings.limits.upload_bytes + _MULTIPART_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._request(scope, receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            case _:
                await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Reply(send, keep_out_of_caches=scope["path"].startswith("/apis/"))
        try:
            limit = self._check(scope)
            await self._app(scope, _counted(receive, limit), reply.send)
        except LodestepError as error:
            refusal = error
        except ClientDisconnect:
            return
        except Exception:
            _logger.exception("request.failed method=%s path=%r", scope["method"], scope["path"])
            refusal = LodestepError("the server failed to answer this; its log says why")
        else:
            return
        if not reply.started:  # else the connection breaks off, which is all that can be told now
            answer = upload_error_answer if _is_upload(scope) else error_answer
            await answer(refusal)(scope, receive, reply.send)

    def _check(self, scope: Scope) -> int:
        """Raises what the request is refused with. Returns how many bytes its body may have."""
        if len(scope["headers"]) > MOST_HEADERS:
            raise _HeadTooLarge(f"the request has {len(scope['headers'])} headers: at most {MOST_HEADERS}")
        headers = _watched(scope)
        host = self._checked_host(scope, headers)
        _check_page(scope, headers, host)
        _check_target(scope)
        self._check_caller(scope, headers)
        return self._checked_body(scope, headers)

    def _checked_host(self, scope: Scope, headers: Headers) -> Authority:
        named = headers.get(b"host", [])
        if len(named) != 1:
            raise PermissionDenied(f"the request has {len(named)} Host headers: expected one")
        host = self._hosts.accepted(named[0], scope.get("server") or ("", None))
        if host is None:
            raise PermissionDenied(
                f"the request is for the host {_shown(named[0])}, which is not this server",
                hint="if it is meant, add it to allowed_hosts in the server's lodestep.toml",
            )
        return host

    def _check_caller(self, scope: Scope, headers: Headers) -> None:
        """With a token, who has it; without one, who is the server's own user or root."""
        if self._token:
            given = headers.get(b"authorization", [])
            scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(b" "), self._token):
                raise Unauthenticated(
                    "the request does not carry this server's token",
                    hint="send the header Authorization: Bearer TOKEN; clients take it as existing_token",
                )
            return
        caller = peer.of(scope)
        if caller is not None and not peer.may_enter(caller.uid):
            who = "another user" if caller.uid is not None else "nobody who could be found"
            raise PermissionDenied(
                f"the request comes from {who} of this machine",
                hint="the server's user can set LODESTEP_TOKEN and share it: then everybody who has it is let in",
            )

    def _checked_body(self, scope: Scope, headers: Headers) -> int:
        """How many bytes the body may have, if it is of a kind that the path takes."""
        upload = _is_upload(scope)
        limit = self._upload_bytes if upload else self._request_bytes
        length = _length(headers)
        if length > limit:
            raise TooLarge(f"the request has {length} bytes: at most {limit}")
        if scope["method"] not in _READING:
            chunked = b"transfer-encoding" in headers
            _check_kind(headers, upload=upload, empty=length == 0 and not chunked)
        return limit


class _Reply:
    """The way out: every answer gets the headers that keep pages of other sites away from it."""

    __slots__ = ("_missing", "_send", "started")

    def __init__(self, send: Send, *, keep_out_of_caches: bool) -> None:
        self._send = send
        self._missing = (*ALWAYS, _NOT_KEPT) if keep_out_of_caches else ALWAYS
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            given = [pair for pair in message.get("headers", ()) if not pair[0].startswith(b"access-control-")]
            names = {name for name, _ in given}
            if message["status"] == 401 and b"www-authenticate" not in names:
                given.append((b"www-authenticate", b"Bearer"))
            given += [pair for pair in self._missing if pair[0] not in names]
            message = {**message, "headers": given}
        await self._send(message)


def _counted(receive: Receive, limit: int) -> Receive:
    """`receive` that raises `TooLarge` once more than `limit` bytes have come."""
    count = 0

    async def counting() -> Message:
        nonlocal count
        message = await receive()
        if message["type"] == "http.request":
            count += len(message.get("body", b""))
            if count > limit:
                raise TooLarge(f"the request has more than {limit} bytes")
        return message

    return counting


def _watched(scope: Scope) -> Headers:
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in _WATCHED:
            found.setdefault(name, []).append(value)
    return found


def _check_page(scope: Scope, headers: Headers, host: Authority) -> None:
    """Pages of other sites are refused whatever they ask for. What sends neither header is no browser."""
    origins = headers.get(b"origin", ())
    sites = headers.get(b"sec-fetch-site", ())
    foreign = any(not is_same_origin(origin, host) for origin in origins) or len(origins) > 1
    if not foreign and any(site not in (b"same-origin", b"none") for site in sites):
        foreign = not _is_followed_link(scope, headers)
    if foreign:
        where = _shown(origins[0]) if origins else "another site"
        raise PermissionDenied(f"the request was sent by a page of {where}: only pages of this server may send any")


def _is_followed_link(scope: Scope, headers: Headers) -> bool:
    """Whether a person followed a link to the server's page: it opens on its own, where the other page sees nothing."""
    return (
        scope["method"] == "GET"
        and scope["path"] == "/"
        and headers.get(b"sec-fetch-mode") == [b"navigate"]
        and headers.get(b"sec-fetch-dest") == [b"document"]
    )


def _check_target(scope: Scope) -> None:
    """Targets name a path: no second authority, no escape or character that parts of the server could read apart."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if not raw.startswith(b"/"):
        raise InvalidInput(f"the request asks for {_shown(raw)}: expected a path")
    if _BAD_ESCAPE.search(raw) or "\ufffd" in scope["path"] or _CONTROL.search(scope["path"]):
        raise InvalidInput(f"the path {_shown(raw)} holds an escape that is no text")


def _check_kind(headers: Headers, *, upload: bool, empty: bool) -> None:
    kinds = {value.partition(b";")[0].strip().lower() for value in headers.get(b"content-type", ())}
    if upload:
        if kinds != {b"multipart/form-data"}:
            raise InvalidInput(f"the body is {_kind_shown(kinds)}: expected multipart/form-data")
    elif not empty and kinds - {b"application/json"}:
        raise _NoJson(
            f"the body is {_kind_shown(kinds)}: expected application/json",
            hint="send the header Content-Type: application/json",
        )


def _length(headers: Headers) -> int:
    """The length that the request promises; 0 where it promises none."""
    given = headers.get(b"content-length", ())
    if not given:
        return 0
    if len(given) > 1 or not _DIGITS.fullmatch(given[0]):
        raise InvalidInput(f"the Content-Length {_shown(b', '.join(given))} is no number of bytes")
    if b"transfer-encoding" in headers:
        raise InvalidInput("the request has a Content-Length and a Transfer-Encoding: expected one of them")
    return int(given[0])


def _is_upload(scope: Scope) -> bool:
    return scope["path"] in UPLOAD_PATHS


def _kind_shown(kinds: set[bytes]) -> str:
    return _shown(b", ".join(sorted(kinds))) if kinds else "of no named type"


def _shown(value: bytes) -> str:
    text = value[:100].decode("latin-1")
    return repr(text if len(value) <= 100 else f"{text}…")
