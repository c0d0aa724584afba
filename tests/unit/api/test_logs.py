"""Logs over HTTP: whole, in pieces, with times, and as they grow."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lodestep.core.states import AttemptStatus
from lodestep.runtime.logfile import LogWriter
from lodestep.store import tasks
from lodestep.store.db import Connection
from tests.conformance.store import made
from tests.unit.api.inside import Inside

RUN = "run-0000000"
TASK = made.task(0).id
PATH = f"/apis/lodestep/v1/tasks/{TASK}/log"
NOW_MS = 1_700_000_000_123


async def seeded(inside: Inside, *attempts: int, state: AttemptStatus = AttemptStatus.RUNNING) -> list[Path]:
    """A task with attempts, and their folders."""

    def unit(conn: Connection) -> None:
        made.seed(conn, [made.run(0, state="RUNNING")])
        tasks.upsert_tasks(conn, [made.task(0)])
        tasks.upsert_attempts(conn, RUN, [made.attempt(number, TASK, state=state) for number in attempts])

    await inside.store.write(unit)
    folders = [inside.home / "runs" / RUN / f"{TASK}-{number}" for number in attempts]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def write(folder: Path, *pieces: bytes, cap: int = 1 << 20, over: bool = True) -> None:
    log = LogWriter(str(folder), cap)
    for number, piece in enumerate(pieces):
        log.write(piece, NOW_MS + number)
    log.close()
    if over:
        (folder / "outcome.json").write_text("{}")


def asked(inside: Inside, query: str = "", *, pieces: tuple[bytes, ...] = (), **options: Any) -> Any:
    async def go() -> Any:
        (folder,) = await seeded(inside, 1)
        write(folder, *pieces, **options)
        return await inside.ask("GET", PATH + query)

    return asyncio.run(go())


def test_a_log_is_shown_whole(inside: Inside) -> None:
    answer = asked(inside, pieces=(b"one\n", b"two\n", b"\xff\x00 no text\n"))
    assert (answer.status, answer.body) == (200, b"one\ntwo\n\xff\x00 no text\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-next-offset"] == str(len(answer.body))


def test_a_log_is_read_in_pieces(inside: Inside) -> None:
    text = b"".join(b"line %d\n" % number for number in range(100))

    async def go() -> bytes:
        (folder,) = await seeded(inside, 1)
        write(folder, text)
        found, offset = b"", 0
        for _ in range(1000):
            answer = await inside.ask("GET", f"{PATH}?offset={offset}&limit=7")
            assert len(answer.body) <= 7
            if not answer.body:
                assert answer.headers["x-next-offset"] == str(offset)
                return found
            found += answer.body
            offset = int(answer.headers["x-next-offset"])
        raise AssertionError("it has no end")

    assert asyncio.run(go()) == text


def test_a_log_from_an_offset_on(inside: Inside) -> None:
    assert asked(inside, "?offset=4", pieces=(b"one\ntwo\n",)).body == b"two\n"
    for offset in (8, 9, 10**17):
        answer = asyncio.run(inside.ask("GET", f"{PATH}?offset={offset}"))
        assert (answer.status, answer.body) == (200, b"")


def test_each_line_has_its_time(inside: Inside) -> None:
    lines = asked(inside, "?timestamps=true", pieces=(b"one\n", b"two\nthree\n", b"no end")).body.decode().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["one", "two", "three", "no end"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", line.partition(" ")[0]) for line in lines)
    assert lines[0].startswith("2023-11-14T22:13:20.123Z ")


def test_what_was_left_out_is_said(inside: Inside) -> None:
    body = asked(inside, pieces=tuple(b"%06d\n" % number for number in range(1000)), cap=800).body
    assert body.startswith(b"000000\n")
    assert body.endswith(b"000999\n")
    assert re.search(rb"\n\.\.\. \d+ bytes left out \.\.\.\n", body)


def test_each_attempt_has_its_log(inside: Inside) -> None:
    async def go() -> list[Any]:
        for folder, text in zip(await seeded(inside, 1, 2, 3), (b"first", b"second", b"third"), strict=True):
            write(folder, text)
        return [
            await inside.ask("GET", PATH + query)
            for query in ("?attempt=1", "?attempt=2", "?attempt=3", "", "?attempt=4")
        ]

    *found, missing = asyncio.run(go())
    assert [answer.body for answer in found] == [b"first", b"second", b"third", b"third"]
    assert missing.status == 404
    assert "it has 3" in missing.json()["message"]


def test_a_task_that_has_not_begun_has_an_empty_log(inside: Inside) -> None:
    async def go() -> Any:
        await seeded(inside)
        return await inside.ask("GET", PATH), await inside.ask("GET", PATH + "?follow=true")

    for answer in asyncio.run(go()):
        assert (answer.status, answer.body, answer.headers["x-next-offset"]) == (200, b"", "0")


@pytest.mark.parametrize(
    "query",
    ["offset=x", "offset=-1", "limit=1.5", "attempt=one", f"offset={'9' * 19}", "limit=9000000", "offset=%D9%A3"],
)
def test_wrong_numbers_are_refused(inside: Inside, query: str) -> None:
    answer = asked(inside, f"?{query}")
    assert answer.status == 400
    assert answer.json()["message"].startswith(f"{query.partition('=')[0]}: ")


def test_a_log_of_no_task_is_404(inside: Inside) -> None:
    assert asyncio.run(inside.ask("GET", PATH)).status == 404


def test_a_log_is_followed_to_the_end_of_its_attempt(inside: Inside) -> None:
    async def go() -> list[bytes]:
        (folder,) = await seeded(inside, 1)
        log = LogWriter(str(folder), 1 << 20)
        log.write(b"before\n", NOW_MS)
        found: list[bytes] = []
        async with inside.stream("GET", PATH + "?follow=true") as streamed:
            found.append(await streamed.take() or b"")
            for number in range(3):
                log.write(b"line %d\n" % number, NOW_MS + number)
                found.append(await streamed.take() or b"")
            log.write(b"last\n", NOW_MS)
            log.close()
            (folder / "outcome.json").write_text("{}")
            found.append(await streamed.rest())
        return found

    assert asyncio.run(go()) == [b"before\n", b"line 0\n", b"line 1\n", b"line 2\n", b"last\n"]


def test_following_goes_on_from_an_offset_with_times(inside: Inside) -> None:
    async def go() -> bytes:
        (folder,) = await seeded(inside, 1)
        write(folder, b"one\n", b"two\n")
        return (await inside.ask("GET", PATH + "?follow=true&offset=4&timestamps=true")).body

    assert asyncio.run(go()) == b"2023-11-14T22:13:20.124Z two\n"


def test_following_ends_with_an_attempt_that_left_no_sign(inside: Inside) -> None:
    """One that was cancelled before it began has no folder; that it has ended stands in the database alone."""

    async def go() -> bytes:
        await seeded(inside, 1)
        async with inside.stream("GET", PATH + "?follow=true") as streamed:
            await streamed.begun()
            ended = msgspec.structs.replace(made.attempt(1, TASK), state=AttemptStatus.CANCELED)
            await inside.write(lambda conn: tasks.upsert_attempts(conn, RUN, [ended]))
            return await streamed.rest()

    assert asyncio.run(go()) == b""


def test_following_ends_with_the_server(inside: Inside) -> None:
    async def go() -> bytes:
        (folder,) = await seeded(inside, 1)
        write(folder, b"one\n", over=False)
        async with inside.stream("GET", PATH + "?follow=true") as streamed:
            first = await streamed.take()
            inside.engine.feed.close()
            return (first or b"") + await streamed.rest()

    assert asyncio.run(go()) == b"one\n"


def test_a_long_log_comes_in_pieces_that_make_it_whole(inside: Inside) -> None:
    text = json.dumps(list(range(200_000))).encode()
    assert asked(inside, pieces=(text,), cap=1 << 26).body == text
