"""The composition root: the only place that knows every concrete part.

`serve` runs a server until a signal ends it; `start_in_background` runs one in a thread of this process, for commands
that need the engine for a moment. Both hold the home's lock for as long as they live.
"""

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future
from pathlib import Path

import uvicorn

from lodestep import log
from lodestep.api import app as api
from lodestep.api import guard, transport
from lodestep.clock import SystemClock
from lodestep.config import Settings
from lodestep.engine.service import Engine
from lodestep.errors import FailedPrecondition
from lodestep.runners.environments import Environments
from lodestep.runners.process import ProcessRunner
from lodestep.store.lock import HomeLock
from lodestep.store.store import Store

_logger = log.get("server")
_SWITCH_S = 0.0005  # a reader's thread must not hold up the event loop for the default 5 ms
_FILES = 8192
_OBJECTS_A_COLLECTION = 20_000
_POLITE_S = 4  # answers in flight get this long after SIGTERM


class _QuietServer(uvicorn.Server):
    """uvicorn without its tick: an idle server sleeps until something happens."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._on_end = on_end
        self._end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._end.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    def end(self) -> None:
        self.should_exit = True
        self._on_end()
        self._end.set()


class Running:
    """A server in a thread of this process."""

    def __init__(self, url: str, thread: threading.Thread, end: Callable[[], None]) -> None:
        self.url = url
        self._thread = thread
        self._end = end

    def stop(self) -> None:
        """Politely end it. Steps that run live on and are adopted by the next server of the home."""
        self._end()
        self._thread.join()


def serve(settings: Settings, *, on_ready: Callable[[str], None] = lambda _url: None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code.

    Raises `FailedPrecondition` where the port is taken or another server owns the home, `InvalidInput` where the
    settings would open the door to strangers.
    """
    asyncio.run(_serve(settings, on_ready, _on_signals))
    return 0


def start_in_background(settings: Settings) -> Running:
    """Serve in a thread. Returns once it answers; raises like `serve`."""
    ready: Future[tuple[str, Callable[[], None]]] = Future()

    def arm(server: _QuietServer) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(server.end)

        enders.append(end)

    def work() -> None:
        try:
            asyncio.run(_serve(settings, lambda url: ready.set_result((url, enders[0])), arm))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                _logger.exception("server.died")

    enders: list[Callable[[], None]] = []
    thread = threading.Thread(target=work, name="lodestep-server", daemon=True)
    thread.start()
    url, end = ready.result()
    return Running(url, thread, end)


async def _serve(settings: Settings, on_ready: Callable[[str], None], arm: Callable[[_QuietServer], None]) -> None:
    guard.check_bind(settings)
    sys.setswitchinterval(_SWITCH_S)
    home = settings.home_path
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # also one that was made by hand: other users have no business in it
    _allow_many_files()
    with _listen(settings) as (sock, url), HomeLock.acquire(home, url):
        async with _parts(settings) as (app, engine):
            server = _QuietServer(_uvicorn_config(app, settings), on_end=engine.feed.close)
            arm(server)
            _settle_memory()
            with _announced(home, url):
                serving = asyncio.create_task(server.serve(sockets=[sock]))
                ready = asyncio.create_task(server.ready.wait())
                await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
                if ready.done():
                    on_ready(url)
                await serving
                ready.cancel()


@contextlib.asynccontextmanager
async def _parts(settings: Settings) -> AsyncGenerator[tuple[api.App, Engine]]:
    clock = SystemClock()
    home = settings.home_path
    store = Store.open(home, clock)
    try:
        environments = Environments(home / "environments", settings)
        runner = ProcessRunner(home, settings, clock, environments)
        engine = Engine(store=store, runner=runner, settings=settings, clock=clock)
        await engine.start()
        try:
            yield api.build(store=store, engine=engine, settings=settings, clock=clock), engine
        finally:
            await engine.stop()
    finally:
        store.close()


def _settle_memory() -> None:
    """What is there by now stays: the collector need not look at it again, nor after every few hundred objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_COLLECTION, 20, 50)


def _allow_many_files() -> None:
    """Connections, logs and step hosts are files; the usual soft limit is meant for programs that use `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _uvicorn_config(app: api.App, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        http=transport.protocol(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_POLITE_S,
    )


@contextlib.contextmanager
def _listen(settings: Settings) -> Generator[tuple[socket.socket, str]]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only on sockets that say their protocol: else small answers wait 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((settings.host, settings.port))
        except OSError as error:
            raise FailedPrecondition(
                f"cannot listen on {settings.host} port {settings.port}: {os.strerror(error.errno or 0).lower()}",
                hint="choose another with --port, or end the program that has it",
            ) from error
        sock.listen(2048)
        sock.setblocking(False)
        host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
        yield sock, f"http://{host}:{sock.getsockname()[1]}"
    finally:
        sock.close()


@contextlib.contextmanager
def _announced(home: Path, url: str) -> Generator[None]:
    """Where this home's server is found, for the command line."""
    path = home / "server.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": os.getpid(), "url": url}))
    partial.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _on_signals(server: _QuietServer) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.end)
