"""What costs a client little costs the server little: slow heads, endless bodies, many headers, deep documents."""

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import LiveServer

SLOW = 2000
STALL_MS = 75
MIB = 1024 * 1024
HEALTH = b"GET /apis/v2beta1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /apis/v2beta1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
MANY_HEADERS = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a:b\r\n" * 100_000 + b"\r\n"
REQUESTS_AT_ONCE = (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n" + b"a:b\r\n" * 90 + b"\r\n") * 2000
HUGE_FILTER = b"GET /apis/v2beta1/runs?filter=" + b"%7B" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
DEEP = b'{"a":' * 100_000

pytestmark = pytest.mark.slow


@contextmanager
def serving(home: Path, **weaker: float) -> Iterator[LiveServer]:
    """A server, whose transport may be made weaker."""
    customize = home.parent / "customize"
    customize.mkdir()
    lines = "".join(f"transport.{name} = {value!r}\n" for name, value in weaker.items())
    (customize / "sitecustomize.py").write_text(f"from lodestep.api import transport\n{lines}" if weaker else "")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SLOW), hard))
    live = LiveServer(home, env={"PYTHONPATH": f"{customize}:{os.environ.get('PYTHONPATH', '')}"}).start()
    try:
        yield live
    finally:
        live.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(live: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", live.port), timeout=30)


def memory_mib(live: LiveServer) -> float:
    assert live.process is not None
    status = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def waits_ms(live: LiveServer, until: threading.Event | None = None, most: int = 400) -> list[float]:
    """How long others wait for an answer, on connections old and new. The longest is the last."""
    times: list[float] = []
    with connect(live) as old:
        while len(times) < most and not (until and until.is_set() and len(times) > 50):
            with connect(live) as new:
                for connection in (old, new):
                    began = time.perf_counter()
                    connection.sendall(HEALTH)
                    said = b""
                    while b"multi_user" not in said:
                        piece = connection.recv(65536)
                        assert piece, "another's connection was closed"
                        said += piece
                    times.append(time.perf_counter() - began)
    return [1000 * taken for taken in sorted(times)]


def p99(waits: list[float]) -> float:
    return waits[int(len(waits) * 0.99) - 1]


def stall_ms(live: LiveServer) -> float:
    """How long everybody else waits for a head of many headers. The least of three: the machine has other work too."""
    return min(while_sending(live, MANY_HEADERS)[0][-1] for _ in range(3))


def while_sending(live: LiveServer, data: bytes) -> tuple[list[float], bytes]:
    """The waits of others while one client sends `data`, and how that one is answered."""
    answered: list[bytes] = []
    done = threading.Event()

    def send() -> None:
        with connect(live) as connection:
            with suppress(ConnectionError):
                connection.sendall(data)
            with suppress(ConnectionError):
                answered.append(connection.recv(65536))
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    others = waits_ms(live, done)
    sender.join()
    return others, answered[0] if answered else b""


def taken_without_end(live: LiveServer, most: int) -> int:
    """How many bytes of an endless body the server takes."""
    sent = 0
    piece = b"100000\r\n" + b" " * MIB + b"\r\n"
    with connect(live) as connection, suppress(ConnectionError):
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        while sent < most:
            connection.sendall(piece)
            sent += MIB
    return sent


def test_clients_that_cost_little_cost_others_nothing(tmp_path: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * SLOW:
        pytest.skip(f"needs {2 * SLOW} open files")
    with serving(tmp_path / "home") as live, ExitStack() as stack:
        waits_ms(live)
        before = memory_mib(live)
        slow = [stack.enter_context(connect(live)) for _ in range(SLOW)]
        for connection in slow:
            connection.sendall(HEALTH[:30])
        assert p99(waits_ms(live)) < 100
        for connection in slow:
            with suppress(ConnectionError):
                assert connection.recv(1) == b"", "half a head is kept open"
        for data, status in ((MANY_HEADERS, b"431"), (REQUESTS_AT_ONCE, b"404"), (HUGE_FILTER, b"400")):
            others, answer = while_sending(live, data)
            assert p99(others) < 100, data[:60]
            assert answer[9:12] in (status, b""), data[:60]
        others, answer = while_sending(live, POST + b"Content-Length: %d\r\n\r\n" % len(DEEP) + DEEP)
        assert p99(others) < 100
        assert answer[9:12] in (b"400", b"413")
        assert stall_ms(live) < STALL_MS
        assert taken_without_end(live, 300 * MIB) < 300 * MIB
        assert memory_mib(live) < before + 64


def test_a_transport_that_drains_for_ever_is_found_out(tmp_path: Path) -> None:
    with serving(tmp_path / "home", DRAIN_BYTES=1 << 60) as live:
        assert taken_without_end(live, 300 * MIB) >= 300 * MIB


def test_a_transport_that_reads_any_head_is_found_out(tmp_path: Path) -> None:
    with serving(tmp_path / "home", HEAD_BYTES=1 << 30, _READ_BYTES=1 << 20) as live:
        assert stall_ms(live) > STALL_MS


def test_a_transport_that_waits_for_ever_is_found_out(tmp_path: Path) -> None:
    with serving(tmp_path / "home", HEAD_S=3600.0) as live, connect(live) as connection:
        connection.sendall(HEALTH[:30])
        connection.settimeout(11)  # more than the ten seconds that half a head may take
        with pytest.raises(TimeoutError):
            connection.recv(1)
