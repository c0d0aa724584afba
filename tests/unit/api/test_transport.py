"""Connections that send nothing, half of something, or too much: they end, and cost others nothing."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from lodestep.api import peer, transport
from lodestep.config import Settings

SHORT_S = 0.25
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
App = Callable[[Any, Any, Any], Awaitable[None]]


class Server(uvicorn.Server):
    """uvicorn as the real server runs it: without its tick."""

    def __init__(self, app: App) -> None:
        http = transport.protocol(Settings(home="/nowhere"))
        super().__init__(uvicorn.Config(app, http=http, ws="none", lifespan="off", log_config=None, access_log=False))
        self.loop = asyncio.new_event_loop()
        self.ended = asyncio.Event()
        self.ready = threading.Event()

    async def main_loop(self) -> None:
        self.ready.set()
        await self.ended.wait()

    def end(self) -> None:
        self.should_exit = self.force_exit = True
        self.ended.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


Connect = Callable[[], socket.socket]


@contextmanager
def serving(app: App) -> Iterator[Connect]:
    """A server of `app`; what it yields opens connections to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app)
        where = listener.getsockname()

        def run() -> None:
            server.loop.run_until_complete(server.serve(sockets=[listener]))
            server.loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        assert server.ready.wait(10)
        opened: list[socket.socket] = []

        def connect() -> socket.socket:
            opened.append(socket.create_connection(where, timeout=20))
            return opened[-1]

        try:
            yield connect
        finally:
            for connection in opened:
                connection.close()
            server.loop.call_soon_threadsafe(server.end)
            thread.join(20)


def until_closed(connection: socket.socket) -> bytes:
    said = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            said += piece
    return said


def answer_of(connection: socket.socket) -> bytes:
    """One answer whose body is `{}`."""
    said = b""
    while not said.endswith(b"{}"):
        piece = connection.recv(65536)
        assert piece, said
        said += piece
    return said


async def reply(send: Any, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def prompt(_scope: Any, _receive: Any, send: Any) -> None:
    await reply(send)


async def reading(_scope: Any, receive: Any, send: Any) -> None:
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await reply(send)


def test_a_connection_that_asks_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HEAD_S", SHORT_S)
    with serving(prompt) as connect:
        assert until_closed(connect()) == b""


def test_a_head_that_comes_drop_by_drop_is_cut_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HEAD_S", SHORT_S)
    with serving(prompt) as connect:
        for before in (b"", HEAD):  # on a new connection, and on one that has been used
            connection = connect()
            if before:
                connection.sendall(before)
                answer_of(connection)
            began = time.monotonic()
            connection.sendall(HEAD[:5])
            connection.settimeout(0.02)
            with suppress(ConnectionError):
                while True:
                    connection.sendall(b"x")
                    try:
                        assert connection.recv(100) == b""
                        break
                    except TimeoutError:
                        assert time.monotonic() - began < 10, "bytes keep it open"


def test_a_used_connection_stays_for_the_next_request_and_then_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HEAD_S", SHORT_S)
    monkeypatch.setattr(transport, "IDLE_S", 4 * SHORT_S)
    with serving(prompt) as connect:
        used, silent = connect(), connect()
        used.sendall(HEAD)
        answer_of(used)
        until_closed(silent)  # a silent one is closed earlier than an idle one
        used.sendall(HEAD)
        assert answer_of(used).startswith(b"HTTP/1.1 200")
        assert until_closed(used) == b""


def test_an_answer_that_takes_its_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("HEAD_S", "BODY_S", "DRAIN_S", "IDLE_S"):
        monkeypatch.setattr(transport, limit, SHORT_S)
    go_on = threading.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.to_thread(go_on.wait, 20)
        await reply(send)

    with serving(slow) as connect:
        waiting = connect()
        waiting.sendall(HEAD)
        until_closed(connect())  # so long
        go_on.set()
        assert answer_of(waiting).startswith(b"HTTP/1.1 200")


def test_a_body_that_stops_is_given_up_and_one_that_drips_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BODY_S", SHORT_S)
    ends: list[str] = []

    async def noting(_scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        ends.append(message["type"])
        await reply(send)

    with serving(noting) as connect:
        stopped, dripping = connect(), connect()
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        stopped.sendall(head + b"x")
        dripping.sendall(head)
        stopped.settimeout(SHORT_S / 10)
        left = 1000
        while left:
            dripping.sendall(b"x")
            left -= 1
            try:
                assert stopped.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            break
        dripping.sendall(b"x" * left)
        assert answer_of(dripping).startswith(b"HTTP/1.1 200")
    assert ends == ["http.disconnect", "http.request"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000, 431),
        (b"GET /" + b"x" * 70_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_told_so_and_closed(data: bytes, status: int) -> None:
    with serving(prompt) as connect:
        connection = connect()
        connection.sendall(data)
        head, _, body = until_closed(connection).partition(b"\r\n\r\n")
    assert int(head[9:12]) == status
    assert json.loads(body)["message"].startswith("this is no http/1.1 request")
    assert b"content-security-policy: default-src 'none'" in head
    assert b"connection: close" in head


def test_a_body_that_breaks_its_form_is_answered_once() -> None:
    ends: list[str] = []

    async def noting(_scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive()).get("more_body"):
            pass
        ends.append(message["type"])
        await reply(send)

    with serving(noting) as connect:
        connection = connect()
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nnonsense\r\n"
        )
        said = until_closed(connection)
    assert said.count(b"HTTP/1.1 ") == 1
    assert said.startswith(b"HTTP/1.1 400")
    assert ends == ["http.disconnect"]


def test_the_rest_of_a_refused_body_is_read_and_the_connection_goes_on() -> None:
    async def refusing(_scope: Any, _receive: Any, send: Any) -> None:
        await reply(send, 413)

    with serving(refusing) as connect:
        connection = connect()
        for _ in range(2):
            connection.sendall(
                b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
            )
            assert answer_of(connection).startswith(b"HTTP/1.1 413")


def test_a_connection_that_was_read_empty_does_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "IDLE_S", SHORT_S)
    with serving(prompt) as connect:
        connection = connect()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        answer_of(connection)
        connection.sendall(b"{}")
        assert until_closed(connection) == b""


def test_the_rest_of_a_refused_body_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DRAIN_BYTES", 1_000_000)

    async def refusing(_scope: Any, _receive: Any, send: Any) -> None:
        await reply(send, 413)

    sent = 0
    with serving(refusing) as connect:
        connection = connect()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while sent < 100_000_000:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
    assert sent < 50_000_000


def test_the_rest_of_a_refused_body_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DRAIN_S", SHORT_S)
    with serving(prompt) as connect:
        connection = connect()
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
        assert until_closed(connection).endswith(b"{}")


def test_of_too_many_connections_those_that_wait_longest_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_CONNECTIONS", 5)
    go_on = threading.Event()

    async def slow(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await asyncio.to_thread(go_on.wait, 20)
        await reply(send)

    with serving(slow) as connect:
        busy = connect()
        busy.sendall(HEAD.replace(b"/ ", b"/slow "))
        used = connect()
        used.sendall(HEAD)
        answer_of(used)
        silent = [connect() for _ in range(30)]
        for connection in silent[:26]:
            assert until_closed(connection) == b""
        latest = connect()
        latest.sendall(HEAD)
        assert answer_of(latest).startswith(b"HTTP/1.1 200")
        go_on.set()
        assert answer_of(busy).startswith(b"HTTP/1.1 200")


def test_requests_that_come_together_are_answered_in_turn() -> None:
    paths: list[str] = []

    async def noting(scope: Any, _receive: Any, send: Any) -> None:
        paths.append(scope["path"])
        await reply(send)

    with serving(noting) as connect:
        connection = connect()
        connection.sendall(HEAD.replace(b"/ ", b"/1 ") + HEAD.replace(b"/ ", b"/2 ") + HEAD[:10])
        said = b""
        while said.count(b"{}") < 2:
            said += connection.recv(65536)
        connection.sendall(HEAD[10:])
        answer_of(connection)
    assert paths == ["/1", "/2", "/"]


def test_a_wish_for_a_websocket_is_answered_as_a_plain_request(caplog: pytest.LogCaptureFixture) -> None:
    with serving(prompt) as connect, caplog.at_level(logging.DEBUG):
        connection = connect()
        connection.sendall(HEAD[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert answer_of(connection).startswith(b"HTTP/1.1 200")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_peer_is_kept_for_as_long_as_the_connection() -> None:
    peers: list[peer.Peer] = []

    async def noting(scope: Any, _receive: Any, send: Any) -> None:
        peers.append(scope["state"][peer.STATE_KEY])
        await reply(send)

    with serving(noting) as connect:
        first, second = connect(), connect()
        for connection in (first, first, second):
            connection.sendall(HEAD)
            answer_of(connection)
    assert peers[0] is peers[1]
    assert peers[0] is not peers[2]


def test_an_idle_connection_keeps_one_timer_and_a_busy_one_none() -> None:
    timers: list[int] = []

    async def counting(_scope: Any, _receive: Any, send: Any) -> None:
        scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        timers.append(sum(not handle.cancelled() for handle in scheduled))
        await reply(send)

    with serving(counting) as connect:
        busy, idle = connect(), connect()
        idle.sendall(HEAD)
        answer_of(idle)
        busy.sendall(HEAD)
        answer_of(busy)
        idle.shutdown(socket.SHUT_WR)
        assert until_closed(idle) == b""
        busy.sendall(HEAD)
        answer_of(busy)
    assert timers == [1, 1, 0]  # the other's time for its head; the other's idle time; none
