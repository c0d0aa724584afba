"""Real pipelines of the reference: all are read, the invalid ones refused; PyYAML and protobuf read the same."""

import json
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from lodestep import jsonio
from lodestep.errors import InvalidInput
from lodestep.spec import dump, load, platform, walk, yamltext

DATA = Path(__file__).parents[4] / "shared" / "conformance"
if not DATA.is_dir():
    pytest.skip(f"no conformance data at {DATA}", allow_module_level=True)
FILES = [*sorted((DATA / "pipelines").rglob("*.yaml")), DATA / "cce-example.yaml"]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))


@each_file
def test_it_is_read_alike_from_every_form(path: Path) -> None:
    document = load.read_upload(path.read_bytes(), filename=path.name)
    assert document.name
    assert load.from_canonical(document.canonical) == document
    assert load.from_wire(json.loads(document.wire)) == document
    assert load.read_upload(dump.to_yaml(document).encode()) == document
    assert load.read_upload(document.wire) == document


@each_file
def test_it_means_what_pyyaml_takes_it_for(path: Path) -> None:
    text = path.read_text()
    assert yamltext.parse(text) == [jsonio.whole(document) for document in yaml.safe_load_all(text)]


@each_file
def test_protobuf_accepts_it_as_well(path: Path) -> None:
    document = load.read_upload(path.read_bytes())
    whole = json.loads(document.canonical)
    json_format.ParseDict(whole["pipeline_spec"], pipeline_spec_pb2.PipelineSpec())
    if "platform_spec" in whole:
        json_format.ParseDict(whole["platform_spec"], pipeline_spec_pb2.PlatformSpec())


@each_file
def test_every_reference_leads_somewhere(path: Path) -> None:
    document = load.read_upload(path.read_bytes())
    for found in walk.tasks(document.spec):
        component = walk.component_of(document.spec, found.task)
        assert component is not None, found.place
        assert component.dag is not None or walk.executor_of(document.spec, component) is not None, found.place
        assert found.task.task_info.name
        platform.executor_config(document.platform, component.executor_label or "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty_file.yaml", "the file is empty"),
        ("invalid_yaml.yaml", "did you mean 'components'"),
        ("no_name.yaml", "$.pipelineInfo.name: the pipeline has no name"),
    ],
)
def test_invalid_ones_are_refused(name: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load.read_upload((DATA / "invalid" / name).read_bytes(), filename=name)
    assert expected in str(caught.value)


def test_most_are_written_again_byte_for_byte() -> None:
    """The few others were edited by hand."""
    same = 0
    for path in FILES:
        text = path.read_text()
        same += text.endswith(dump.to_yaml(load.read_upload(text.encode())))
    assert same >= len(FILES) - 3


def test_the_corpus_is_there() -> None:
    assert len(FILES) >= 60
