"""The application without a network: the real store and feed, and an engine that only takes down what it is asked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypeVar

from lodestep.api import app
from lodestep.api.ports import Also
from lodestep.clock import ManualClock
from lodestep.config import Settings
from lodestep.engine.feed import Feed
from lodestep.spec.document import PipelineDocument
from lodestep.store import revisions
from lodestep.store.db import Connection
from lodestep.store.store import Store

T = TypeVar("T")
TOKEN = "a-token-of-some-length"
_HOST = ("127.0.0.1", 8888)


class NotedEngine:
    """The seam of the engine: submits, and notes the rest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.feed = Feed()
        self.asked: list[tuple[str, str]] = []
        self.problems: list[tuple[str, str]] = []

    async def submit(self, run_id: str, insert: Callable[[Connection], None]) -> None:
        await self._store.write(insert)
        self.asked.append(("submit", run_id))

    async def cancel(self, run_id: str, reason: str = "", *, also: Also | None = None) -> None:
        await self._note("cancel", run_id, also)

    async def retry(self, run_id: str, *, also: Also | None = None) -> None:
        await self._note("retry", run_id, also)

    async def forget(self, run_id: str, *, also: Also | None = None) -> None:
        await self._note("forget", run_id, also)

    async def _note(self, word: str, run_id: str, also: Also | None) -> None:
        if also:
            await self._store.write(also)
        self.asked.append((word, run_id))

    def preflight(self, document: PipelineDocument) -> list[tuple[str, str]]:
        return self.problems

    def status(self) -> dict[str, Any]:
        return {"uptime_s": 61.5, "open_runs": 1, "running_attempts": 2, "queued_attempts": 3}


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


class Streamed:
    """An answer as it comes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._begun = asyncio.Event()

    async def begun(self) -> None:
        """Once the answer has its head."""
        await asyncio.wait_for(self._begun.wait(), 20)

    async def take(self) -> bytes | None:
        """The next piece; None at the end."""
        return await asyncio.wait_for(self._pieces.get(), 20)

    async def rest(self) -> bytes:
        found = b""
        while (piece := await self.take()) is not None:
            found += piece
        return found

    def hang_up(self) -> None:
        self._gone.set()

    async def send(self, message: Any) -> None:
        if self._gone.is_set():
            raise OSError("the client is gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self._begun.set()
            return
        if data := message.get("body", b""):
            self._pieces.put_nowait(data)
        if not message.get("more_body"):
            self._pieces.put_nowait(None)

    async def gone(self) -> None:
        await self._gone.wait()


class Inside:
    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.clock = ManualClock()
        self.store = Store.open(home, self.clock)
        self.engine = NotedEngine(self.store)
        self.settings = Settings(home=str(home), token=TOKEN, **settings)
        self.app = app.build(store=self.store, engine=self.engine, settings=self.settings, clock=self.clock)

    def close(self) -> None:
        self.store.close()

    async def write(self, unit: Callable[[Connection], T]) -> T:
        """Write, and tell the feed as the engine does."""
        made = await self.store.write(unit)
        self.engine.feed.publish([("run-0000000", self.store.read_now(revisions.newest))])
        return made

    async def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        async with self.stream(method, path, body, headers) as streamed:
            data = await streamed.rest()
        return Answer(streamed.status, streamed.headers, data)

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> AsyncGenerator[Streamed]:
        streamed = Streamed()
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"host": "127.0.0.1:8888", "authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        plain, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in {**given, **(headers or {})}.items()],
            "client": ("127.0.0.1", 50000),
            "server": _HOST,
            "state": {},
        }
        sent = False

        async def receive() -> Any:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": data, "more_body": False}
            await streamed.gone()
            return {"type": "http.disconnect"}

        answering = asyncio.create_task(self.app(scope, receive, streamed.send))
        try:
            yield streamed
        finally:
            streamed.hang_up()
            await asyncio.wait_for(asyncio.gather(answering, return_exceptions=True), 20)
