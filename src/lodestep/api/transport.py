"""Connections: HTTP/1.1 by uvicorn and h11, with the bounds that those leave open.

A connection that sends no request, or half of one, is closed after a while; of too many, the one that has waited
longest is closed. Timers exist only while a connection is in a state that may not last. What a request means is not
looked at.
"""

import asyncio
import logging
import resource
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from lodestep import log
from lodestep.api import guard, peer
from lodestep.api.http import error_answer
from lodestep.config import Settings
from lodestep.errors import InvalidInput

HEAD_BYTES = 32 * 1024
HEAD_S = 10.0
BODY_S = 60.0  # in which nothing of it came
IDLE_S = 75
DRAIN_S = 30.0
DRAIN_BYTES = 64 * 1024 * 1024
MOST_CONNECTIONS = 2048

_READ_BYTES = 32 * 1024  # at once: bounds how long the loop works on what one client sent
_WHOLE = (h11.IDLE, h11.SEND_RESPONSE)  # an answer may still be sent
_logger = log.get("http")
_logger.setLevel(logging.ERROR)  # what strangers send is no news


def protocol(_settings: Settings) -> type[asyncio.Protocol]:
    """The protocol of one server's connections, for uvicorn's `http=`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)
    return type("Connection", (_Connection,), {"waiting": {}, "most": most})


class _Connection(H11Protocol):
    """One connection. At most one deadline is pending for it, beside uvicorn's own for idle ones."""

    waiting: ClassVar[dict["_Connection", None]]  # for a request, the longest first
    most: ClassVar[int]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, dict(app_state), _loop)
        self.conn = h11.Connection(h11.SERVER, HEAD_BYTES)
        self.logger = _logger
        self.access_log = False
        self.timeout_keep_alive = IDLE_S
        self._phase = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._heard_s = 0.0
        self._drained = 0

    # what the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as uvicorn narrows it
        super().connection_made(transport)
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_BYTES  # pyright: ignore[reportAttributeAccessIssue] - asyncio's, on all systems
        self.app_state[peer.STATE_KEY] = peer.Peer(self.client, self.server)
        self.waiting[self] = None
        if len(self.connections) > self.most:
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            longest.transport.abort()
        self._enter("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._enter("")
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self.loop.time()
        if self._phase == "drain":
            self._drained += len(data)
            if self._drained > DRAIN_BYTES:
                self.transport.abort()
                return
        super().data_received(data)
        self._follow()

    # what uvicorn calls

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, if an answer may still be sent, and close."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        cycle = self._exchange
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # its answer would follow ours
            cycle.message_event.set()
        if self.conn.our_state in _WHOLE:
            self._refuse(status, f"this is no HTTP/1.1 request: {error or msg}".lower())
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """No warning: the request is answered as if it asked for no upgrade, which HTTP allows."""

    # phases

    @property
    def _exchange(self) -> RequestResponseCycle | None:
        """The last request and its answer: None before the first, which uvicorn's types do not say."""
        return self.cycle

    def _follow(self) -> None:
        """Enter the phase that the connection is in now."""
        if self.transport.is_closing():
            self._enter("")
            return
        match self.conn.their_state:
            case h11.IDLE:
                self.waiting.setdefault(self)
                started = self._exchange is None or bool(self.conn.trailing_data[0])
                self._enter("head" if started else "")
                if not started and self.timeout_keep_alive_task is None:  # what was left of a body has been read
                    self.timeout_keep_alive_task = self.loop.call_later(IDLE_S, self.timeout_keep_alive_handler)
            case h11.SEND_BODY:
                self.waiting.pop(self, None)
                self._enter("drain" if self.cycle.response_complete else "body")
            case _:
                self.waiting.pop(self, None)
                self._enter("")

    def _enter(self, phase: str) -> None:
        if phase == self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        match phase:
            case "head":
                self._after(HEAD_S, self.transport.abort)
            case "body":
                self._after(BODY_S, self._check_progress)
            case "drain":
                self._drained = 0
                self._after(DRAIN_S, self.transport.abort)
            case _:
                pass

    def _after(self, delay_s: float, what: Callable[[], None]) -> None:
        self._deadline = self.loop.call_later(delay_s, what)

    def _check_progress(self) -> None:
        """Close, unless some of the body came, or it is us who do not read."""
        silent_s = self.loop.time() - self._heard_s
        if self.flow.read_paused:
            self._after(BODY_S, self._check_progress)
        elif silent_s < BODY_S:
            self._after(BODY_S - silent_s, self._check_progress)
        else:
            self.transport.abort()

    def _refuse(self, status: int, words: str) -> None:
        answer = error_answer(InvalidInput(words))
        headers = [*answer.raw_headers, *guard.ALWAYS, (b"connection", b"close")]
        response = h11.Response(status_code=status, headers=headers)
        for event in (response, h11.Data(bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
