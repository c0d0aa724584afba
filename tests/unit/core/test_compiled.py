"""What the official SDK compiles, run by the machine: each construct means what its author meant."""

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lodestep.core import resolve
from lodestep.core.model import ArtifactValue
from lodestep.core.states import RunStatus
from lodestep.spec import load
from tests.unit.core.flow import Flow

pytestmark = pytest.mark.skipif(find_spec("kfp") is None, reason="the official SDK is not installed")


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Flow]:
    """A run of a pipeline of `authored`, by name. Caching is off, so that every task is launched."""
    folder = tmp_path_factory.mktemp("compiled")
    program = Path(__file__).with_name("authored.py")
    subprocess.run([sys.executable, "-W", "ignore", str(program), str(folder)], check=True, timeout=110)

    def run(name: str, parameters: dict[str, Any] | None = None) -> Flow:
        document = load.read_upload((folder / f"{name}.yaml").read_bytes(), filename=f"{name}.yaml")
        return Flow(document, parameters, cache=False)

    return run


Compiled = Callable[..., Flow]


def test_nested_loops(compiled: Compiled) -> None:
    flow = compiled("nested-loops", {"p": [5, 6]})
    path = "for-loop-2[{}]/for-loop-3[{}]/"
    assert flow.launched() == [path.format(i, 0) + t for i in (0, 1) for t in ("make", "one")]  # parallelism=1
    for i in (1, 0):
        for j in (0, 1):
            flow.ok(path.format(i, j) + "one", Output=10 * i + j)
            flow.ok(path.format(i, j) + "make", out=ArtifactValue(uri=f"file:///{i}{j}"))
    assert flow.task("total").inputs.parameters == {"xs": [[0, 1], [10, 11]]}
    assert [a.uri[-2:] for a in flow.task("use").inputs.artifacts["ds"]] == ["00", "01", "10", "11"]
    flow.ok("total", "use")
    assert flow.state.root.outputs.parameters == {"Output": [[0, 1], [10, 11]]}


def test_items_with_keys(compiled: Compiled) -> None:
    flow = compiled("items-with-keys")
    assert flow.task("for-loop-2[1]/one").inputs.parameters == {"x": 2}
    assert flow.task("for-loop-2[0]/one-2").inputs.parameters == {"x": 10}


@pytest.mark.parametrize(
    ("given", "branch"), [("x", "condition-2/text"), ("y", "condition-3/text-2"), ("z", "condition-4/text-3")]
)
def test_one_of(compiled: Compiled, given: str, branch: str) -> None:
    flow = compiled("one-of", {"p": given})
    assert flow.launched() == [f"condition-branches-1/{branch}"]
    flow.ok(f"condition-branches-1/{branch}", Output="it")
    assert flow.state.root.outputs.parameters == {"Output": "it"}


def test_condition_in_loop(compiled: Compiled) -> None:
    flow = compiled("condition-in-loop")
    flow.ok("numbers", Output=[1, 2, 1])
    flow.ok("for-loop-1[2]/condition-2/one", Output=8)
    flow.ok("for-loop-1[0]/condition-2/one", Output=7)
    assert flow.task("total").inputs.parameters == {"xs": [7, 8]}


def test_artifact_loop(compiled: Compiled) -> None:
    flow = compiled("artifact-loop")
    for index in (0, 1):
        flow.ok(f"some-data/for-loop-2[{index}]/make", out=ArtifactValue(uri=f"file:///{index}"))
    assert flow.launched() == ["for-loop-1[0]/use-one", "for-loop-1[1]/use-one"]
    assert flow.task("for-loop-1[1]/use-one").inputs.artifacts["ds"] == [ArtifactValue(uri="file:///1")]


def test_retries_of_a_pipeline(compiled: Compiled) -> None:
    flow = compiled("retries-of-a-pipeline")
    flow.ok("inner/optional")
    for delay in (5, 10):
        flow.fail("inner/one")
        assert flow.timers()[0].delay_s == delay
        flow.fire()
    flow.ok("inner/one", Output=4)
    assert flow.task("one").inputs.parameters == {"x": 4}


def test_exits(compiled: Compiled) -> None:
    flow = compiled("exits")
    flow.fail("exit-handler-1/one")
    flow.ok("one-2")
    assert flow.task("notify").inputs.parameters["status"]["state"] == "FAILED"
    assert flow.task("notify-2").inputs.parameters["status"]["pipelineTaskName"] == "one-2"
    flow.ok("notify", "notify-2")
    assert flow.state.status is RunStatus.FAILED


def test_nothing_given(compiled: Compiled) -> None:
    flow = compiled("nothing-given")
    flow.ok("one")
    assert flow.task("condition-1/optional").inputs.parameters == {"a": None}
    assert flow.task("condition-1/text").inputs.parameters == {"x": "d"}


def test_placeholders(compiled: Compiled) -> None:
    flow = compiled("placeholders")
    flow.ok("text", Output="b")
    assert flow.task("text-2").inputs.parameters["x"] == "b in run-1"


def test_secret_in_a_loop(compiled: Compiled) -> None:
    flow = compiled("secret-in-a-loop")
    found = flow.task("for-loop-2[1]/text")
    config = flow.plan.platform_of(found)
    assert config is not None
    secret = config.secret_as_env[0]
    assert resolve.platform_value(flow.state, found, secret.secret_name_parameter, secret.secret_name) == "s2"
