"""The guard, request by request, without a network: what it refuses, what it lets through, what it adds."""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from lodestep.api import guard, peer
from lodestep.api.authority import Authority, Hosts, is_same_origin, parse
from lodestep.config import Limits, Settings
from lodestep.errors import InvalidInput, NotFound

SERVER = ("127.0.0.1", 8888)
UPLOAD = "/apis/v2beta1/pipelines/upload"
RUNS = "/apis/v2beta1/runs"
TOKEN = "t0ken-of-sixteen-or-more"
JSON = (b"content-type", b"application/json")
SETTINGS = Settings(home="/nowhere", port=8888)


class Answer:
    def __init__(self, messages: list[dict[str, Any]], reached: bool) -> None:
        self.messages = messages
        self.reached = reached
        self.status: int = messages[0]["status"] if messages else 0
        self.header_list: list[tuple[bytes, bytes]] = list(messages[0]["headers"]) if messages else []
        self.headers = dict(self.header_list)
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def said(self) -> Any:
        return json.loads(self.body)


def ask(
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    path: str = RUNS,
    raw_path: bytes | None = None,
    host: bytes | None = b"localhost:8888",
    pieces: Iterable[bytes] = (b"",),
    settings: Settings = SETTINGS,
    app: Any = None,
    **scope: Any,
) -> Answer:
    """Send one request through the guard, by default to an application that reads it all and answers `{}`."""
    reached: list[bool] = []
    messages: list[dict[str, Any]] = []
    waiting = list(pieces)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        reached.append(True)
        if app is not None:
            await app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> dict[str, Any]:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        messages.append(message)

    given = [(b"host", host)] if host is not None else []
    full = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": b"",
        "headers": [*given, *headers],
        "server": SERVER,
        "client": ("testclient", 50000),
        "state": {},
        **scope,
    }
    asyncio.run(guard.guarded(reading, settings)(full, receive, send))
    return Answer(messages, bool(reached))


# hosts


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"localhost:8888",
        b"LocalHost:8888",
        b"127.0.0.1",
        b"127.0.0.1:8888",
        b"127.9.9.9:8888",
        b"[::1]",
        b"[::1]:8888",
        b"[0:0:0:0:0:0:0:1]:8888",
    ],
)
def test_the_names_of_this_machine_are_served(host: bytes) -> None:
    assert ask(host=host).status == 200


@pytest.mark.parametrize(
    "host", [b"evil.example", b"localhost.", b"localhost:1", b"a@localhost", b"127.1", b"0.0.0.0", b""]
)
def test_other_hosts_are_refused_in_the_reference_s_words(host: bytes) -> None:
    answer = ask(host=host)
    assert (answer.status, answer.reached) == (403, False)
    assert answer.said["code"] == 7
    assert answer.said["details"][0]["message"] == answer.said["message"]
    assert "allowed_hosts" in answer.said["hint"]


def test_exactly_one_host_is_expected() -> None:
    assert ask(host=None).status == 403
    assert ask((b"host", b"localhost:8888")).status == 403
    assert ask((b"host", b"evil.example")).status == 403


def test_allowed_hosts_are_served_under_our_port_or_the_port_that_they_name() -> None:
    settings = Settings(home="/nowhere", allowed_hosts=["Lodestep.Example", "localhost:9000", "[fd00::7]:443"])
    for host in (b"lodestep.example", b"lodestep.example:8888", b"localhost:9000", b"[fd00:0::7]:443"):
        assert ask(host=host, settings=settings).status == 200, host
    for host in (
        b"lodestep.example:9000",
        b"a.lodestep.example",
        b"lodestep.example.",
        b"[fd00::7]",
        b"localhost:9001",
    ):
        assert ask(host=host, settings=settings).status == 403, host


@pytest.mark.parametrize("wrong", ["*", "", "http://lodestep.example", "a b", "lodestep.example:0", "ünicode.example"])
def test_what_is_no_host_is_refused_in_the_settings(wrong: str) -> None:
    with pytest.raises(InvalidInput, match="allowed_hosts"):
        Hosts(Settings(allowed_hosts=[wrong]))


def test_a_server_for_other_machines_is_served_under_the_address_that_was_reached() -> None:
    settings = Settings(home="/nowhere", host="0.0.0.0", token=TOKEN)
    bearer = (b"authorization", b"Bearer " + TOKEN.encode())
    reached = ("192.168.7.7", 8888)
    assert ask(bearer, host=b"192.168.7.7:8888", settings=settings, server=reached).status == 200
    assert ask(bearer, host=b"192.168.7.8:8888", settings=settings, server=reached).status == 403
    assert ask(bearer, host=b"0.0.0.0:8888", settings=settings, server=reached).status == 403


def test_authorities_have_one_spelling() -> None:
    assert parse(b"A.Example:80") == Authority("a.example", 80)
    assert parse(b"[0::1]") == Authority("::1", None)
    for wrong in (
        b"a.example:",
        b"a.example:080",
        b"a.example:65536",
        b"a..b",
        b"-a",
        b"[::1",
        b"[fe80::1%eth0]",
        b"a b",
    ):
        assert parse(wrong) is None, wrong
    assert parse(b"a" * 300) is None


# pages of other sites


@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"http://evil.example",
        b"http://localhost:3000",
        b"http://127.0.0.1:8888",
        b"http://localhost",
        b"http://localhost:8888.evil.example",
        b"http://a@localhost:8888",
        b"http://localhost:8888/",
        b"file://",
        b"ws://localhost:8888",
        b"http://localhost:8888 http://localhost:8888",
        b"chrome-extension://localhost:8888",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_pages_of_other_origins_are_refused(origin: bytes, method: str) -> None:
    answer = ask((b"origin", origin), JSON, method=method)
    assert (answer.status, answer.reached) == (403, False)


def test_two_origins_are_refused() -> None:
    assert ask(*[(b"origin", b"http://localhost:8888")] * 2).status == 403


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"", b"CROSS-SITE", b"same-origin, cross-site"])
def test_fetches_from_other_sites_are_refused(site: bytes) -> None:
    assert ask((b"sec-fetch-site", site)).status == 403
    assert ask((b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", site)).status == 403


def test_pages_of_this_server_and_clients_that_are_no_browsers_are_let_through() -> None:
    assert ask(JSON, method="POST").status == 200
    for site in (b"same-origin", b"none"):
        assert ask((b"origin", b"http://localhost:8888"), (b"sec-fetch-site", site), JSON, method="POST").status == 200
    assert is_same_origin(b"https://lodestep.example", Authority("lodestep.example", None))
    assert is_same_origin(b"http://localhost", Authority("localhost", 80))


def test_a_followed_link_opens_the_page_and_nothing_else() -> None:
    link = [(b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")]
    assert ask(*link, path="/").status == 200
    assert ask(*link, path=RUNS).status == 403
    assert ask(*link, path="/", method="POST").status == 403
    assert ask(*link, (b"origin", b"null"), path="/").status == 403
    assert ask(link[0], link[1], (b"sec-fetch-dest", b"iframe"), path="/").status == 403


# bodies


@pytest.mark.parametrize(
    "kind", [b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b""]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_kinds_of_body_that_a_form_can_send_are_refused(kind: bytes, method: str) -> None:
    for length in ((b"content-length", b"2"), (b"transfer-encoding", b"chunked")):
        answer = ask((b"content-type", kind), length, method=method, pieces=[b"{}"])
        assert (answer.status, answer.reached) == (415, False)
        assert "application/json" in answer.said["hint"]


def test_json_and_unnamed_and_empty_bodies_are_let_through() -> None:
    two = (b"content-length", b"2")
    assert ask((b"content-type", b"Application/JSON; charset=utf-8"), two, method="POST", pieces=[b"{}"]).status == 200
    assert ask(two, method="POST", pieces=[b"{}"]).status == 200
    assert ask((b"content-type", b"text/plain"), (b"content-length", b"0"), method="POST").status == 200
    assert ask((b"content-type", b"text/plain"), JSON, two, method="POST", pieces=[b"{}"]).status == 415


def test_uploads_are_forms() -> None:
    form = (b"content-type", b"multipart/form-data; boundary=x")
    assert ask(form, (b"content-length", b"2"), method="POST", path=UPLOAD, pieces=[b"--"]).status == 200
    answer = ask(JSON, (b"content-length", b"2"), method="POST", path=UPLOAD, pieces=[b"{}"])
    assert (answer.status, answer.reached) == (400, False)
    assert set(answer.said) == {"error_message", "error_details"}


def test_a_promised_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    settings = Settings(home="/nowhere", limits=Limits(request_bytes=10, upload_bytes=10))
    exact, over = (b"content-length", b"10"), (b"content-length", b"11")
    assert ask(JSON, exact, method="POST", pieces=[b"x" * 10], settings=settings).status == 200
    answer = ask(JSON, over, method="POST", pieces=[], settings=settings)
    assert (answer.status, answer.reached) == (413, False)
    assert "11 bytes: at most 10" in answer.said["message"]


def test_bodies_of_no_promised_length_are_counted_while_they_come() -> None:
    settings = Settings(home="/nowhere", limits=Limits(request_bytes=10))
    chunked = (b"transfer-encoding", b"chunked")
    assert ask(JSON, chunked, method="POST", pieces=[b"x" * 5] * 2, settings=settings).status == 200
    answer = ask(JSON, chunked, method="POST", pieces=[b"x" * 5] * 3 + [b"never read"] * 9, settings=settings)
    assert (answer.status, answer.reached) == (413, True)
    assert ask(chunked, method="GET", pieces=[b"x" * 5] * 3, settings=settings).status == 413


def test_uploads_have_their_own_limit_and_their_own_words() -> None:
    settings = Settings(home="/nowhere", limits=Limits(request_bytes=10, upload_bytes=1000))
    form = (b"content-type", b"multipart/form-data; boundary=x")
    big = [b"x" * 40_000] * 2
    assert ask(form, method="POST", path=UPLOAD, pieces=[b"x" * 1000], settings=settings).status == 200
    for length in ([], [(b"content-length", b"80000")]):
        answer = ask(form, *length, method="POST", path=UPLOAD, pieces=big, settings=settings)
        assert answer.status == 400
        assert "bytes" in answer.said["error_message"]


@pytest.mark.parametrize("length", [b"-1", b"+1", b"1e3", b"0x10", b"1, 1", b"", b"9" * 30, "１".encode()])
def test_lengths_that_are_no_numbers_are_refused(length: bytes) -> None:
    assert ask(JSON, (b"content-length", length), method="POST").status == 400


def test_lengths_that_contradict_are_refused() -> None:
    ten = (b"content-length", b"10")
    assert ask(JSON, ten, ten, method="POST").status == 400
    assert ask(JSON, ten, (b"transfer-encoding", b"chunked"), method="POST").status == 400


# targets and heads


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"http://localhost:8888/apis", "http://localhost:8888/apis"),
        (b"evil.example:443", "evil.example:443"),
        (b"*", "*"),
        (b"/apis/%zz", "/apis/%zz"),
        (b"/apis/%", "/apis/%"),
        (b"/apis/%e4", "/apis/\ufffd"),
        (b"/apis/a%00b", "/apis/a\0b"),
        (b"/apis/a%0ab", "/apis/a\nb"),
    ],
)
def test_targets_that_are_no_plain_path_are_refused(raw: bytes, path: str) -> None:
    answer = ask(raw_path=raw, path=path)
    assert (answer.status, answer.reached) == (400, False)


def test_many_headers_are_refused() -> None:
    assert ask(*[(b"x-%d" % number, b"") for number in range(99)]).status == 200
    assert ask(*[(b"x-%d" % number, b"") for number in range(100)]).status == 431


# callers


@pytest.mark.parametrize(
    "given",
    [
        [],
        [b""],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer wrong"],
        [TOKEN.encode()],
        [b"Basic " + TOKEN.encode()],
        [b"Bearer " + TOKEN.encode()] * 2,
        [b"Bearer " + TOKEN.encode()[:-1]],
        [b"Bearer " + TOKEN.encode() + b"x"],
        ["Bearer tökén-of-sixteen-or-more".encode("latin-1")],
    ],
)
@pytest.mark.parametrize("path", [RUNS, "/apis/v2beta1/healthz", "/", "/nothing"])
def test_without_the_token_nothing_is_answered(given: list[bytes], path: str) -> None:
    answer = ask(*[(b"authorization", value) for value in given], path=path, settings=Settings(home="/x", token=TOKEN))
    assert (answer.status, answer.reached) == (401, False)
    assert answer.headers[b"www-authenticate"] == b"Bearer"
    assert TOKEN not in repr(answer.messages)


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
def test_with_the_token_anybody_is_answered(scheme: bytes) -> None:
    settings = Settings(home="/x", token=TOKEN)
    stranger = {peer.STATE_KEY: _peer(uid=None)}
    assert ask((b"authorization", scheme + b" " + TOKEN.encode()), settings=settings, state=stranger).status == 200


@pytest.mark.parametrize("uid", [None, 1, 65534, 2**32 - 2])
def test_other_users_are_refused(uid: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    answer = ask(state={peer.STATE_KEY: _peer(uid)})
    assert (answer.status, answer.reached) == (403, False)
    assert "LODESTEP_TOKEN" in answer.said["hint"]
    for own in (0, 1000):
        assert ask(state={peer.STATE_KEY: _peer(own)}).status == 200


def test_connections_that_the_kernel_does_not_know_are_refused() -> None:
    assert ask(client=("127.0.0.1", 1)).status == 403


def _peer(uid: int | None) -> peer.Peer:
    class Known(peer.Peer):
        def _look(self) -> int | None:
            return uid

    return Known(("127.0.0.1", 40000), SERVER)


# answers


def test_every_answer_carries_the_headers_and_no_permission_for_other_sites() -> None:
    async def generous(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"access-control-allow-origin", b"*"), (b"content-security-policy", b"sandbox"), JSON]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    for answer in (ask(), ask(host=b"evil.example"), ask(path=UPLOAD, method="POST"), ask(app=_failing)):
        assert answer.headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
        assert answer.headers[b"x-content-type-options"] == b"nosniff"
        assert answer.headers[b"x-frame-options"] == b"DENY"
        assert answer.headers[b"referrer-policy"] == b"no-referrer"
        assert answer.headers[b"cross-origin-resource-policy"] == b"same-origin"
        assert answer.headers[b"cross-origin-opener-policy"] == b"same-origin"
        assert answer.headers[b"cache-control"] == b"no-store"
        assert len(answer.header_list) == len(answer.headers)
    kept = ask(app=generous)
    assert kept.headers[b"content-security-policy"] == b"sandbox"
    assert b"access-control-allow-origin" not in kept.headers
    assert b"cache-control" not in ask(path="/").headers


async def _failing(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("secret-of-the-inside")


def test_an_unexpected_end_is_logged_and_answered_without_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "lodestep"):
        answer = ask(app=_failing)
    assert (answer.status, answer.said["code"]) == (500, 13)
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert "secret-of-the-inside" in caplog.text


def test_an_end_in_the_middle_of_an_answer_breaks_it_off(caplog: pytest.LogCaptureFixture) -> None:
    async def halfway(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("halfway")

    answer = ask(app=halfway)
    assert [message["type"] for message in answer.messages] == ["http.response.start"]


def test_our_own_errors_that_escape_keep_their_meaning() -> None:
    async def escaping(scope: Any, receive: Any, send: Any) -> None:
        raise NotFound("it is gone")

    assert ask(app=escaping).status == 404
    form = (b"content-type", b"multipart/form-data; boundary=x")
    assert ask(form, app=escaping, path=UPLOAD, method="POST").said["error_message"] == "it is gone"


def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def left(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    assert ask(app=left).messages == []
    assert not caplog.records


def test_websockets_are_closed_and_the_life_of_the_application_is_let_through() -> None:
    sent: list[Any] = []
    kinds: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    async def both() -> None:
        guarded: Any = guard.guarded(app, SETTINGS)
        await guarded({"type": "websocket", "path": "/", "headers": []}, None, send)
        await guarded({"type": "lifespan"}, None, send)

    asyncio.run(both())
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert kinds == ["lifespan"]


# where the server may listen


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"])
def test_loopback_needs_no_token(host: str) -> None:
    guard.check_bind(Settings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.1", "lodestep.example", "127.0.0.1.example", "127.1"])
def test_elsewhere_a_token_is_demanded(host: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        guard.check_bind(Settings(host=host))
    assert "LODESTEP_TOKEN" in refused.value.hint
    guard.check_bind(Settings(host=host, token=TOKEN))


@pytest.mark.parametrize(
    "token", ["short", "x" * 15, "with a space in the middle", "ünicode-is-no-header", "line\nbreak" * 3]
)
def test_tokens_that_are_no_protection_are_refused(token: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        guard.check_bind(Settings(token=token))
    assert token not in str(refused.value)


def test_a_system_that_cannot_tell_users_apart_demands_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "can_tell", lambda _host: False)
    with pytest.raises(InvalidInput, match="which user"):
        guard.check_bind(Settings())
    guard.check_bind(Settings(token=TOKEN))
