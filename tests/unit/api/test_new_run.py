"""A run from a request: what is fixed from here on."""

import asyncio
import json
from typing import Any

import pytest

from lodestep import jsonio
from lodestep.core.model import RunHeader
from lodestep.store import experiments, runs
from tests.unit.api.inside import Answer, Inside
from tests.unit.spec.hostile_corpus import PIPELINE

V2 = "/apis/v2beta1"


def with_parameters(**kinds: str) -> Any:
    spec = json.loads(json.dumps(PIPELINE))
    spec["root"]["inputDefinitions"] = {
        "parameters": {name: {"parameterType": kind, "isOptional": True} for name, kind in kinds.items()}
    }
    return spec


async def start(inside: Inside, **fields: Any) -> Answer:
    return await inside.ask("POST", f"{V2}/runs", {"display_name": "r", "pipeline_spec": PIPELINE, **fields})


def header_of(inside: Inside, answer: Answer) -> RunHeader:
    assert answer.status == 200, answer.body
    row = inside.store.read_now(lambda conn: runs.get(conn, answer.json()["run_id"]))
    assert row
    return jsonio.decode_as(row.header, RunHeader)


def test_macros_in_parameters_are_expanded_once(inside: Inside) -> None:
    spec = with_parameters(text="STRING", items="LIST")
    given = {"text": "run [[RunUUID]]", "items": ["[[RunUUID]]", 5]}
    answer = asyncio.run(start(inside, pipeline_spec=spec, runtime_config={"parameters": given}))
    run_id = answer.json()["run_id"]
    header = header_of(inside, answer)
    assert header.parameters["text"] == f"run {run_id}"
    assert answer.json()["runtime_config"]["parameters"] == header.parameters


def test_parameters_are_of_their_types(inside: Inside) -> None:
    spec = with_parameters(number="NUMBER_INTEGER", flag="BOOLEAN", items="LIST")
    given = {"number": 5.0, "flag": True, "items": "[1, 2]"}
    header = header_of(inside, asyncio.run(start(inside, pipeline_spec=spec, runtime_config={"parameters": given})))
    assert header.parameters == {"number": 5, "flag": True, "items": [1, 2]}


def test_the_default_experiment_is_made_once(inside: Inside) -> None:
    async def go() -> set[str]:
        answers = await asyncio.gather(*(start(inside) for _ in range(8)))
        return {answer.json()["experiment_id"] for answer in answers}

    (experiment_id,) = asyncio.run(go())
    found = inside.store.read_now(lambda conn: experiments.get(conn, experiment_id))
    assert found
    assert found.name == "Default"
    assert found.last_run_ms == inside.clock.now_ms()


def test_the_header_fixes_what_the_settings_say(tmp_path: Any) -> None:
    inside = Inside(tmp_path / "home", cache=False, namespace="team", final_status_success="COMPLETE")
    answer = asyncio.run(start(inside, runtime_config={"pipeline_root": "s3://bucket/root/"}))
    header = header_of(inside, answer)
    assert (header.cache, header.namespace, header.final_status_success) == (False, "team", "COMPLETE")
    assert header.pipeline_root == "s3://bucket/root"
    assert answer.json()["runtime_config"] == {"pipeline_root": "s3://bucket/root/"}
    assert header.workspace == ""
    assert header.resource_name.startswith("small-")
    inside.close()


def test_a_refused_run_leaves_nothing(inside: Inside) -> None:
    async def go() -> list[int]:
        return [
            (await start(inside, **fields)).status
            for fields in (
                {"display_name": ""},
                {"experiment_id": "none"},
                {"runtime_config": {"parameters": {"x": 1}}},
                {"pipeline_version_id": "none"},
                {"plugins_output": {"a": 1}},
            )
        ]

    assert asyncio.run(go()) == [400, 404, 400, 400, 409]
    assert inside.engine.asked == []
    for table in ("run", "spec", "experiment"):
        assert inside.store.read_now(lambda conn, t=table: conn.execute(f"SELECT count(*) FROM {t}").fetchone()) == (0,)


def test_the_same_request_twice_at_once_is_one_run(inside: Inside) -> None:
    async def go() -> list[Answer]:
        body = {"display_name": "r", "pipeline_spec": PIPELINE}
        asked = [inside.ask("POST", f"{V2}/runs", body, {"idempotency-key": "k"}) for _ in range(6)]
        return await asyncio.gather(*asked)

    answers = asyncio.run(go())
    assert {answer.body for answer in answers} == {answers[0].body}
    assert [word for word, _ in inside.engine.asked] == ["submit"]


@pytest.mark.parametrize("problems", [[], [("a", "the image cannot be run")]])
def test_preflight_says_what_cannot_run(inside: Inside, problems: list[tuple[str, str]]) -> None:
    inside.engine.problems = problems
    answer = asyncio.run(inside.ask("POST", "/apis/lodestep/v1/preflight", {"pipeline_spec": PIPELINE}))
    assert answer.json() == {"problems": [{"task": task, "message": message} for task, message in problems]}


@pytest.mark.parametrize(
    "body", [{}, {"pipeline_spec": None}, {"pipeline_spec": {}}, {"pipeline_spec": 5}, {"spec": {}}]
)
def test_preflight_of_nothing_is_refused(inside: Inside, body: Any) -> None:
    answer = asyncio.run(inside.ask("POST", "/apis/lodestep/v1/preflight", body))
    assert answer.status == 400
    assert answer.json()["message"]


def test_the_status_of_the_server(inside: Inside) -> None:
    async def go() -> Any:
        await start(inside)
        return (await inside.ask("GET", "/apis/lodestep/v1/status")).json()

    status = asyncio.run(go())
    assert status["runs"]["PENDING"] == 1
    assert status["home"] == str(inside.home)
    assert (status["open_runs"], status["store_failure"]) == (1, "")
