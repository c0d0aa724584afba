"""Uploads in all their wrappings, and what comes out of them."""

import gzip
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec import jsontext, load
from lodestep.spec.limits import LIMITS, LoadLimits
from tests.unit.spec.hostile_corpus import PIPELINE, pipeline_text, tar_of, tgz_of, zip_of

PLATFORM: dict[str, Any] = {
    "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": {"imagePullPolicy": "Always"}}}}}
}
YAML = yaml.safe_dump(PIPELINE).encode()
BOTH = yaml.safe_dump_all([PIPELINE, PLATFORM]).encode()
PLAIN = load.read_upload(pipeline_text())
WITH_PLATFORM = load.from_wire({"pipeline_spec": PIPELINE, "platform_spec": PLATFORM})


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (YAML, "p.yaml"),
        (b"\xef\xbb\xbf" + YAML, "p.yaml"),
        (YAML.replace(b"\n", b"\r\n"), "p.yml"),
        (b"---\n" + YAML + b"...\n", "p.yaml"),
        (YAML + b"---\n", "p.yaml"),
        (pipeline_text(), "p.json"),
        (json.dumps(PIPELINE, indent=4).replace('":', '" :').encode(), "p.json"),
        (b"  \n" + pipeline_text(), ""),
        (b"\xef\xbb\xbf" + pipeline_text(), ""),
        (yaml.safe_dump(PIPELINE, default_flow_style=True).encode(), ""),
        (json.dumps({"pipeline_spec": PIPELINE}).encode(), ""),
        (json.dumps({"pipelineSpec": PIPELINE, "platformSpec": None}).encode(), ""),
        (zip_of([("pipeline.yaml", YAML)]), "p.zip"),
        (zip_of([("pipeline.yaml", YAML)], method=zipfile.ZIP_STORED), "p.zip"),
        (zip_of([("a.yaml", b"x: y"), ("pipeline.yaml", YAML)]), "p.zip"),
        (zip_of([("readme.md", b"x"), ("folder/", b""), ("folder/any.json", pipeline_text())]), ""),
        (zip_of([("__MACOSX/._pipeline.yaml", b"\0\1"), ("._a.yaml", b"\0"), ("a.YAML", YAML)]), "p.zip"),
        (zip_of([("../../pipeline.yaml", YAML)]), "p.zip"),
        (gzip.compress(YAML), "p.yaml.gz"),
        (gzip.compress(pipeline_text()), "p.json.gz"),
        (tgz_of([("pipeline.yaml", YAML)]), "p.tar.gz"),
        (tgz_of([("/etc/pipeline.yaml", YAML)]), "p.tgz"),
        (tgz_of([("./b.yaml", b"x: y"), ("./pipeline.yaml", YAML)], tarfile.PAX_FORMAT), "p.tgz"),
        (tgz_of([("n" * 300 + ".yaml", YAML)], tarfile.PAX_FORMAT), "p.tgz"),
        (tgz_of([("n" * 300 + ".yaml", YAML)], tarfile.GNU_FORMAT), "p.tgz"),
        (gzip.compress(YAML[:100]) + gzip.compress(YAML[100:]), "p.yaml.gz"),
    ],
)
def test_every_wrapping(data: bytes, filename: str) -> None:
    assert load.read_upload(data, filename=filename) == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        BOTH,
        yaml.safe_dump_all([PLATFORM, PIPELINE]).encode(),
        zip_of([("pipeline.yaml", BOTH)]),
        json.dumps({"pipeline_spec": PIPELINE, "platform_spec": PLATFORM}).encode(),
        yaml.safe_dump({"pipelineSpec": PIPELINE, "platformSpec": PLATFORM}).encode(),
    ],
)
def test_platform_settings_come_along(data: bytes) -> None:
    document = load.read_upload(data)
    assert document == WITH_PLATFORM
    assert json.loads(document.wire) == {"pipeline_spec": PIPELINE, "platform_spec": PLATFORM}


def test_a_document() -> None:
    described = {**PIPELINE, "pipelineInfo": {"name": "small", "displayName": "Small", "description": "Of one task"}}
    document = load.from_wire(described)
    assert (document.name, document.display_name, document.description) == ("small", "Small", "Of one task")
    assert json.loads(document.canonical) == {"pipeline_spec": described}
    assert json.loads(document.wire) == described
    assert len(document.digest) == 64
    assert load.from_canonical(document.canonical) == document


def test_the_digest_does_not_see_the_form() -> None:
    turned = {name: PIPELINE[name] for name in reversed(PIPELINE)}
    assert load.from_wire(turned).digest == PLAIN.digest
    assert load.from_wire({**PIPELINE, "sdkVersion": "kfp-2.16.0"}).digest != PLAIN.digest


def test_whole_numbers_are_whole_from_every_form() -> None:
    root = json.loads(json.dumps(PIPELINE["root"]))
    root["inputDefinitions"] = {
        "parameters": {"n": {"parameterType": "LIST", "defaultValue": [1.0, 2.5, -0.0, 1e15, {"x": 3.0}]}}
    }
    whole = {**PIPELINE, "root": root}
    text = json.dumps(whole)
    assert "1.0" in text
    documents = [
        load.from_wire(whole),
        load.read_upload(text.encode()),
        load.read_upload(yaml.safe_dump(whole).encode()),
    ]
    assert documents[0] == documents[1] == documents[2]
    assert b"[1,2.5,0,1000000000000000,{" in documents[0].canonical


def test_lenient_forms_are_kept_as_they_came_and_read_again() -> None:
    lenient = json.loads(json.dumps(PIPELINE).replace("componentRef", "component_ref"))
    document = load.from_wire(lenient)
    assert document.spec == PLAIN.spec
    assert json.loads(document.wire) == lenient
    assert load.from_canonical(document.canonical) == document


@pytest.mark.parametrize("value", [None, [], "text", 5, {"a": float("nan")}, {1: 2}, {"a": {2: 3}}, {"a": "\ud800"}])
def test_from_wire_refuses(value: Any) -> None:
    with pytest.raises(InvalidInput):
        load.from_wire(value)


def test_from_wire_is_bounded() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(TooLarge, match="deeper than 100"):
        load.from_wire(deep)
    with pytest.raises(TooLarge, match="more than 1000000"):
        load.from_wire({"a": [1] * 1_000_001})
    while isinstance(deep, dict):  # taken apart without recursion
        deep = deep.pop("a")


def test_limits_can_be_set() -> None:
    small = LoadLimits(source_bytes=10)
    with pytest.raises(TooLarge, match=r"p.yaml has \d+ bytes: at most 10"):
        load.read_upload(YAML, filename="p.yaml", limits=small)
    with pytest.raises(TooLarge, match="at most 1"):
        load.read_upload(zip_of([("a.yaml", YAML), ("b.yaml", YAML)]), limits=LoadLimits(archive_members=1))
    with pytest.raises(TooLarge, match="more than 100 bytes"):
        load.read_upload(gzip.compress(YAML), limits=LoadLimits(archive_bytes=100))
    with pytest.raises(TooLarge, match="more than 5 keys and values"):
        load.read_upload(pipeline_text(), limits=LoadLimits(nodes=5))
    with pytest.raises(TooLarge, match="more than 5 keys and values"):
        load.read_upload(YAML, limits=LoadLimits(nodes=5))
    with pytest.raises(TooLarge, match="more than 5 keys and values once aliases"):
        load.read_upload(YAML, limits=LoadLimits(expanded_nodes=5))
    with pytest.raises(TooLarge, match="more than 5 characters"):
        load.read_upload(YAML, limits=LoadLimits(expanded_chars=5))
    with pytest.raises(TooLarge, match="a key of 10 characters: at most 5"):
        load.read_upload(YAML, limits=LoadLimits(key_chars=5))
    with pytest.raises(TooLarge, match=r"a text of \d+ characters: at most 5"):
        load.read_upload(YAML, limits=LoadLimits(scalar_chars=5))
    with pytest.raises(TooLarge, match="deeper than 3 levels"):
        load.read_upload(YAML, limits=LoadLimits(nesting=3))
    with pytest.raises(TooLarge, match="deeper than 3 levels"):
        load.read_upload(pipeline_text(), limits=LoadLimits(nesting=3))
    with pytest.raises(TooLarge, match="more than 1 documents"):
        load.read_upload(BOTH, limits=LoadLimits(documents=1))


def test_an_uncompressed_tar_is_named() -> None:
    with pytest.raises(InvalidInput, match="tar"):
        load.read_upload(tar_of([("pipeline.yaml", YAML)]))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2\nb: 3\n", "line 2, column 2"),
        ("a: 1\na: 2\n", "line 2, column 1"),
        ("a:\n  - !x 1\n", "line 2, column 5"),
        ("a: *b\n", "line 1, column 4"),
    ],
)
def test_errors_in_yaml_have_a_place(text: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load.read_upload(text.encode())
    assert caught.value.place == place


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a" : 1, "b": 2, "a": 2}',
        '{"x": [{"k\\\\": 1, "k\\\\": 2}]}',
        '{"a\\"": 1, "a\\"": 2}',
        '{"a": "\\":", "b": 1, "b": 1}',
        '{"x\\\\": 1, "a": 1, "a": 1}',
        '{"" : 1, "a": 1, "a": 1}',
    ],
)
def test_duplicate_keys_of_json_are_found(text: str) -> None:
    json.loads(text)
    with pytest.raises(InvalidInput, match="stands twice"):
        jsontext.parse(text.encode(), LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"a": 1}, "b": [{"a": 2}]}',
        '{"x\\\\": 1, "x": 2}',
        '{"a\\"": "\\":\\":", "a": "\\\\"}',
        '{"a" : 1, "A" : 2, "\\u0061b": 3}',
        '{"": {"": 1}}',
    ],
)
def test_keys_that_only_look_alike_are_kept(text: str) -> None:
    assert jsontext.parse(text.encode(), LIMITS) == json.loads(text)


def test_imports_are_lean() -> None:
    """The messages need msgspec only; PyYAML is loaded with the first YAML text."""
    code = """
import sys
import lodestep.spec.ir
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"yaml", "zipfile", "tarfile", "urllib", "asyncio"}, loaded
from lodestep.spec import load
load.read_upload(open(sys.argv[1], "rb").read())
assert not {"yaml", "zipfile", "tarfile"} & set(sys.modules)
"""
    path = Path(__file__).parents[2] / "golden" / "spec" / "small.json"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_goldens() -> None:
    """The canonical form and the digest are forever: stores hold them."""
    folder = Path(__file__).parents[2] / "golden" / "spec"
    document = load.read_upload((folder / "two_documents.yaml").read_bytes())
    assert document.canonical == (folder / "two_documents.canonical.json").read_bytes().rstrip(b"\n")
    assert document.digest == "497905e217caa917e14dba4e0c0820267cc4ed66f64f48f6da5c2fffb63b2576"
