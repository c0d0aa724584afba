"""Every construct of the SDK, compiled by it and run by its client, with a result that proves what happened."""

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import REPOSITORY, LiveServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("constructs")
    command = [sys.executable, "-W", "ignore", "-m", "tests.e2e.construct_settings", str(folder)]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    return folder


@pytest.fixture(scope="session")
def keyed(shared: LiveServer) -> LiveServer:
    """The shared server, with a secret and a config map."""
    for words in (["secret", "set", "vault", "word=s3cret"], ["configmap", "set", "look", "colour=red"]):
        command = [sys.executable, "-m", "lodestep.cli", *words, "--home", str(shared.home)]
        subprocess.run(command, check=True, capture_output=True)
    return shared


class Ran:
    def __init__(self, server: LiveServer, run: Any, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.tasks = {task["path"]: task for task in server.tasks(run["run_id"])}
        self.output = self.tasks[""].get("outputs", {}).get("parameters", {}).get("Output")

    @property
    def states(self) -> dict[str, str]:
        return {path: task["state"] for path, task in self.tasks.items()}

    def failure(self, path: str) -> dict[str, Any]:
        return self.tasks[path]["failure"]

    def artifacts(self, path: str) -> dict[str, Any]:
        return {name: group[0] for name, group in self.tasks[path]["outputs"]["artifacts"].items()}


@pytest.fixture
def run(keyed: LiveServer, compiled: Path, tmp_path: Path) -> Any:
    def run(name: str, state: str = "SUCCEEDED", **arguments: Any) -> Ran:
        package = compiled / f"{name}.yaml"
        if "folder: " in package.read_text().split("components:")[0]:
            arguments["folder"] = str(tmp_path)
        client = kfp.Client(host=keyed.url)
        started = client.create_run_from_pipeline_package(str(package), arguments=arguments, enable_caching=False)
        ended = keyed.wait(started.run_id, 60)
        assert ended["state"] == state, keyed.story(started.run_id)
        return Ran(keyed, ended, tmp_path)

    return run


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("branches", "medium"),
        ("branch-artifacts", "no"),
        ("nested-loops", 60),
        ("loop-over-dicts", 4),
        ("loop-over-output", 11),
        ("loop-over-nothing", 0),
        ("collected-artifacts", "a,b,c"),
        ("loop-over-artifacts", "x+y"),
        ("retried", 3),
        ("retried-pipeline", 3),
        ("nested-defaults", "from default|given"),
        ("optionals", "True None 4"),
        ("named-outputs", "3 ['x', 'y']"),
        ("container-placeholders", "one!none|two!three"),
        ("artifact-metadata", "5 of hello|hello"),
        ("placeholders", None),
        ("imported", "host True"),
        ("imported-by-parameter", "placed"),
        ("pythonic-artifacts", "pythonic"),
        ("paths", "by path 42"),
        ("variables", "hello"),
        ("secrets", "s3cret|s3cret"),
        ("secret-by-parameter", "s3cret"),
        ("config-maps", "red|red"),
        ("volumes", "kept"),
        ("field-paths", "blue"),
        ("empty-dirs", "x"),
        ("workspaces", "seen"),
    ],
)
def test_construct(name: str, output: Any, run: Any) -> None:
    ran = run(name)
    if output is not None:
        assert ran.output == output
    assert set(ran.states.values()) <= {"SUCCEEDED", "SKIPPED"}


def test_the_pipeline_job_is_named_by_placeholders(run: Any) -> None:
    ran = run("placeholders")
    assert ran.output == f"{ran.run['display_name']} names"


@pytest.mark.parametrize(("x", "found"), [(3, ["deep"]), (4, ["wrong"]), (2, [])])
def test_nested_conditions(x: int, found: list[str], run: Any) -> None:
    ran = run("nested-conditions", x=x)
    assert sorted(file.name for file in ran.folder.iterdir()) == found


def test_an_exit_task_sees_a_failure(run: Any) -> None:
    ran = run("exit-after-failure", state="FAILED")
    assert (ran.folder / "status").read_text() == "FAILED exit-handler-1 True"
    assert "on purpose" in ran.run["error"]["message"]


def test_an_exit_task_sees_a_success(run: Any) -> None:
    ran = run("exit-after-success")
    assert (ran.folder / "status").read_text() == "SUCCEEDED exit-handler-1 False"


def test_a_failure_upstream_is_ignored_by_who_says_so(run: Any) -> None:
    ran = run("cleanup-in-spite", state="FAILED")
    assert ran.states["touch"] == "SUCCEEDED"
    assert (ran.folder / "cleaned").read_text() == "none"


def test_a_time_limit_ends_the_step(run: Any) -> None:
    ran = run("timeouts", state="FAILED")
    assert ran.failure("hang")["kind"] == "timeout"
    assert "1 s" in ran.failure("hang")["message"]


def test_a_memory_limit_ends_the_step(run: Any) -> None:
    ran = run("memory-limits", state="FAILED")
    assert ran.failure("hungry")["kind"] == "out_of_memory"
    assert "100" in ran.failure("hungry")["message"]


def test_metrics_are_kept_as_metadata(run: Any) -> None:
    found = run("metric-artifacts").artifacts("metrics")
    assert found["m"]["metadata"]["accuracy"] == 0.5
    assert found["c"]["type"] == "system.ClassificationMetrics"
    assert found["c"]["metadata"]["confusionMatrix"]["rows"]
    assert Path(found["h"]["uri"].removeprefix("file://")).read_text() == "<b>hi</b>"
