"""A real server in this process, whose handlers note that they were reached, and a client that sends any bytes."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.requests import Request
from starlette.responses import Response

from lodestep import server
from lodestep.api import routes
from lodestep.api.http import Context, Handler
from lodestep.config import Settings

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes


class Wire:
    """One connection after the other to a server."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._where = (address, port)
        self._socket: socket.socket | None = None

    def ask(self, data: bytes, *, head_only: bool = False) -> Answer:
        """Send bytes, read one answer. Status 0: the connection was closed without one."""
        for fresh in (False, True):
            if self._socket is None or fresh:
                self.close()
                self._socket = socket.create_connection(self._where, timeout=20)
                fresh = True
            with suppress(ConnectionError):
                self._socket.sendall(data)
                answer = self._read(self._socket, head_only)
                if answer.status or fresh:
                    return answer
        return Answer(0, b"", b"")

    def _read(self, sock: socket.socket, head_only: bool) -> Answer:
        said = b""
        while b"\r\n\r\n" not in said:
            piece = sock.recv(65536)
            if not piece:
                self.close()
                return Answer(0, said, b"")
            said += piece
        head, _, body = said.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        length = 0 if head_only else int(found[1]) if found else -1  # else the end is the end of the connection
        chunked = b"transfer-encoding: chunked" in head.lower()
        while not body.endswith(b"0\r\n\r\n") if chunked else length < 0 or len(body) < length:
            piece = sock.recv(65536)
            if not piece:
                break
            body += piece
        if (length < 0 and not chunked) or b"connection: close" in head.lower():
            self.close()
        return Answer(int(head[9:12]), head, body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Served(NamedTuple):
    """A server, and the handlers that were reached since `reached` was cleared."""

    url: str
    port: int
    reached: list[str]
    wire: Wire


@contextmanager
def serving(home: Path, **settings: Any) -> Iterator[Served]:
    reached: list[str] = []

    def noting(entry: routes.Entry) -> routes.Entry:
        handler: Handler = entry.handler

        async def noted(context: Context, request: Request) -> Response:
            reached.append(f"{entry.method} {entry.path}")
            return await handler(context, request)

        return entry._replace(handler=noted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "TABLE", tuple(noting(entry) for entry in routes.TABLE))
        running = server.start_in_background(Settings(home=str(home), port=0, **settings))
    port = int(running.url.rsplit(":", 1)[1])
    wire = Wire(port)
    try:
        yield Served(running.url, port, reached, wire)
    finally:
        wire.close()
        running.stop()


def paths() -> list[str]:
    """A path for every route, with an id in its place."""
    return sorted({re.sub(r"\{\w+\}", "00000000-0000-0000-0000-000000000000", entry.path) for entry in routes.TABLE})


def entries() -> list[tuple[str, str]]:
    """Method and path of every route."""
    return [(entry.method, re.sub(r"\{\w+\}", "0", entry.path)) for entry in routes.TABLE]
