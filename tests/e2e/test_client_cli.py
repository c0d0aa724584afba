"""The official client's own command line, on a real server."""

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
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


KFP = str(Path(sys.executable).with_name("kfp"))


class Kfp:
    """`kfp …` on one server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *arguments: str, answer: str = "") -> str:
        command = [KFP, "--endpoint", self.url, "--output", "json", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, input=answer)
        assert ended.returncode == 0, f"{arguments}: code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def json(self, *arguments: str) -> Any:
        text = self(*arguments)
        return json.loads(text[min(at for at in (text.find("{"), text.find("[")) if at >= 0) :])


def test_the_clients_command_line_lives_the_same_life(client: kfp.Client, shared: LiveServer, hello: str) -> None:
    run = Kfp(shared.url)
    name = unique("cli")
    with ThreadPoolExecutor(2) as together:
        wanted = [
            together.submit(run.json, "experiment", "create", name),
            together.submit(run.json, "pipeline", "create", "-p", name, "-d", "by cli", hello),
        ]
        experiment, pipeline = (each.result() for each in wanted)
    experiment_id, pipeline_id = experiment["experiment_id"], pipeline["pipeline_id"]
    version = run.json("pipeline", "create-version", "-p", pipeline_id, "-v", "second", hello)
    made = run.json("run", "create", "-e", name, "-r", "by-cli", "-f", hello, "name=cli")
    assert made["runtime_config"]["parameters"] == {"name": "cli"}
    assert ended(client, made["run_id"]).state == "SUCCEEDED"
    reading: dict[str, tuple[str, ...]] = {
        "run": ("run", "get", made["run_id"]),
        "runs": ("run", "list", "-e", experiment_id, "--sort-by", "created_at desc"),
        "all runs": ("run", "list", "-m", "1"),
        "experiment": ("experiment", "get", experiment_id),
        "experiments": ("experiment", "list", "--filter", where("name", "EQUALS", string_value=name)),
        "pipeline": ("pipeline", "get", pipeline_id),
        "pipelines": ("pipeline", "list", "--filter", where("name", "EQUALS", string_value=name)),
        "version": ("pipeline", "get-version", pipeline_id, version["pipeline_version_id"]),
        "versions": ("pipeline", "list-versions", pipeline_id),
        "recurring": ("recurring-run", "list"),
    }
    with ThreadPoolExecutor(2) as together:
        found = dict(zip(reading, together.map(lambda words: run.json(*words), reading.values()), strict=True))
    assert found["run"]["state"] == "SUCCEEDED"
    assert [each["run_id"] for each in found["runs"]] == [made["run_id"]]
    assert len(found["all runs"]) == 1
    assert found["experiment"]["display_name"] == name
    assert [each["experiment_id"] for each in found["experiments"]] == [experiment_id]
    assert found["pipeline"]["description"] == "by cli"
    assert [each["pipeline_id"] for each in found["pipelines"]] == [pipeline_id]
    assert found["version"] == version
    assert [each["display_name"] for each in found["versions"]] == ["second", name]
    assert found["recurring"] == []


def test_the_clients_command_line_changes_and_deletes(client: kfp.Client, shared: LiveServer, hello: str) -> None:
    run = Kfp(shared.url)
    name = unique("cli-changes")
    experiment_id = client.create_experiment(name).experiment_id
    made = client.upload_pipeline(hello, pipeline_name=name)
    (version,) = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
    run_id = client.run_pipeline(
        experiment_id, "changed", pipeline_id=made.pipeline_id, version_id=version.pipeline_version_id
    ).run_id
    ended(client, run_id)
    run("run", "archive", run_id)
    assert client.get_run(run_id).storage_state == "ARCHIVED"
    run("run", "unarchive", run_id)
    assert client.get_run(run_id).storage_state == "AVAILABLE"
    run("experiment", "archive", "--experiment-id", experiment_id)
    assert client.get_experiment(experiment_id).storage_state == "ARCHIVED"
    run("pipeline", "delete-version", made.pipeline_id, version.pipeline_version_id, answer="y\n")
    run("pipeline", "delete", made.pipeline_id, answer="y\n")
    run("run", "delete", run_id, answer="y\n")
    run("experiment", "delete", experiment_id, answer="y\n")
    for gone in (
        lambda: client.get_run(run_id),
        lambda: client.get_experiment(experiment_id),
        lambda: client.get_pipeline(made.pipeline_id),
    ):
        with pytest.raises(kfp_server_api.ApiException) as refused:
            gone()
        assert refused.value.status == 404
