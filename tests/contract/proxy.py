"""A proxy that loses answers: the server has done what was asked, and the client never hears of it."""

import contextlib
import socket
import struct
import threading
from collections.abc import Generator
from urllib.parse import urlparse

_RESET = struct.pack("ii", 1, 0)  # closing resets the connection


class LossyProxy:
    """Takes one request a connection. While `losing`, what the server answered is kept here instead of sent on."""

    def __init__(self, url: str) -> None:
        at = urlparse(url)
        self._server = (at.hostname, at.port)
        self._host = at.netloc
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.losing = True
        self.lost: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            request = _request(client).replace(urlparse(self.url).netloc.encode(), self._host.encode(), 1)
            with socket.create_connection(self._server, timeout=30) as server:
                server.sendall(request)
                answer = b""
                while piece := server.recv(65536):
                    answer += piece
            if self.losing:
                self.lost.append(answer)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                client.sendall(answer)


@contextlib.contextmanager
def lossy(url: str) -> Generator[LossyProxy]:
    proxy = LossyProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()


def body_of(answer: bytes) -> bytes:
    """The body of an answer that was lost."""
    return answer.partition(b"\r\n\r\n")[2]


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def _request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\nConnection: close\r\n\r\n" + body
