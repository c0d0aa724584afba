"""The servers that a step host speaks with: mostly one, none after it has died, two for a moment after its restart."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from . import wire

_RECEIVE = 1 << 16
_LATER_S = 0.01
Ready = Callable[[int], None]  # what to do once a descriptor is ready: readable, writable or both


class Connection:
    """A server."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unpacker = wire.Unpacker()
        self.unsent = bytearray()
        self.is_waiting = False  # for room to send


class Servers:
    """`take` is told what a server wants, `greet` says what a new one is to hear first.

    What is said goes out with the next `flush`. What can wait does so for a moment: a short step's beginning is told
    together with its end, so that a server is woken once.
    """

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        take: Callable[[Connection, dict[str, Any]], None],
        greet: Callable[[], dict[str, Any]],
    ) -> None:
        self._listener = listener
        self._selector = selector
        self._take = take
        self._greet = greet
        self._connections: set[Connection] = set()
        self.last_seen = time.monotonic()  # when the last of them went
        self.due: float | None = None  # when to `flush`
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def __bool__(self) -> bool:
        return bool(self._connections)

    def _accept(self, _mask: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # it went away again, or there is no descriptor left
            return
        # What an earlier server still had to say comes first, so that the new one hears of it.
        for other in list(self._connections):
            self._receive(other)
        sock.setblocking(False)
        connection = Connection(sock)
        self._connections.add(connection)
        ready: Ready = lambda mask: self._serve(connection, mask)  # noqa: E731 - a name gives it its type
        self._selector.register(sock, selectors.EVENT_READ, ready)
        self.send(connection, self._greet())

    def _serve(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(connection)
        if mask & selectors.EVENT_READ:
            self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        """Take what has come, all of it."""
        while connection in self._connections:
            try:
                data = connection.sock.recv(_RECEIVE)
                messages = connection.unpacker.feed(data)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                self._drop(connection)
                return
            for message in messages:
                self._take(connection, message)
            if not data:
                self._drop(connection)
            if len(data) < _RECEIVE:
                return

    def send(self, connection: Connection, message: dict[str, Any], *, later: bool = False) -> None:
        connection.unsent += wire.pack(message)
        due = time.monotonic() + (_LATER_S if later else 0)
        self.due = due if self.due is None else min(self.due, due)

    def tell(self, message: dict[str, Any]) -> None:
        for connection in self._connections:
            self.send(connection, message)

    def flush(self) -> None:
        """Send what is due."""
        if self.due is None or self.due > time.monotonic():
            return
        self.due = None
        for connection in list(self._connections):
            if connection.unsent and not connection.is_waiting:
                self._flush(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.sock.send(connection.unsent)
            del connection.unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        waiting = bool(connection.unsent)
        if waiting != connection.is_waiting:
            connection.is_waiting = waiting
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
            self._selector.modify(connection.sock, events, self._selector.get_key(connection.sock).data)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._selector.unregister(connection.sock)
            connection.sock.close()
            self.last_seen = time.monotonic()
