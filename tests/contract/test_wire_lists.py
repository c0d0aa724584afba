"""Lists on the wire: pages, their tokens, order, and filters by every field and operation."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.rig import V2, refusal, send, unique, uploaded
from tests.e2e.conftest import LiveServer

INVALID = 3
WORDS = ["apple", "Banana", "cherry_1", "cherry%1", "dürüm", "egg's", 'f"oo', "g\\h"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, hello: Any) -> Iterator[LiveServer]:
    """A server of its own, whose lists hold what these tests put there and nothing else."""
    server = LiveServer(tmp_path_factory.mktemp("lists") / "home").start()
    for number, word in enumerate(WORDS):
        text = f"about {WORDS[-number]}"
        made = server.json("POST", f"{V2}/experiments", {"display_name": word, "description": text})
        if number % 3 == 0:
            server.json("POST", f"{V2}/experiments/{made['experiment_id']}:archive")
        tags = json.dumps({"odd": str(number % 2), "word": word})
        uploaded(server, hello, name=word, display_name=f"shown {WORDS[-number]}", description=text, tags=tags)
    pipeline = server.json("GET", f"{V2}/pipelines?page_size=1")["pipelines"][0]["pipeline_id"]
    for number, word in enumerate(WORDS[1:]):
        tags = json.dumps({"odd": str(number % 2)})
        uploaded(server, hello, path="upload_version", name=word, pipelineid=pipeline, tags=tags, description=word)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def paths(filled: LiveServer) -> dict[str, str]:
    """Where each resource is listed."""
    pipeline = filled.json("GET", f"{V2}/pipelines?page_size=1")["pipelines"][0]["pipeline_id"]
    return {
        "experiments": f"{V2}/experiments",
        "pipelines": f"{V2}/pipelines",
        "pipeline_versions": f"{V2}/pipelines/{pipeline}/versions",
    }


def listed(server: LiveServer, path: str, resource: str, **query: str) -> list[Any]:
    answer = send(server.url, "GET", path, page_size="200", **query)
    assert answer.status == 200, answer.data
    body = answer.json()
    rows = body.get(resource, [])
    assert body.get("total_size", 0) == len(rows)
    return rows


def where(key: str, operation: str | int, **value: Any) -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


# --- filters

IDS = {"experiments": "experiment_id", "pipelines": "pipeline_id", "pipeline_versions": "pipeline_version_id"}
TEXTS = {
    "experiments": {"name": "display_name", "display_name": "display_name", "description": "description"},
    "pipelines": {"name": "name", "display_name": "display_name", "description": "description"},
    "pipeline_versions": {"name": "name", "display_name": "display_name", "description": "description"},
}
OPERATIONS: dict[str, tuple[int, Callable[[str, str], bool]]] = {
    "EQUALS": (1, lambda found, asked: found == asked),
    "NOT_EQUALS": (2, lambda found, asked: found != asked),
    "GREATER_THAN": (3, lambda found, asked: found.encode() > asked.encode()),
    "GREATER_THAN_EQUALS": (5, lambda found, asked: found.encode() >= asked.encode()),
    "LESS_THAN": (6, lambda found, asked: found.encode() < asked.encode()),
    "LESS_THAN_EQUALS": (7, lambda found, asked: found.encode() <= asked.encode()),
    "IS_SUBSTRING": (9, lambda found, asked: asked.lower() in found.lower()),
}


@pytest.mark.parametrize("resource", TEXTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_texts_are_compared(filled: LiveServer, paths: dict[str, str], resource: str, operation: str) -> None:
    number, holds = OPERATIONS[operation]
    path = paths[resource]
    everything = listed(filled, path, resource)
    assert len(everything) == len(WORDS)
    id_key = IDS[resource]
    for key, field in {**TEXTS[resource], "id": id_key, id_key: id_key}.items():
        asked = everything[3][field]
        expected = [row[id_key] for row in everything if holds(row[field], asked)]
        for name in (operation, number):
            found = listed(filled, path, resource, filter=where(key, name, string_value=asked))
            assert [row[id_key] for row in found] == expected, (key, name)
    assert expected or operation in ("GREATER_THAN", "LESS_THAN")


@pytest.mark.parametrize("resource", TEXTS)
@pytest.mark.parametrize("word", WORDS)
def test_special_characters_are_only_characters(
    filled: LiveServer, paths: dict[str, str], resource: str, word: str
) -> None:
    for operation in ("EQUALS", "IS_SUBSTRING"):
        found = listed(filled, paths[resource], resource, filter=where("name", operation, string_value=word))
        assert [row.get("name") or row["display_name"] for row in found] == [word]
    values = {"values": [word, "not there", WORDS[0]]}
    found = listed(filled, paths[resource], resource, filter=where("name", "IN", string_values=values))
    assert {row.get("name") or row["display_name"] for row in found} == {word, WORDS[0]}


@pytest.mark.parametrize("resource", TEXTS)
def test_times_are_compared_by_the_second(filled: LiveServer, paths: dict[str, str], resource: str) -> None:
    path = paths[resource]
    everything = listed(filled, path, resource)
    last = everything[-1]["created_at"]
    second = last[:19] + "Z"
    for operation, holds in {
        "EQUALS": lambda at: at == second,
        "GREATER_THAN": lambda at: at > second,
        "GREATER_THAN_EQUALS": lambda at: at >= second,
        "LESS_THAN": lambda at: at < second,
        "LESS_THAN_EQUALS": lambda at: at <= second,
    }.items():
        found = listed(filled, path, resource, filter=where("created_at", operation, timestamp_value=second))
        assert len(found) == sum(holds(row["created_at"][:19] + "Z") for row in everything), operation
    for value in ({"string_value": "1577836800"}, {"long_value": "1577836800"}, {"int_value": 1577836800}):
        assert len(listed(filled, path, resource, filter=where("created_at", "GREATER_THAN", **value))) == len(WORDS)
        assert not listed(filled, path, resource, filter=where("created_at", "LESS_THAN", **value))


def test_states_are_compared(filled: LiveServer, paths: dict[str, str]) -> None:
    path = paths["experiments"]
    archived = [row for row in listed(filled, path, "experiments") if row["storage_state"] == "ARCHIVED"]
    assert len(archived) == 3
    for word in ("ARCHIVED", "STORAGESTATE_ARCHIVED", "archived"):
        assert (
            listed(filled, path, "experiments", filter=where("storage_state", "EQUALS", string_value=word)) == archived
        )
    both = {"values": ["ARCHIVED", "AVAILABLE"]}
    assert len(listed(filled, path, "experiments", filter=where("storage_state", "IN", string_values=both))) == 8


@pytest.mark.parametrize("resource", ["pipelines", "pipeline_versions"])
def test_tags_are_compared(filled: LiveServer, paths: dict[str, str], resource: str) -> None:
    everything = listed(filled, paths[resource], resource)
    for value in ("0", "1", "2"):
        found = listed(filled, paths[resource], resource, filter=where("tags.odd", "EQUALS", string_value=value))
        assert found == [row for row in everything if row["tags"]["odd"] == value]
    refused = send(filled.url, "GET", paths[resource], filter=where("tags.odd", "NOT_EQUALS", string_value="1"))
    refusal(refused, 400, INVALID)
    refusal(send(filled.url, "GET", f"{V2}/runs", filter=where("tags.odd", "EQUALS", string_value="1")), 400, INVALID)


def test_conditions_hold_together(filled: LiveServer, paths: dict[str, str]) -> None:
    two = [
        {"operation": "IS_SUBSTRING", "key": "name", "string_value": "cherry"},
        {"operation": "EQUALS", "key": "tags.odd", "string_value": "1"},
    ]
    (found,) = listed(filled, paths["pipelines"], "pipelines", filter=json.dumps({"predicates": two}))
    assert found["name"] == "cherry%1"


def test_a_filter_may_be_encoded_once_more_than_needed(filled: LiveServer, paths: dict[str, str]) -> None:
    for word in WORDS:
        text = where("name", "EQUALS", string_value=word)
        (found,) = listed(filled, paths["experiments"], "experiments", filter=quote(text))
        assert found["display_name"] == word


def test_a_filter_takes_both_namings(filled: LiveServer, paths: dict[str, str]) -> None:
    for text in (
        '{"predicates":[{"op":"EQUALS","key":"name","stringValue":"apple"}]}',
        '{"predicates":[{"operation":1,"key":"display_name","string_value":"apple"}]}',
        '{"predicates":[{"operation":"IN","key":"name","stringValues":{"values":["apple"]}}]}',
    ):
        assert len(listed(filled, paths["experiments"], "experiments", filter=text)) == 1


BAD_FILTERS = [
    "no json",
    "[]",
    "{",
    '{"predicate":[]}',
    '{"predicates":{}}',
    '{"predicates":[5]}',
    where("colour", "EQUALS", string_value="x"),
    where("name", "LIKE", string_value="x"),
    where("name", 99, string_value="x"),
    where("name", "EQUALS"),
    where("name", "EQUALS", string_value="x", int_value=1),
    where("name", "EQUALS", int_value=5),
    where("name", "EQUALS", string_values={"values": ["x"]}),
    where("name", "IN", string_value="x"),
    where("created_at", "EQUALS", string_value="yesterday"),
    where("created_at", "EQUALS", timestamp_value="2020-13-01T00:00:00Z"),
    where("created_at", "IN", string_values={"values": ["1"]}),
    where("created_at", "EQUALS", long_value="99999999999999999999"),
    json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", "string_value": "x"}] * 51}),
]


@pytest.mark.parametrize("kind", ["experiments", "pipelines", "runs", "recurringruns"])
@pytest.mark.parametrize("text", BAD_FILTERS)
def test_a_wrong_filter_is_refused(filled: LiveServer, kind: str, text: str) -> None:
    answer = send(filled.url, "GET", f"{V2}/{kind}", filter=text)
    if len(text) > 2000:
        assert answer.status in (400, 413)
        return
    assert "filter" in refusal(answer, 400, INVALID) or "JSON" in answer.json()["message"]


@pytest.mark.parametrize("kind", ["experiments", "pipelines", "runs", "recurringruns"])
def test_the_fields_of_each_resource_are_its_own(filled: LiveServer, kind: str) -> None:
    foreign = {"experiments": "run_id", "pipelines": "storage_state", "runs": "pipeline_id", "recurringruns": "state"}
    refused = send(filled.url, "GET", f"{V2}/{kind}", filter=where(foreign[kind], "EQUALS", string_value="x"))
    assert foreign[kind] in refusal(refused, 400, INVALID)
    assert "known:" in refused.json()["hint"]


# --- order


@pytest.mark.parametrize("resource", TEXTS)
def test_any_field_gives_an_order(filled: LiveServer, paths: dict[str, str], resource: str) -> None:
    id_key = IDS[resource]
    fields = {**TEXTS[resource], "id": id_key, id_key: id_key, "created_at": "created_at"}
    if resource == "experiments":
        fields |= {"storage_state": "storage_state", "last_run_created_at": "last_run_created_at"}
    for key, field in fields.items():
        for text, backwards in ((key, False), (f"{key} asc", False), (f"{key} desc", True), (f"{key} DESC", True)):
            found = listed(filled, paths[resource], resource, sort_by=text)
            order = [(row[field].encode(), row[id_key].encode()) for row in found]
            assert order == sorted(order, reverse=backwards), text


def test_without_an_order_it_is_by_creation(filled: LiveServer, paths: dict[str, str]) -> None:
    assert [row["display_name"] for row in listed(filled, paths["experiments"], "experiments")] == WORDS


@pytest.mark.parametrize("text", ["colour", "name sideways", "name asc desc", "name; DROP TABLE run", "name,id"])
def test_a_wrong_order_is_refused(filled: LiveServer, text: str) -> None:
    assert "sort_by" in refusal(send(filled.url, "GET", f"{V2}/experiments", sort_by=text), 400, INVALID)


def test_runs_may_be_ordered_by_a_metric(filled: LiveServer) -> None:
    assert send(filled.url, "GET", f"{V2}/runs", sort_by="metric:accuracy desc").status == 200


# --- pages


@pytest.mark.parametrize("resource", TEXTS)
@pytest.mark.parametrize("order", ["", "name desc", "created_at desc", "description"])
def test_pages_show_every_row_once(filled: LiveServer, paths: dict[str, str], resource: str, order: str) -> None:
    whole = listed(filled, paths[resource], resource, sort_by=order)
    for size in (1, 3, 7, 8, 9):
        rows, sizes = pages(filled, paths[resource], resource, size, sort_by=order)
        assert rows == whole
        assert sizes == [size] * (8 // size) + ([8 % size] if 8 % size else [])


def pages(server: LiveServer, path: str, resource: str, size: int, **query: str) -> tuple[list[Any], list[int]]:
    """All rows by pages, and how many each page had."""
    rows: list[Any] = []
    sizes: list[int] = []
    token = ""
    while True:
        body = send(server.url, "GET", path, page_size=str(size), page_token=token, **query).json()
        assert body["total_size"] == 8
        rows += body[resource]
        sizes.append(len(body[resource]))
        if "next_page_token" not in body:
            return rows, sizes
        token = body["next_page_token"]


def test_a_token_says_the_order_and_the_filter_again(filled: LiveServer, paths: dict[str, str]) -> None:
    path = paths["experiments"]
    text = where("name", "NOT_EQUALS", string_value="apple")
    first = send(filled.url, "GET", path, page_size="2", sort_by="name desc", filter=text).json()
    token = first["next_page_token"]
    same = send(filled.url, "GET", path, page_size="2", page_token=token, sort_by="name desc", filter=text).json()
    bare = send(filled.url, "GET", path, page_size="2", page_token=token).json()
    assert same == bare
    assert same["total_size"] == 7
    for other in (
        {"sort_by": "name asc"},
        {"sort_by": "id"},
        {"filter": where("name", "NOT_EQUALS", string_value="egg's")},
        {"sort_by": "name desc", "filter": where("name", "EQUALS", string_value="apple")},
    ):
        refused = send(filled.url, "GET", path, page_token=token, **other)
        assert "page token does not match" in refusal(refused, 400, INVALID)


def test_a_token_is_of_its_list_alone(filled: LiveServer, paths: dict[str, str]) -> None:
    token = send(filled.url, "GET", paths["experiments"], page_size="2").json()["next_page_token"]
    for path in (f"{V2}/pipelines", f"{V2}/runs", paths["pipeline_versions"]):
        assert "page_token" in refusal(send(filled.url, "GET", path, page_token=token), 400, INVALID)
    other = filled.json("GET", f"{V2}/pipelines?page_size=2")["pipelines"][1]["pipeline_id"]
    token = send(filled.url, "GET", paths["pipeline_versions"], page_size="2").json()["next_page_token"]
    refused = send(filled.url, "GET", f"{V2}/pipelines/{other}/versions", page_token=token)
    assert "another list" in refusal(refused, 400, INVALID)


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-3],
        lambda token: token[1:],
        lambda token: "A" + token[1:],
        lambda _: "nonsense",
        lambda _: "x" * 10_000,
        lambda _: base64.urlsafe_b64encode(b'["experiments","","","name asc","a","b"]').decode(),
        lambda _: base64.b64encode(json.dumps({"SortByFieldName": "id"}).encode()).decode(),
        lambda _: "\x00\u2028",
    ],
)
def test_a_damaged_token_is_refused(filled: LiveServer, paths: dict[str, str], change: Callable[[str], str]) -> None:
    token = send(filled.url, "GET", paths["experiments"], page_size="2").json()["next_page_token"]
    refused = send(filled.url, "GET", paths["experiments"], page_token=change(token))
    assert "page_token" in refusal(refused, 400, INVALID)


@pytest.mark.parametrize("size", ["-1", "x", "1.5", "1e2", "99999999999999999999", "٣", "-0.5"])
def test_a_wrong_page_size_is_refused(filled: LiveServer, size: str) -> None:
    for kind in ("experiments", "pipelines", "runs", "recurringruns"):
        assert "page_size" in refusal(send(filled.url, "GET", f"{V2}/{kind}", page_size=size), 400, INVALID)


def test_rows_that_come_meanwhile_disturb_no_page(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home").start()
    try:
        names = [f"{unique('n')}" for _ in range(230)]
        for name in names:
            server.json("POST", f"{V2}/experiments", {"display_name": name})
        assert len(server.json("GET", f"{V2}/experiments")["experiments"]) == 20
        assert len(server.json("GET", f"{V2}/experiments?page_size=0")["experiments"]) == 20
        assert len(server.json("GET", f"{V2}/experiments?page_size=1000")["experiments"]) == 200
        for order in ("created_at asc", "created_at desc", "name"):
            seen: list[str] = []
            token = ""
            while True:
                page = send(
                    server.url, "GET", f"{V2}/experiments", page_size="60", sort_by=order, page_token=token
                ).json()
                seen += [row["display_name"] for row in page["experiments"]]
                token = page.get("next_page_token", "")
                if not token:
                    break
                server.json("POST", f"{V2}/experiments", {"display_name": unique("meanwhile")})
            before = [name for name in seen if name in set(names)]
            assert len(before) == len(set(before)) == 230
    finally:
        server.stop()
