"""Requests in and answers out: bodies, error bodies, and what is done once."""

import asyncio
import json
import threading
from typing import Any

import pytest

from lodestep.api import http
from lodestep.api.http import Once, Turns, error_answer, upload_error_answer
from lodestep.api.present import present
from lodestep.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    InvalidInput,
    InvariantError,
    LodestepError,
    NotFound,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from lodestep.spec import jsontext
from lodestep.store import requests
from tests.unit.api.inside import Inside

V2 = "/apis/v2beta1"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (InvalidInput, 400, 3),
        (NotFound, 404, 5),
        (AlreadyExists, 409, 6),
        (PermissionDenied, 403, 7),
        (FailedPrecondition, 400, 9),
        (Conflict, 409, 10),
        (Unimplemented, 501, 12),
        (InvariantError, 500, 13),
        (Unavailable, 503, 14),
        (Unauthenticated, 401, 16),
        (TooLarge, 413, 3),
    ],
)
def test_each_error_has_its_status_and_code(kind: type[LodestepError], status: int, code: int) -> None:
    answer = error_answer(kind("words"))
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["details"] == [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": "words"}]
    upload = upload_error_answer(kind("words"))
    assert upload.status_code == (400 if kind is TooLarge else status)
    assert json.loads(bytes(upload.body)) == {"error_message": "words", "error_details": "words"}


def test_an_error_says_where_and_what_to_do() -> None:
    error = InvalidInput("words", place="body.name", hint="do this")
    body = json.loads(bytes(error_answer(error).body))
    assert body["error"] == "body.name: words (do this)"
    assert body["message"] == "body.name: words"
    assert body["hint"] == "do this"
    upload = json.loads(bytes(upload_error_answer(error).body))
    assert upload == {"error_message": "body.name: words", "error_details": "body.name: words (do this)"}


def test_zero_values_are_left_out() -> None:
    given = {"a": "", "b": 0, "c": None, "d": [], "e": {}, "f": False, "g": "x", "h": 1, "i": [0], "j": "0"}
    assert present(given) == {"f": False, "g": "x", "h": 1, "i": [0], "j": "0"}


def test_a_long_body_is_read_off_the_loop(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[bool] = []
    parse = jsontext.parse

    def noted(*given: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return parse(*given)

    monkeypatch.setattr(http.jsontext, "parse", noted)

    async def go() -> list[int]:
        bodies = [{"display_name": "short"}, {"display_name": "long", "description": "x" * 100_000}]
        return [(await inside.ask("POST", f"{V2}/experiments", body)).status for body in bodies]

    assert asyncio.run(go()) == [200, 200]
    assert threads == [True, False]


def test_a_key_twice_in_one_object_is_refused(inside: Inside) -> None:
    data = b'{"display_name": "a", "display_name": "b"}'
    answer = asyncio.run(inside.ask("POST", f"{V2}/experiments", data))
    assert answer.status == 400
    assert "'display_name' stands twice" in answer.json()["message"]


def test_turns_are_taken_one_by_one() -> None:
    turns = Turns()
    order: list[str] = []

    async def one(name: str) -> None:
        async with turns.of(("key", "scope")):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    async def go() -> None:
        await asyncio.gather(one("a"), one("b"), one("c"))
        async with turns.of(("key", "scope")), turns.of(("key", "other")):
            pass

    asyncio.run(go())
    assert order == ["a in", "a out", "b in", "b out", "c in", "c out"]
    assert not turns._locks  # pyright: ignore[reportPrivateUsage] - none is kept


@pytest.mark.parametrize("verb", ["terminate", "retry"])
def test_what_the_engine_does_is_asked_of_it_once(inside: Inside, verb: str) -> None:
    async def go() -> list[Any]:
        run = (await inside.ask("POST", f"{V2}/runs", _run())).json()["run_id"]
        path = f"{V2}/runs/{run}:{verb}"
        asked = [inside.ask("POST", path, {}, {"idempotency-key": "k"}) for _ in range(5)]
        return await asyncio.gather(*asked)

    answers = asyncio.run(go())
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"{}")] * 5
    assert len([word for word, _ in inside.engine.asked if word != "submit"]) == 1


def test_without_a_key_the_engine_is_asked_each_time(inside: Inside) -> None:
    async def go() -> None:
        run = (await inside.ask("POST", f"{V2}/runs", _run())).json()["run_id"]
        for _ in range(3):
            await inside.ask("POST", f"{V2}/runs/{run}:terminate", {})

    asyncio.run(go())
    assert [word for word, _ in inside.engine.asked] == ["submit", "cancel", "cancel", "cancel"]


def test_answers_that_nobody_asks_for_any_more_are_removed(inside: Inside) -> None:
    async def go() -> list[int]:
        counts: list[int] = []
        for number, seconds in enumerate((0, 3600, 25 * 3600)):
            inside.clock.advance(seconds)
            body = {"display_name": f"e{number}"}
            await inside.ask("POST", f"{V2}/experiments", body, {"idempotency-key": f"k{number}"})
            found = [
                inside.store.read_now(lambda conn, key=f"k{n}": requests.find(conn, key, f"POST {V2}/experiments?"))
                for n in range(3)
            ]
            counts.append(sum(each is not None for each in found))
        return counts

    assert asyncio.run(go()) == [1, 2, 1]


def test_a_key_has_a_longest_length(inside: Inside) -> None:
    async def go() -> list[int]:
        return [
            (
                await inside.ask("POST", f"{V2}/experiments", {"display_name": f"e{n}"}, {"idempotency-key": "k" * n})
            ).status
            for n in (255, 256)
        ]

    assert asyncio.run(go()) == [200, 400]


def test_a_request_without_a_key_is_not_kept(inside: Inside) -> None:
    once = Once("", "scope", "")
    assert once.name is None
    assert inside.store.read_now(once.found) is None


def _run() -> Any:
    from tests.unit.spec.hostile_corpus import PIPELINE

    return {"display_name": "r", "pipeline_spec": PIPELINE}
