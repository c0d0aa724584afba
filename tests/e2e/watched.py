"""A server that is watched from outside: what it writes into its database, and what it says on stderr."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Generator
from typing import Any
from urllib.parse import urlparse

from tests.contract import rig
from tests.contract.rig import V2, send
from tests.e2e.conftest import LiveServer


class Watched(LiveServer):
    """A server whose stderr goes to a file."""

    @property
    def said(self) -> str:
        return (self.home.parent / "stderr").read_text()

    def stop(self) -> int:
        code = super().stop()
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def start(self) -> "Watched":
        command = [sys.executable, "-m", "lodestep.cli", "up", "--home", str(self.home), "--no-browser", "--json"]
        with (self.home.parent / "stderr").open("a") as stderr:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=subprocess.PIPE, stderr=stderr, text=True, env=self.env
            )
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        return self


@contextlib.contextmanager
def nothing_half_written(server: Watched) -> Generator[None]:
    """Whatever is asked within leaves the tables as they were, and the server without a word of a fault."""
    before, said = rig.counts(server.home), len(server.said)
    yield
    assert server.alive
    assert rig.counts(server.home) == before
    assert "Traceback" not in server.said[said:], server.said[said:]
    assert server.request("GET", f"{V2}/healthz").status == 200


def posted(server: Watched, path: str, data: bytes) -> Any:
    return send(server.url, "POST", f"{V2}/{path}", data)


def connect(server: Watched) -> socket.socket:
    at = urlparse(server.url)
    return socket.create_connection((at.hostname, at.port), timeout=20)


def head(server: Watched, path: str, *lines: str) -> bytes:
    host = urlparse(server.url).netloc
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()
