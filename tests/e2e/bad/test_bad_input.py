"""Bad input over HTTP: a 4xx in the reference's shape with the place and what was expected. Nothing is half-written."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlparse

import pytest

from tests.contract.rig import V2, refusal, send, unique, upload, upload_refusal
from tests.e2e.conftest import CONFORMANCE
from tests.e2e.watched import Watched, connect, head, posted
from tests.unit.spec.hostile_corpus import CASES

INVALID = 3
MIB = 1024 * 1024


# --- documents


# The loader's own tests take all of them; over HTTP, those that take no time to make are enough.
HOSTILE = [name for name in CASES if not re.search("bomb|members|nodes|many|commas|9m", name)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads_are_refused(server: Watched, name: str) -> None:
    answer = upload(server, CASES[name](), name=unique("hostile"), filename="pipeline.yaml")
    assert len(upload_refusal(answer)) >= 8


def test_broken_documents_are_refused_with_their_place(server: Watched) -> None:
    if not CONFORMANCE.is_dir():
        pytest.skip(f"no conformance data at {CONFORMANCE}")
    for path in sorted((CONFORMANCE / "invalid").iterdir()):
        upload_refusal(upload(server, path.read_bytes(), name=unique("invalid"), filename=path.name))


def without(spec: Any, *path: str) -> None:
    for key in path[:-1]:
        spec = spec[key]
    del spec[path[-1]]


def put(spec: Any, value: Any, *path: str) -> None:
    for key in path[:-1]:
        spec = spec.setdefault(key, {})
    spec[path[-1]] = value


TASK = ("root", "dag", "tasks", "greet")
BROKEN: dict[str, tuple[Callable[[Any], None], str]] = {
    "no root": (lambda s: without(s, "root"), "root"),
    "no component": (lambda s: without(s, "components", "comp-greet"), "comp-greet"),
    "no executor": (lambda s: without(s, "deploymentSpec", "executors", "exec-greet"), "exec-greet"),
    "no name": (lambda s: without(s, "pipelineInfo"), "pipelineInfo"),
    "unknown field": (lambda s: put(s, 1, *TASK, "colour"), "colour"),
    "unknown dependency": (lambda s: put(s, ["nobody"], *TASK, "dependentTasks"), "nobody"),
    "cycle": (lambda s: put(s, ["greet"], *TASK, "dependentTasks"), "greet"),
    "wrong type": (lambda s: put(s, "x", *TASK, "inputs"), "inputs"),
    "unknown kind": (
        lambda s: put(
            s, "COLOUR", "components", "comp-greet", "inputDefinitions", "parameters", "name", "parameterType"
        ),
        "parameterType",
    ),
    "unknown input": (
        lambda s: put(s, {"componentInputParameter": "nothing"}, *TASK, "inputs", "parameters", "name"),
        "nothing",
    ),
    "broken condition": (lambda s: put(s, {"condition": "1 +"}, *TASK, "triggerPolicy"), "condition"),
    "wrong schema": (lambda s: put(s, "1.0.0", "schemaVersion"), "schemaVersion"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_spec_is_refused_with_its_place(server: Watched, hello: Any, name: str) -> None:
    change, place = BROKEN[name]
    spec = copy.deepcopy(hello)
    change(spec)
    answer = upload(server, json.dumps(spec).encode(), name=unique("broken"))
    assert place in upload_refusal(answer), answer.data
    body = {"display_name": "broken", "pipeline_spec": spec}
    assert place in refusal(server.request("POST", f"{V2}/runs", body), 400, INVALID) + str(
        server.request("POST", f"{V2}/runs", body).json().get("hint")
    )
    answer = server.request("POST", "/apis/lodestep/v1/preflight", {"pipeline_spec": spec})
    refusal(answer, 400, INVALID)


@pytest.mark.parametrize(
    "spec", [5, "text", [], [1], {}, {"pipeline_spec": {}}, {"pipeline_spec": 5}, True, {"a": None}]
)
def test_what_is_no_spec_is_refused(server: Watched, spec: Any) -> None:
    refusal(server.request("POST", f"{V2}/runs", {"display_name": "x", "pipeline_spec": spec}), 400, INVALID)
    refusal(server.request("POST", "/apis/lodestep/v1/preflight", {"pipeline_spec": spec}), 400, INVALID)


# --- parameters


def typed(hello: Any) -> Any:
    """A pipeline with a parameter of each type, of which `number` has no default."""
    spec = copy.deepcopy(hello)
    spec["root"]["inputDefinitions"]["parameters"] |= {
        "number": {"parameterType": "NUMBER_INTEGER"},
        "share": {"parameterType": "NUMBER_DOUBLE", "isOptional": True},
        "flag": {"parameterType": "BOOLEAN", "isOptional": True},
        "items": {"parameterType": "LIST", "isOptional": True},
        "options": {"parameterType": "STRUCT", "isOptional": True},
        "colour": {
            "parameterType": "STRING",
            "isOptional": True,
            "literals": ["red", "green"],
        },
    }
    return spec


PARAMETERS: list[tuple[Any, str]] = [
    ({}, "number"),
    ({"number": None}, "number"),
    ({"number": "x"}, "number"),
    ({"number": 1.5}, "number"),
    ({"number": [1]}, "number"),
    ({"number": True}, "number"),
    ({"number": 1, "unknown": 1}, "unknown"),
    ({"number": 1, "share": "much"}, "share"),
    ({"number": 1, "flag": "maybe"}, "flag"),
    ({"number": 1, "items": {}}, "items"),
    ({"number": 1, "items": "[1"}, "items"),
    ({"number": 1, "options": []}, "options"),
    ({"number": 1, "colour": "blue"}, "red"),
]


@pytest.mark.parametrize(("parameters", "words"), PARAMETERS)
def test_wrong_parameters_are_refused_by_name(server: Watched, hello: Any, parameters: Any, words: str) -> None:
    body = {"display_name": "x", "pipeline_spec": typed(hello), "runtime_config": {"parameters": parameters}}
    answer = server.request("POST", f"{V2}/runs", body)
    refusal(answer, 400, INVALID)
    assert words in answer.json()["error"]


@pytest.mark.parametrize("value", ["1e400", "-1e999", "NaN", "Infinity", "1" * 5000])
def test_what_no_number_can_hold_is_refused(server: Watched, hello: Any, value: str) -> None:
    body = {"display_name": "x", "pipeline_spec": typed(hello), "runtime_config": {"parameters": {"number": "HERE"}}}
    asked = json.dumps(body).replace('"HERE"', value)
    assert refusal(posted(server, "runs", asked.encode()), 400, INVALID).startswith("body: ")


def test_a_parameter_may_be_deep_but_not_endless(server: Watched, hello: Any) -> None:
    for depth in (101, 500, 900, 1100, 5000, 100_000):
        nested = "[" * depth + "]" * depth
        for place in (
            f'{{"display_name":"x","pipeline_spec":{nested}}}',
            f'{{"display_name":"x","runtime_config":{{"parameters":{{"items":{nested}}}}}}}',
            f'{{"display_name":"x","run_details":{{"a":{nested}}}}}',
            nested,
        ):
            answer = posted(server, "runs", place.encode())
            assert 400 <= answer.status < 500, (depth, place[:60], answer.data)
        with_spec = json.dumps({"display_name": "x", "pipeline_spec": typed(hello)})
        asked = with_spec[:-1] + f',"runtime_config":{{"parameters":{{"number":1,"items":{nested}}}}}}}'
        refusal(posted(server, "runs", asked.encode()), 413, INVALID)


# --- bodies

NO_JSON = [
    b"",
    b" ",
    b"{",
    b"{]",
    b"[1, 2",
    b"nul",
    b"'x'",
    b"\xff\xfe{}",
    b"\x00",
    b'{"display_name": "\xff"}',
    b'{"display_name": "\\ud800"}',
    b'{"display_name": NaN}',
    b'{"display_name": "x"} trailing',
    b"display_name=x",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"null",
    b"5",
]


@pytest.mark.parametrize("data", NO_JSON, ids=lambda data: repr(data[:20]))
def test_a_body_that_is_no_object_is_refused(server: Watched, pipeline: Any, data: bytes) -> None:
    status = 413 if len(data) > 1000 else 400
    one = f"pipelines/{pipeline['pipeline_id']}"
    for path in ("experiments", "pipelines", "pipelines/create", "runs", f"{one}/versions"):
        assert "body" in refusal(posted(server, path, data), status, INVALID)
    for path in (one, f"{one}/versions/none"):
        assert "body" in refusal(send(server.url, "PATCH", f"{V2}/{path}", data), status, INVALID)
    assert "body" in refusal(send(server.url, "POST", "/apis/lodestep/v1/preflight", data), status, INVALID)


def test_duplicate_names_of_things_are_refused(server: Watched, hello: Any) -> None:
    assert server.request("POST", f"{V2}/experiments", {"display_name": "there"}).status == 409
    assert server.request("POST", f"{V2}/pipelines", {"name": "there"}).status == 409
    upload_refusal(upload(server, json.dumps(hello).encode(), name="there"), 409)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
)
def test_other_kinds_of_bodies_are_refused(server: Watched, kind: str) -> None:
    data = b'{"display_name": "kind"}'
    answer = send(server.url, "POST", f"{V2}/experiments", data, {"content-type": kind})
    refusal(answer, 415, INVALID)
    assert kind in answer.json()["message"]


def test_bodies_that_are_too_large_are_refused(server: Watched) -> None:
    data = b'{"display_name": "' + b"x" * (33 * MIB) + b'"}'
    answer = posted(server, "experiments", data)
    assert "at most" in refusal(answer, 413, INVALID)


def test_a_chunked_body_is_counted(server: Watched) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"display_name": "'
        for _ in range(33):
            yield b"x" * MIB

    answer = raw_chunked(server, f"{V2}/experiments", pieces())
    assert answer.startswith(b"HTTP/1.1 413 ")


def raw_chunked(server: Watched, path: str, pieces: Iterator[bytes]) -> bytes:
    with connect(server) as wire:
        wire.sendall(head(server, path, "Content-Type: application/json", "Transfer-Encoding: chunked"))
        try:
            for piece in pieces:
                wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        except OSError:
            pass  # it has answered and closed
        return wire.recv(65536)


# --- paths and queries

ODD = [
    "%00",
    "%ff",
    "..",
    "%2e%2e",
    "a%2fb",
    "'",
    "%27%20OR%201=1",
    "%F0%9F%9A%80",
    "x" * 2000,
    "%0d%0a",
    "{}",
    ";",
    "%25",
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[:12])
def test_odd_ids_are_ids_of_nothing(server: Watched, odd: str) -> None:
    for method, path in [
        ("GET", "experiments/{}"),
        ("DELETE", "experiments/{}"),
        ("GET", "pipelines/{}"),
        ("GET", "pipelines/names/{}"),
        ("GET", "pipelines/{}/versions"),
        ("GET", "pipelines/x/versions/{}"),
        ("GET", "runs/{}"),
        ("DELETE", "runs/{}"),
        ("POST", "runs/{}:terminate"),
        ("POST", "runs/{}:retry"),
        ("POST", "runs/{}:archive"),
    ]:
        answer = raw_path(server, method, f"{V2}/{path.format(odd)}")
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ", b"HTTP/1.1 405 ")), (method, path, answer[:200])
    for path in (
        "runs/{}/tasks",
        "runs/{}/events",
        "tasks/{}",
        "tasks/{}/log",
        "artifacts/{}",
        "artifacts/{}:download",
    ):
        answer = raw_path(server, "GET", f"/apis/lodestep/v1/{path.format(odd)}")
        assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), (path, answer[:200])


def raw_path(server: Watched, method: str, path: str) -> bytes:
    """An answer to a path as it stands, which clients would have made a plain one of."""
    with connect(server) as wire:
        host = urlparse(server.url).netloc
        lines = (
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        )
        wire.sendall(lines.encode())
        found = b""
        while piece := wire.recv(65536):
            found += piece
        return found


@pytest.mark.parametrize("kind", ["experiments", "pipelines", "runs", "recurringruns"])
def test_odd_queries_are_answered(server: Watched, kind: str) -> None:
    for query in (
        "page_size=%00",
        "page_token=%ff",
        "sort_by=%00",
        "filter=%ff",
        "filter=%00",
        "page_size=1&page_size=x",
    ):
        assert send(server.url, "GET", f"{V2}/{kind}?{query}").status == 400, query
    for query in ("&&&", "colour=blue", "page_size=", "filter=", "sort_by=%20", "namespace=%ff"):
        assert send(server.url, "GET", f"{V2}/{kind}?{query}").status == 200, query
    long = json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", "string_value": "x" * 20_000}]})
    assert 400 <= send(server.url, "GET", f"{V2}/{kind}", filter=long).status < 500


@pytest.mark.parametrize("key", ["x" * 256, "ü" * 200, "a\tb"])
def test_odd_idempotency_keys_are_answered(server: Watched, key: str) -> None:
    headers = {"content-type": "application/json", "idempotency-key": key.encode().decode("latin-1")}
    answer = send(server.url, "POST", f"{V2}/experiments", b'{"display_name": "there"}', headers)
    assert answer.status in (400, 409), answer.data
