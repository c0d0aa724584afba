"""Whose socket a connection comes from: both ways to find out, sockets that nobody holds, and what it costs."""

import errno
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from lodestep.api import peer

Ask = peer._asked  # pyright: ignore[reportPrivateUsage] - each of the two ways is tried on its own
Look = peer._listed  # pyright: ignore[reportPrivateUsage]
WAYS = {"asking the kernel": Ask, "searching its list": Look}
STRANGER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


class Link(NamedTuple):
    client: socket.socket
    accepted: socket.socket

    def ends(self) -> tuple[bytes, int, bytes, int]:
        """The client's address and port, and the server's, as the server sees them."""
        here, there = self.accepted.getpeername(), self.accepted.getsockname()
        family = self.accepted.family
        return socket.inet_pton(family, here[0]), here[1], socket.inet_pton(family, there[0]), there[1]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def link(stack: ExitStack, host: str = "127.0.0.1", *, mapped: bool = False) -> Link:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = stack.enter_context(socket.create_server((host, 0), family=family))
    client = stack.enter_context(socket.socket(socket.AF_INET6 if mapped else family))
    client.connect((f"::ffff:{host}" if mapped else host, listener.getsockname()[1]))
    return Link(client, stack.enter_context(listener.accept()[0]))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("host", "mapped"), [("127.0.0.1", False), ("127.0.0.1", True), ("::1", False)])
def test_our_own_connection_is_ours(stack: ExitStack, way: str, host: str, mapped: bool) -> None:
    made = link(stack, host, mapped=mapped)
    assert WAYS[way](*made.ends()) == os.geteuid()


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_is_not_there_is_nobody_s(stack: ExitStack, way: str) -> None:
    here, port, there, server_port = link(stack).ends()
    assert WAYS[way](here, port, there, 1) is None
    assert WAYS[way](there, server_port, here, 1) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_socket_that_was_closed_after_sending_is_nobody_s(stack: ExitStack, way: str) -> None:
    """Many kernels report it as root's, so that a stranger could send a request and close."""
    made = link(stack)
    ends = made.ends()
    made.client.sendall(b"POST / HTTP/1.1\r\n\r\n")
    made.client.close()
    assert made.accepted.recv(100)
    assert WAYS[way](*ends) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_socket_that_will_send_no_more_still_has_its_owner(stack: ExitStack, way: str) -> None:
    made = link(stack)
    made.client.shutdown(socket.SHUT_WR)
    assert made.accepted.recv(1) == b""
    assert WAYS[way](*made.ends()) == os.geteuid()


@pytest.mark.root
@needs_root
@pytest.mark.parametrize("way", WAYS)
def test_another_user_s_connection_is_theirs(stack: ExitStack, way: str) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    probe = (
        "import encodings.idna, os, socket\n"
        f"os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})\n"
        f"s = socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}))\n"
        "s.recv(1)\n"
    )
    listener.settimeout(20)
    child = stack.enter_context(subprocess.Popen([sys.executable, "-c", probe]))
    accepted = stack.enter_context(listener.accept()[0])
    try:
        assert WAYS[way](*Link(accepted, accepted).ends()) == STRANGER
    finally:
        accepted.close()
        child.wait(10)


def test_the_list_is_searched_where_the_kernel_cannot_be_asked(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = link(stack)
    client, server = made.accepted.getpeername(), made.accepted.getsockname()

    def refusing(*_ends: object) -> int | None:
        raise OSError(errno.EPROTONOSUPPORT, "no such questions")

    monkeypatch.setattr(peer, "_asked", refusing)
    assert peer.uid_of(client, server) == os.geteuid()
    monkeypatch.setattr(peer, "_PROC", Path("/nowhere"))
    assert peer.uid_of(client, server) is None
    assert not peer.can_tell("127.0.0.1")


def test_the_list_is_read_as_kernels_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "{:4d}: {} {} {:02X} 00000000:00000000 00:00000000 00000000 {:5d}        0 {} 1 0000000000000000 20 4\n"
    words = f"{struct.unpack('=I', socket.inet_aton('127.0.0.1'))[0]:08X}"
    server = f"{words}:22B8"
    (tmp_path / "tcp").write_text(
        head
        + line.format(0, server, f"{words}:A001", 1, 0, 7)  # our own side of the same connection
        + line.format(1, f"{words}:A001", server, 1, 1000, 8)
        + line.format(2, f"{words}:A002", server, 6, 0, 0)  # waits for its end: nobody's
        + line.format(3, f"{words}:A003", server, 1, 100000, 9)
    )
    monkeypatch.setattr(peer, "_PROC", tmp_path)
    local = socket.inet_aton("127.0.0.1")
    assert [Look(local, port, local, 8888) for port in (0xA001, 0xA002, 0xA003, 0xA004)] == [1000, None, 100000, None]


def test_a_peer_is_looked_up_once(stack: ExitStack) -> None:
    made = link(stack)
    known = peer.Peer(made.accepted.getpeername(), made.accepted.getsockname())
    assert known.uid == os.geteuid()
    made.client.close()
    assert known.uid == os.geteuid()


def test_requests_from_within_this_process_have_no_peer() -> None:
    assert peer.of({"client": ("testclient", 50000), "server": ("testserver", 80)}) is None
    assert peer.of({"client": None, "server": ("127.0.0.1", 80)}) is None
    other = peer.of({"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)})
    assert other is not None
    assert other.uid is None


def test_only_the_own_user_and_root_may_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert [peer.may_enter(uid) for uid in (0, 1000, 1001, STRANGER, None)] == [True, True, False, False, False]


def test_this_system_can_tell() -> None:
    assert peer.can_tell("127.0.0.1")
    assert peer.can_tell("192.0.2.1")  # cannot be listened on: told where that is tried


def test_asking_costs_the_same_among_many_sockets(stack: ExitStack) -> None:
    """No list is read: a list of 2,000 would cost milliseconds of the event loop for each connection."""
    made = link(stack)

    def median_us() -> float:
        times: list[float] = []
        for _ in range(200):
            began = time.perf_counter()
            assert Ask(*made.ends()) == os.geteuid()
            times.append(time.perf_counter() - began)
        return sorted(times)[100] * 1e6

    alone = median_us()
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=500))
    for _ in range(300):
        stack.enter_context(socket.create_connection(listener.getsockname()))
    assert median_us() < 3 * alone + 100
