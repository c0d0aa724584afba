"""Queries that the store answers: every row once over all pages, whatever the order, and filters as promised."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lodestep.clock import ManualClock
from lodestep.lang import filters
from lodestep.lang.fields import Resource, names
from lodestep.store import experiments, pipelines, runs, specs
from lodestep.store.db import Connection
from lodestep.store.rows import ExperimentRow, PipelineRow, RunRow, VersionRow
from lodestep.store.store import Store
from tests.conformance.store.made import write

COUNT = 23
STATES = ("SUCCEEDED", "FAILED", "RUNNING")


def seed(conn: Connection) -> None:
    specs.put(conn, "d", b"{}")
    experiments.insert(conn, ExperimentRow(id="e", name="e"))
    for number in range(COUNT):
        tags = {"team": "a" if number % 2 else "b"}
        pipelines.insert(conn, PipelineRow(id=f"p{number}", name=f"P {number % 5}-{number}", tags=tags))
        pipelines.insert_version(
            conn, VersionRow(id=f"v{number}", pipeline_id="p0", name=f"v{number}", spec_digest="d", tags=tags)
        )
        runs.insert(
            conn,
            RunRow(
                id=f"r{number:02}",
                name=f"run {number % 4}",
                description="50% done_" if number == 3 else "",
                experiment_id="e",
                spec_digest="d",
                pipeline_name="p",
                state=STATES[number % 3],
                created_ms=1_700_000_000_000 + 250 * number,
            ),
        )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home: Path = tmp_path_factory.mktemp("home")
    opened = Store.open(home / "home", ManualClock())
    write(opened, seed)
    yield opened
    opened.close()


def pages(store: Store, resource: Resource, **asked: Any) -> list[str]:
    """The ids of all pages, one after the other."""
    listed = {
        Resource.RUNS: lambda conn, query: runs.page(conn, query),
        Resource.PIPELINES: lambda conn, query: pipelines.page(conn, query),
        Resource.VERSIONS: lambda conn, query: pipelines.page_of_versions(conn, "p0", query),
        Resource.EXPERIMENTS: lambda conn, query: experiments.page(conn, query),
    }
    found: list[str] = []
    token = ""
    while True:
        query = filters.parse_query(resource, page_token=token, scope="s", **asked)
        rows, total, cursor = store.read_now(lambda conn, query=query: listed[resource](conn, query))
        found += [row.id for row in rows]
        if cursor is None:
            assert total == len(found)
            return found
        token = filters.next_token(query, *cursor)


@pytest.mark.parametrize("direction", ["", " asc", " desc"])
@pytest.mark.parametrize("resource", [Resource.RUNS, Resource.PIPELINES, Resource.VERSIONS])
def test_every_row_is_on_one_page_in_every_order(store: Store, resource: Resource, direction: str) -> None:
    for name in names(resource):
        found = pages(store, resource, sort_by=name + direction, page_size=4)
        assert len(found) == len(set(found)) == COUNT, name


def test_the_default_order_is_the_oldest_first(store: Store) -> None:
    assert pages(store, Resource.RUNS, page_size=7) == [f"r{number:02}" for number in range(COUNT)]


def where(key: str, operation: str | int, **value: Any) -> str:
    return json.dumps({"predicates": [{"key": key, "operation": operation, **value}]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (where("state", "EQUALS", string_value="failed"), [n for n in range(COUNT) if n % 3 == 1]),
        (where("status", "NOT_EQUALS", string_value="Succeeded"), [n for n in range(COUNT) if n % 3]),
        (where("state", "IN", string_values={"values": ["FAILED", "RUNNING"]}), [n for n in range(COUNT) if n % 3]),
        (where("run_id", "IN", string_values={"values": ["r03", "r05", "x"]}), [3, 5]),
        (where("run_id", "IN", string_values={"values": []}), []),
        (where("name", "IS_SUBSTRING", string_value="un 2"), [n for n in range(COUNT) if n % 4 == 2]),
        (where("description", "IS_SUBSTRING", string_value="0% d"), [3]),
        (where("description", "IS_SUBSTRING", string_value="e_"), [3]),
        (where("description", "IS_SUBSTRING", string_value="5_%"), []),
        (where("created_at", "EQUALS", long_value="1700000001"), [4, 5, 6, 7]),
        (where("created_at", "GREATER_THAN", int_value=1700000001), list(range(8, COUNT))),
        (where("created_at", "LESS_THAN_EQUALS", string_value="1700000000"), [0, 1, 2, 3]),
        (where("created_at", "LESS_THAN", timestamp_value="2023-11-14T22:13:20.500Z"), [0, 1]),
        (where("finished_at", "EQUALS", timestamp_value="1970-01-01T00:00:00Z"), list(range(COUNT))),
        (where("name", "EQUALS", string_value="x' OR 1=1 --"), []),
    ],
)
def test_filters(store: Store, text: str, expected: list[int]) -> None:
    assert pages(store, Resource.RUNS, filter=text, page_size=3) == [f"r{number:02}" for number in expected]


def test_filters_by_tag_and_by_the_status_of_versions(store: Store) -> None:
    odd = sorted(number for number in range(COUNT) if number % 2)
    by_tag = where("tags.team", "EQUALS", string_value="a")
    assert sorted(pages(store, Resource.PIPELINES, filter=by_tag)) == sorted(f"p{number}" for number in odd)
    assert sorted(pages(store, Resource.VERSIONS, filter=by_tag)) == sorted(f"v{number}" for number in odd)
    assert pages(store, Resource.PIPELINES, filter=where("tags.te.am", "EQUALS", string_value="a")) == []
    assert len(pages(store, Resource.VERSIONS, filter=where("status", "EQUALS", string_value="READY"))) == COUNT
    assert pages(store, Resource.VERSIONS, filter=where("status", "EQUALS", string_value="ERROR")) == []
