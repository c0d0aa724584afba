"""Parameters as people type them."""

from typing import Any

import pytest

from lodestep.cli import given
from lodestep.errors import InvalidInput
from lodestep.spec.document import PipelineDocument
from lodestep.spec.load import from_wire

KINDS = {
    "text": "STRING",
    "n": "NUMBER_INTEGER",
    "x": "NUMBER_DOUBLE",
    "flag": "BOOLEAN",
    "items": "LIST",
    "opts": "STRUCT",
}


@pytest.fixture(scope="module")
def document() -> PipelineDocument:
    inputs = {name: {"parameterType": kind, "isOptional": True} for name, kind in KINDS.items()}
    return from_wire(
        {
            "pipelineInfo": {"name": "p"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
            "components": {"comp-a": {"executorLabel": "exec-a"}},
            "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "python:3.11", "command": ["true"]}}}},
            "root": {
                "inputDefinitions": {"parameters": inputs},
                "dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}},
            },
        }
    )


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("text=3", "3"),
        ("text=a=b", "a=b"),
        ("text=", ""),
        ("n=3", 3),
        ("x=0.5", 0.5),
        ("flag=true", True),
        ('items=[1, "a"]', [1, "a"]),
        ('opts={"a": {"b": 1}}', {"a": {"b": 1}}),
    ],
)
def test_the_declared_type_decides(document: PipelineDocument, pair: str, value: Any) -> None:
    assert given.parameters(document, [pair], None) == {pair.partition("=")[0]: value}


@pytest.mark.parametrize(
    ("pairs", "text", "said"),
    [
        (["n"], None, "expected NAME=VALUE"),
        (["n=three"], None, "--param n"),
        (["nn=3"], None, "no parameter 'nn'"),
        ([], "[1]", "JSON object"),
        ([], "{", "not JSON"),
        ([], '{"n": 1.5}', "n"),
        ([], '{"zz": 1}', "zz"),
    ],
)
def test_mistakes_are_named(document: PipelineDocument, pairs: list[str], text: str | None, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        given.parameters(document, pairs, text)
    assert said in str(refused.value)


def test_pairs_win_over_the_document(document: PipelineDocument) -> None:
    assert given.parameters(document, ["n=4"], '{"n": 3, "text": "t"}') == {"n": 4, "text": "t"}
