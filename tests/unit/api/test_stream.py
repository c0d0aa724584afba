"""The stream of a run's changes: nothing lost and nothing out of order, however often a client comes back."""

import asyncio
import json
import random
from typing import Any, NamedTuple

import msgspec
import pytest

from lodestep.api.own import stream
from lodestep.core.states import TaskStatus
from lodestep.store import runs, tasks
from lodestep.store.db import Connection
from tests.conformance.store import made
from tests.unit.api.inside import Inside, Streamed

RUN = "run-0000000"
PATH = f"/apis/lodestep/v1/runs/{RUN}/events"


class Event(NamedTuple):
    name: str
    id: str
    data: Any


class Reader:
    """Takes a stream apart into events, and remembers where it was as a browser does."""

    def __init__(self) -> None:
        self.last = ""
        self.events: list[Event] = []
        self.heartbeats = 0
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        self._rest += piece
        while b"\n\n" in self._rest:
            block, _, self._rest = self._rest.partition(b"\n\n")
            self._take(block.decode())

    def cut(self) -> None:
        self._rest = b""

    def _take(self, block: str) -> None:
        if block.startswith(":"):
            self.heartbeats += 1
            return
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        self.last = fields.get("id", self.last)
        self.events.append(Event(fields["event"], fields.get("id", ""), json.loads(fields["data"])))


def put(*numbers: int, state: TaskStatus = TaskStatus.WAITING, reason: str = "") -> Any:
    def unit(conn: Connection) -> None:
        tasks.upsert_tasks(conn, [made.task(number, state=state, reason=reason) for number in numbers])

    return unit


def end(conn: Connection) -> None:
    made.end_run(conn, RUN)


async def seeded(inside: Inside, *numbers: int) -> None:
    await inside.store.write(lambda conn: made.seed(conn, [made.run(0, state="RUNNING")]))
    await inside.store.write(put(*numbers))


async def until_end(streamed: Streamed) -> Reader:
    reader = Reader()
    reader.feed(await streamed.rest())
    return reader


def last_id() -> dict[str, str]:
    return {"last-event-id": "0"}


def test_a_stream_begins_with_what_changes_after_the_request(inside: Inside) -> None:
    async def go() -> Reader:
        await seeded(inside, 1, 2)
        async with inside.stream("GET", PATH) as streamed:
            await streamed.begun()
            await inside.write(put(3))
            first = await streamed.take()
            assert first
            assert streamed.headers["content-type"].startswith("text/event-stream")
            assert streamed.headers["cache-control"] == "no-store"
            await inside.write(end)
            reader = Reader()
            reader.feed(first + await streamed.rest())
            return reader

    reader = asyncio.run(go())
    assert [(event.name, event.data.get("name")) for event in reader.events[:1]] == [("task", "train")]
    assert [event.data["id"] for event in reader.events if event.name == "task"] == [made.task(3).id]
    assert reader.events[-1].name == "run"
    assert reader.events[-1].data["state"] == "SUCCEEDED"


def test_a_stream_from_the_beginning_has_everything(inside: Inside) -> None:
    async def go() -> Reader:
        await seeded(inside, 1, 2, 3)
        await inside.write(end)
        async with inside.stream("GET", PATH, headers=last_id()) as streamed:
            return await until_end(streamed)

    reader = asyncio.run(go())
    assert [event.name for event in reader.events] == ["task", "task", "task", "run"]
    assert [event.id for event in reader.events[:-1]] == ["", "", ""]
    assert reader.last == reader.events[-1].id != ""


def test_a_stream_of_a_run_that_has_ended_ends_at_once(inside: Inside) -> None:
    async def go() -> Reader:
        await seeded(inside, 1)
        await inside.write(end)
        async with inside.stream("GET", PATH) as streamed:
            return await until_end(streamed)

    assert [event.name for event in asyncio.run(go()).events] == ["run"]


def test_a_stream_ends_with_the_server(inside: Inside) -> None:
    async def go() -> None:
        await seeded(inside, 1)
        async with inside.stream("GET", PATH) as streamed:
            await streamed.begun()
            await inside.write(put(2))
            assert await streamed.take()
            inside.engine.feed.close()
            await streamed.rest()
        async with inside.stream("GET", PATH) as streamed:  # one that comes too late
            assert await streamed.rest() == b""

    asyncio.run(go())


def test_a_stream_ends_with_a_run_that_is_deleted(inside: Inside) -> None:
    async def go() -> None:
        await seeded(inside, 1)
        async with inside.stream("GET", PATH) as streamed:
            await streamed.begun()
            await inside.write(put(2))
            assert await streamed.take()
            await inside.write(lambda conn: runs.delete(conn, RUN))
            await streamed.rest()

    asyncio.run(go())


def test_a_quiet_stream_shows_that_it_lives(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_HEARTBEAT_S", 0.01)

    async def go() -> Reader:
        await seeded(inside, 1)
        reader = Reader()
        async with inside.stream("GET", PATH) as streamed:
            for _ in range(3):
                reader.feed(await streamed.take() or b"")
            await inside.write(end)
            reader.feed(await streamed.rest())
        return reader

    reader = asyncio.run(go())
    assert reader.heartbeats >= 3
    assert [event.name for event in reader.events] == ["run"]


def test_a_client_that_hangs_up_is_forgotten(inside: Inside) -> None:
    async def go() -> None:
        await seeded(inside, 1)
        async with inside.stream("GET", PATH) as streamed:
            await streamed.begun()
            await inside.write(put(2))
            assert await streamed.take()
            assert inside.engine.feed._watches  # pyright: ignore[reportPrivateUsage]
        assert not inside.engine.feed._watches  # pyright: ignore[reportPrivateUsage]

    asyncio.run(go())


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 19, "1" * 5000, "٣"])
def test_a_wrong_place_to_go_on_is_refused(inside: Inside, given: str) -> None:
    async def go() -> Any:
        await seeded(inside)
        return await inside.ask("GET", PATH, headers={"last-event-id": given.encode().decode("latin-1")})

    answer = asyncio.run(go())
    assert answer.status == 400
    assert "Last-Event-ID" in answer.json()["message"]


def test_a_place_in_the_future_is_now(inside: Inside) -> None:
    """After a restore from a backup, clients know revisions that the server has not seen yet."""

    async def go() -> Reader:
        await seeded(inside, 1)
        async with inside.stream("GET", PATH, headers={"last-event-id": "999999999"}) as streamed:
            await streamed.begun()
            await inside.write(put(2))
            await inside.write(end)
            return await until_end(streamed)

    assert {event.name for event in asyncio.run(go()).events} == {"task", "run"}


def test_a_stream_of_no_run_is_404(inside: Inside) -> None:
    assert asyncio.run(inside.ask("GET", PATH)).status == 404


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_however_often_a_client_comes_back(inside: Inside, seed: int) -> None:
    chance = random.Random(seed)

    async def work() -> None:
        for step in range(40):
            numbers = chance.sample(range(12), chance.randrange(1, 5))
            await inside.write(put(*numbers, state=TaskStatus.RUNNING, reason=str(step)))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        await inside.write(end)

    async def go() -> Reader:
        await seeded(inside, *range(12))
        reader = Reader()
        reader.last = "0"
        working = asyncio.create_task(work())
        while not any(event.name == "run" and event.data["state"] == "SUCCEEDED" for event in reader.events):
            async with inside.stream("GET", PATH, headers={"last-event-id": reader.last}) as streamed:
                for _ in range(chance.randrange(1, 30)):  # more than is ever sent together
                    piece = await streamed.take()
                    if piece is None:
                        break
                    reader.feed(piece)
                reader.cut()  # the connection breaks off anywhere
        await working
        return reader

    reader = asyncio.run(go())
    shown = {task.id: task for task in inside.store.read_now(lambda conn: tasks.of_run(conn, RUN))}
    seen: dict[str, list[int]] = {}
    for event in reader.events:
        if event.name == "task":
            seen.setdefault(event.data["id"], []).append(int(event.data.get("reason") or -1))
            last = event.data
            assert msgspec.convert(last, type=dict)["run_id"] == RUN
    assert seen.keys() == shown.keys()
    assert all(steps == sorted(steps) for steps in seen.values()), "a task went back in time"
    assert {key: steps[-1] for key, steps in seen.items()} == {key: int(t.reason or -1) for key, t in shown.items()}
    ids = [int(event.id) for event in reader.events if event.id]
    assert ids == sorted(ids)
