"""Lists as the official client asks for them: pages, order, and filters of every kind."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.contract import pipelines
from tests.e2e.conftest import LiveServer
from tests.e2e.official import ended, unique, where

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp
    import kfp_server_api

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def hello(tmp_path: Path) -> str:
    return pipelines.package(pipelines.hello, tmp_path)


@pytest.fixture(scope="module")
def listed(shared: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An experiment with seven ended runs, of which two are archived."""
    client = kfp.Client(host=shared.url)
    package = pipelines.package(pipelines.hello, tmp_path_factory.mktemp("listed"))
    experiment = client.create_experiment(unique("listed")).experiment_id
    runs = [client.run_pipeline(experiment, f"run {number} of%all_", package).run_id for number in range(7)]
    for run_id in runs:
        ended(client, run_id)
    for run_id in runs[5:]:
        client.archive_run(run_id)
    return {"experiment": experiment, "runs": runs}


def names_of(runs: list[Any] | None) -> list[int]:
    """The numbers in the names of the fixture's runs."""
    return [int(run.display_name.split()[1]) for run in runs or []]


def test_pages_list_every_run_once_in_order(client: kfp.Client, listed: dict[str, Any]) -> None:
    for order in ("asc", "desc"):
        seen: list[int] = []
        token = ""
        pages = 0
        while True:
            page = client.list_runs(
                page_token=token, page_size=3, sort_by=f"created_at {order}", experiment_id=listed["experiment"]
            )
            assert page.total_size == 7
            seen += names_of(page.runs)
            pages += 1
            token = page.next_page_token
            if not token:
                break
        assert seen == (list(range(7)) if order == "asc" else list(range(6, -1, -1)))
        assert pages == 3


@pytest.mark.parametrize("key", ["name", "display_name", "id", "run_id", "state", "finished_at", "storage_state"])
def test_runs_are_sorted_by_any_field(client: kfp.Client, listed: dict[str, Any], key: str) -> None:
    up = client.list_runs(sort_by=key, experiment_id=listed["experiment"], page_size=50).runs
    down = client.list_runs(sort_by=f"{key} desc", experiment_id=listed["experiment"], page_size=50).runs
    attribute = {"name": "display_name", "id": "run_id"}.get(key, key)
    values = [(getattr(run, attribute), run.run_id) for run in up]
    assert values == sorted(values)
    assert [run.run_id for run in down] == [run.run_id for run in reversed(up)]


FILTERS = [
    ("name", "EQUALS", {"string_value": "run 3 of%all_"}, [3]),
    ("display_name", 1, {"stringValue": "run 3 of%all_"}, [3]),
    ("name", "NOT_EQUALS", {"string_value": "run 3 of%all_"}, [0, 1, 2, 4, 5, 6]),
    ("name", "GREATER_THAN", {"string_value": "run 4 of%all_"}, [5, 6]),
    ("name", "GREATER_THAN_EQUALS", {"string_value": "run 4 of%all_"}, [4, 5, 6]),
    ("name", "LESS_THAN", {"string_value": "run 2 of%all_"}, [0, 1]),
    ("name", "LESS_THAN_EQUALS", {"string_value": "run 2 of%all_"}, [0, 1, 2]),
    ("name", "IN", {"string_values": {"values": ["run 1 of%all_", "run 6 of%all_", "none"]}}, [1, 6]),
    ("name", "IS_SUBSTRING", {"string_value": "5 of%all_"}, [5]),
    ("name", "IS_SUBSTRING", {"string_value": "5 of_all%"}, []),
    ("storage_state", "EQUALS", {"string_value": "ARCHIVED"}, [5, 6]),
    ("storage_state", "NOT_EQUALS", {"string_value": "ARCHIVED"}, [0, 1, 2, 3, 4]),
    ("state", "EQUALS", {"string_value": "SUCCEEDED"}, [0, 1, 2, 3, 4, 5, 6]),
    ("status", "IN", {"string_values": {"values": ["FAILED", "RUNNING"]}}, []),
    ("finished_at", "GREATER_THAN", {"timestamp_value": "2020-01-01T00:00:00Z"}, [0, 1, 2, 3, 4, 5, 6]),
    ("created_at", "LESS_THAN", {"timestamp_value": "2020-01-01T00:00:00Z"}, []),
    ("created_at", "GREATER_THAN", {"string_value": "1577836800"}, [0, 1, 2, 3, 4, 5, 6]),
]


@pytest.mark.parametrize(("key", "operation", "value", "found"), FILTERS)
def test_runs_are_filtered(
    client: kfp.Client,
    listed: dict[str, Any],
    key: str,
    operation: str | int,
    value: dict[str, Any],
    found: list[int],
) -> None:
    page = client.list_runs(experiment_id=listed["experiment"], filter=where(key, operation, **value), page_size=100)
    assert names_of(page.runs) == found
    assert (page.total_size or 0) == len(found)


def test_a_filtered_list_has_pages_of_its_own(client: kfp.Client, listed: dict[str, Any]) -> None:
    chosen = where("storage_state", "EQUALS", string_value="AVAILABLE")
    first = client.list_runs(experiment_id=listed["experiment"], filter=chosen, page_size=3)
    second = client.list_runs(
        experiment_id=listed["experiment"], filter=chosen, page_size=3, page_token=first.next_page_token
    )
    assert names_of(first.runs) + names_of(second.runs) == [0, 1, 2, 3, 4]
    assert not second.next_page_token
    other = where("storage_state", "EQUALS", string_value="ARCHIVED")
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.list_runs(experiment_id=listed["experiment"], filter=other, page_token=first.next_page_token)
    assert refused.value.status == 400


def test_experiments_pipelines_and_versions_are_listed(client: kfp.Client, hello: str) -> None:
    stem = unique("lists")
    made = client.upload_pipeline(hello, pipeline_name=f"{stem} pipeline")
    for number in range(5):
        client.create_experiment(f"{stem} {number}")
        client.upload_pipeline_version(hello, f"{stem} {number}", pipeline_id=made.pipeline_id)
    chosen = where("display_name", "IS_SUBSTRING", string_value=f"{stem} ")
    experiments = client.list_experiments(filter=chosen, page_size=3, sort_by="name desc")
    assert [e.display_name for e in experiments.experiments] == [f"{stem} {number}" for number in (4, 3, 2)]
    assert experiments.total_size == 5
    rest = client.list_experiments(
        filter=chosen, page_size=3, sort_by="name desc", page_token=experiments.next_page_token
    )
    assert [e.display_name for e in rest.experiments] == [f"{stem} {number}" for number in (1, 0)]
    (found,) = client.list_pipelines(filter=where("name", "EQUALS", string_value=made.name)).pipelines
    assert found == made
    versions = client.list_pipeline_versions(made.pipeline_id, page_size=4, sort_by="created_at desc")
    assert versions.total_size == 6
    assert [v.name for v in versions.pipeline_versions] == [f"{stem} {number}" for number in (4, 3, 2, 1)]
    chosen = where("name", "IN", string_values={"values": [f"{stem} 1", f"{stem} 3"]})
    assert len(client.list_pipeline_versions(made.pipeline_id, filter=chosen).pipeline_versions) == 2
    assert client.list_recurring_runs().recurring_runs is None
