"""Placeholders as the published SDK compiles them into commands, arguments and constants."""

import json
from pathlib import Path
from typing import Any, Optional

import pytest

from lodestep.lang.placeholders import Scope, argv, value
from tests.unit.lang.compiled import compiled, every

dsl = pytest.importorskip("kfp.dsl", reason="needs the published SDK")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

VARIABLES = {"pipeline_job_name": "my run", "pipeline_root": "s3://bucket/root"}


def container(document: dict[str, Any]) -> dict[str, Any]:
    (found,) = every(document, "container")
    return found


def scope_of(parameters: dict[str, Any], **artifacts: str) -> Scope:
    document: dict[str, Any] = {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {name: {"artifacts": [{"name": name, "uri": uri}]} for name, uri in artifacts.items()},
        },
        "outputs": {
            "outputFile": "/o/output_metadata.json",
            "parameters": {"path": {"outputFile": "/o/path"}},
            "artifacts": {"made": {"artifacts": [{"name": "made", "uri": "/a/made", "metadata": {}}]}},
        },
    }
    return Scope(executor_input=document, variables=VARIABLES)


def test_a_compiled_container_component(tmp_path: Path) -> None:
    @dsl.container_component
    def step(
        name: str,
        data: dsl.Input[dsl.Dataset],
        made: dsl.Output[dsl.Model],
        path: dsl.OutputPath(str),
        count: Optional[int] = None,  # noqa: UP045 -- the SDK knows this form only
    ):
        return dsl.ContainerSpec(
            image="alpine",
            command=["sh", "-c", f"echo {name} > {path}", data.path, data.uri, data.metadata["k"], made.path],
            args=[
                dsl.ConcatPlaceholder(
                    ["name=", name, ";", dsl.IfPresentPlaceholder("count", then="counted", else_="-")]
                ),
                dsl.IfPresentPlaceholder("count", then=["--count", count], else_=["--all"]),
                dsl.IfPresentPlaceholder("count", then=dsl.ConcatPlaceholder(["--count=", count])),
                dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
            ],
        )

    spec = container(compiled(step, tmp_path))
    given_count = scope_of({"name": "n", "count": 3}, data="gs://b/d")
    assert argv(spec["command"], given_count) == ["sh", "-c", "echo n > /o/path", "/gcs/b/d", "gs://b/d", "", "/a/made"]
    assert argv(spec["args"], given_count) == [
        "name=n;counted", "--count", "3", "--count=3", "my run", "/o/output_metadata.json",
    ]  # fmt: skip
    without = scope_of({"name": "n", "count": None}, data="gs://b/d")
    assert argv(spec["args"], without) == ["name=n;-", "--all", "my run", "/o/output_metadata.json"]


def test_a_compiled_lightweight_component(tmp_path: Path) -> None:
    @dsl.component
    def step(text: str) -> str:
        return "{{$.inputs.parameters['text']}}" + text

    spec = container(compiled(step, tmp_path))
    scope = scope_of({"text": "{{$.pipeline_job_name}}"})
    args = argv(spec["args"], scope)
    assert args[0::2] == ["--executor_input", "--function_to_execute"]
    assert json.loads(args[1]) == scope.executor_input
    command = argv(spec["command"], scope)
    assert 'return "{{$.pipeline_job_name}}" + text' in command[-1], "the reference replaces in the source too"


def test_compiled_constants_with_channels_in_them(tmp_path: Path) -> None:
    @dsl.component
    def step(text: str, record: dict) -> str:
        return ""

    @dsl.pipeline(name="p")
    def pipeline(s: str, n: int) -> None:
        step(text=f"{s}-{n}!", record={"a": [s, n]})

    constants = list(every(compiled(pipeline, tmp_path), "constant"))
    found = {"pipelinechannel--s": "{{$.pipeline_root}}", "pipelinechannel--n": 4}
    scope = Scope(executor_input={"inputs": {"parameterValues": found}}, variables=VARIABLES)
    assert [value(constant, scope) for constant in constants] == [
        {"a": ["{{$.pipeline_root}}", "4"]},
        "{{$.pipeline_root}}-4!",
    ]
