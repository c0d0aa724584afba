"""What the official SDK compiles, we read, write again byte for byte, and read as protobuf does."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kfp import compiler
    from kfp.pipeline_spec import pipeline_spec_pb2

    from tests.unit.spec.sdk_pipelines import PIPELINES

import msgspec

from lodestep.spec import dump, load

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def _compiled(name: str, folder: Path) -> str:
    path = folder / f"{name}.yaml"
    compiler.Compiler().compile(PIPELINES[name], str(path))
    return path.read_text()


def test_the_corpus_is_large() -> None:
    assert len(PIPELINES) >= 25


@pytest.mark.parametrize("name", PIPELINES)
def test_a_compiled_pipeline_is_read_and_written_again(name: str, tmp_path: Path) -> None:
    text = _compiled(name, tmp_path)
    document = load.read_upload(text.encode(), filename=f"{name}.yaml")
    assert document.name == PIPELINES[name].name.replace("_", "-")
    written = dump.to_yaml(document)
    assert text.endswith(written)
    assert all(line.startswith("#") for line in text.removesuffix(written).splitlines())
    assert load.read_upload(written.encode()) == document
    assert load.read_upload(dump.to_json(document).encode()) == document


@pytest.mark.parametrize("name", PIPELINES)
def test_it_means_what_it_means_to_protobuf(name: str, tmp_path: Path) -> None:
    text = _compiled(name, tmp_path)
    document = load.read_upload(text.encode())
    theirs = _parts(next(yaml.safe_load_all(text)))
    assert _parts(msgspec.json.decode(document.canonical)["pipeline_spec"]) == theirs
    assert _parts(msgspec.to_builtins(document.spec)) == theirs


def _parts(pipeline: dict[str, Any]) -> tuple[Any, Any]:
    """The pipeline as its message, and its deployment config (a Struct in that message) as a message of its own."""
    rest = {name: value for name, value in pipeline.items() if name != "deploymentSpec"}
    config = pipeline_spec_pb2.PipelineDeploymentConfig()
    return (
        json_format.ParseDict(rest, pipeline_spec_pb2.PipelineSpec()),
        json_format.ParseDict(pipeline["deploymentSpec"], config),
    )
