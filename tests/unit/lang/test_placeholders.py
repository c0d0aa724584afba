"""Placeholders: every form, every kind of value, `IfPresent` and `Concat`, and bounds."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestep.errors import InvalidInput, TooLarge
from lodestep.lang.mounts import local_path
from lodestep.lang.numbers import plain
from lodestep.lang.placeholders import Scope, argv, substitute, value

DOCUMENT: dict[str, Any] = {
    "inputs": {
        "parameterValues": {
            "text": 'it\'s "x"',
            "int": 5,
            "float": 2.5,
            "big": 1e23,
            "small": 1e-7,
            "whole": 5.0,
            "yes": True,
            "no": False,
            "none": None,
            "list": [1, "a", None],
            "map": {"k": [True], "ü": "\n"},
            "empty": "",
        },
        "artifacts": {
            "data": {
                "artifacts": [
                    {"name": "d1", "uri": "s3://bucket/key/d", "metadata": {"rows": 3, "tag": "t", "deep": {"a": 1.5}}},
                    {"name": "d2", "uri": "/other"},
                ]
            },
            "none": {"artifacts": []},
        },
    },
    "outputs": {
        "outputFile": "/run/output_metadata.json",
        "parameters": {"out": {"outputFile": "/run/outputs/out"}},
        "artifacts": {"model": {"artifacts": [{"name": "m", "uri": "/store/model", "metadata": {"a": "b"}}]}},
    },
}
VARIABLES = {
    "pipeline_job_name": "my run",
    "pipeline_job_resource_name": "p-abcde",
    "pipeline_job_uuid": "run-1",
    "pipeline_task_name": "train",
    "pipeline_task_uuid": "task-1",
    "pipeline_root": "s3://bucket/root",
    "pipeline_job_create_time_utc": "2026-01-02T03:04:05Z",
    "pipeline_job_schedule_time_utc": "2026-01-02T00:00:00Z",
    "workspace_path": "/kfp-workspace",
}
SCOPE = Scope(executor_input=DOCUMENT, variables=VARIABLES)


def shown(text: str) -> str:
    return substitute(text, SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{$.inputs.parameters['text']}}", 'it\'s "x"'),
        ('{{$.inputs.parameters["text"]}}', 'it\'s "x"'),
        ("a{{$.inputs.parameters['int']}}b{{$.inputs.parameters['int']}}c", "a5b5c"),
        ("{{$.inputs.parameters['float']}}", "2.5"),
        ("{{$.inputs.parameters['big']}}", "100000000000000000000000"),
        ("{{$.inputs.parameters['small']}}", "0.0000001"),
        ("{{$.inputs.parameters['whole']}}", "5"),
        ("{{$.inputs.parameters['yes']}} {{$.inputs.parameters['no']}}", "true false"),
        ("{{$.inputs.parameters['list']}}", '[1,"a",null]'),
        ("{{$.inputs.parameters['map']}}", '{"k":[true],"ü":"\\n"}'),
        ("<{{$.inputs.parameters['none']}}>", "<>"),
        ("<{{$.inputs.parameters['empty']}}>", "<>"),
        ("{{$.inputs.parameters['text'].json_escape[1]}}", 'it\'s \\"x\\"'),
        ("{{$.inputs.parameters['text'].json_escape[2]}}", 'it\'s \\\\\\"x\\\\\\"'),
        ("{{$.inputs.parameters['text'].json_escape[0]}}", 'it\'s "x"'),
        ("{{$.inputs.artifacts['data'].uri}}", "s3://bucket/key/d"),
        ("{{$.inputs.artifacts['data'].path}}", "/s3/bucket/key/d"),
        ("{{$.inputs.artifacts['data'].name}}", "d1"),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"rows":3,"tag":"t","deep":{"a":1.5}}'),
        ("{{$.inputs.artifacts['data'].metadata['rows']}}", "3"),
        ('{{$.inputs.artifacts["data"].metadata["tag"]}}', "t"),
        ("{{$.inputs.artifacts['data'].metadata['deep']}}", '{"a":1.5}'),
        ("<{{$.inputs.artifacts['data'].metadata['z']}}>", "<>"),
        ("<{{$.inputs.artifacts['none'].uri}}{{$.inputs.artifacts['not-given'].path}}>", "<>"),
        ("{{$.inputs.artifacts['not-given']}}", "[]"),
        ("{{$.outputs.parameters['out'].output_file}}", "/run/outputs/out"),
        ("{{$.outputs.artifacts['model'].uri}}", "/store/model"),
        ("{{$.outputs.artifacts['model'].path}}", "/store/model"),
        ("{{$.outputs.artifacts['model'].name}}", "m"),
        ("{{$.outputs.artifacts['model'].metadata['a']}}", "b"),
        ("{{$.outputs.artifacts['model']}}", '[{"name":"m","uri":"/store/model","metadata":{"a":"b"}}]'),
        ("{{$.outputs.output_file}}", "/run/output_metadata.json"),
        ("{{$.outputMetadataUri}}", "/run/output_metadata.json"),
        *[(f"{{{{$.{name}}}}}", expected) for name, expected in VARIABLES.items()],
        ("{{$.workspace_path}}/data", "/kfp-workspace/data"),
    ],
)
def test_each_form(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert argv([text], SCOPE) == [expected]
    assert value({"a": [text]}, SCOPE) == {"a": [expected]}


def test_the_whole_document() -> None:
    assert json.loads(shown("{{$}}")) == DOCUMENT
    assert json.loads(f'"{shown("{{$.json_escape[1]}}")}"') == shown("{{$}}")
    assert json.loads(shown("{{$.inputs.artifacts['data']}}")) == DOCUMENT["inputs"]["artifacts"]["data"]["artifacts"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{{$",
        "{{ $ }}",
        "{{$.}}",
        "{{$.unknown}}",
        "{{$.inputs}}",
        "{{$.inputs.parameters}}",
        "{{$.inputs.parameters[int]}}",
        "{{$.inputs.parameters['int]}}",
        "{{$.inputs.parameters['int'].uri}}",
        "{{$.inputs.artifacts['data'].nope}}",
        "{{$.outputs.parameters['out']}}",
        "{{$.pipeline_job_name.json_escape[10]}}",
        "{{.pipeline_job_name}}",
        "{{workflow.name}}",
        "{$.pipeline_job_name}",
    ],
)
def test_what_is_no_known_form_stays(text: str) -> None:
    assert shown(text) == text
    assert argv([text], SCOPE) == [text]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{$.inputs.parameters['z']}}", "there is no input parameter 'z'"),
        ("{{$.outputs.parameters['z'].output_file}}", "there is no output parameter 'z' .known: out."),
        ("{{$.outputs.artifacts['z'].uri}}", "there is no output artifact 'z' .known: model."),
        ("{{$.pipeline_job_name.json_escape[9]}}", "escaped 9 times: at most 4"),
    ],
)
def test_a_known_form_that_names_what_is_not_there(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        shown(f"before {text} after")
    assert caught.value.place == text


def test_variables_that_are_not_there() -> None:
    scope = Scope(executor_input={}, variables={"workspace_path": ""})
    with pytest.raises(InvalidInput, match="no workspace"):
        substitute("{{$.workspace_path}}/x", scope)
    with pytest.raises(InvalidInput, match="there is no pipeline_root here"):
        substitute("{{$.pipeline_root}}", scope)


def test_an_empty_document() -> None:
    scope = Scope(executor_input={}, variables={})
    assert substitute("{{$}}|{{$.outputs.output_file}}|{{$.inputs.artifacts['a'].uri}}", scope) == "{}||"
    with pytest.raises(InvalidInput, match="known: none"):
        substitute("{{$.inputs.parameters['n']}}", scope)


def test_values_keep_what_is_no_text_and_keys() -> None:
    item = {"{{$.pipeline_job_uuid}}": [1, 2.5, None, True, "{{$.pipeline_job_uuid}}"]}
    assert value(item, SCOPE) == {"{{$.pipeline_job_uuid}}": [1, 2.5, None, True, "run-1"]}
    assert value("{{$.pipeline_job_uuid}}", SCOPE) == "run-1"


def present(name: str, then: Any, otherwise: Any = None) -> dict[str, Any]:
    found = {"InputName": name, "Then": then}
    return {"IfPresent": found if otherwise is None else {**found, "Else": otherwise}}


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (present("int", "--n={{$.inputs.parameters['int']}}"), ["--n=5"]),
        (present("int", ["--n", "{{$.inputs.parameters['int']}}"]), ["--n", "5"]),
        (present("none", ["--n"]), []),
        (present("nowhere", ["--n"]), []),
        (present("none", "a", "b"), ["b"]),
        (present("none", ["a"], ["b", "c"]), ["b", "c"]),
        (present("none", "a", ""), [""]),
        (present("none", "a", []), []),
        (present("empty", "a", "b"), ["a"]),
        (present("no", "a", "b"), ["a"]),
        (present("data", "{{$.inputs.artifacts['data'].uri}}"), ["s3://bucket/key/d"]),
        (present("model", "{{$.outputs.artifacts['model'].uri}}"), ["/store/model"]),
        (present("out", "a", "b"), ["a"]),
        ({"Concat": ["a-", "{{$.inputs.parameters['int']}}", "-b"]}, ["a-5-b"]),
        ({"Concat": ["a", 5, 2.0, True, None]}, ["a52true"]),
        ({"Concat": []}, [""]),
        ({"Concat": ["a", {"Concat": ["b", present("int", "c")]}, present("none", "d")]}, ["abc"]),
        (present("int", {"Concat": ["x", "y"]}), ["xy"]),
        (present("int", [present("none", "a", "b"), {"Concat": ["c", present("float", "d")]}]), ["b", "cd"]),
        (present("none", "a", present("int", ["p", "q"])), ["p", "q"]),
        ({"Concat": [present("int", ["a", "b"])]}, ["ab"]),
    ],
)
def test_structures(element: dict[str, Any], expected: list[str]) -> None:
    for text in (json.dumps(element), json.dumps(element, separators=(",", ":"))):
        assert argv(["before", text, "after"], SCOPE) == ["before", *expected, "after"]


@pytest.mark.parametrize(
    "text",
    ['{"IfPresent"', '{"Concat": 5}', '{"IfPresent": {}}', '{"IfPresent": {"InputName": 5}}', '{"a": "Concat"}', "[]"],
)
def test_what_only_looks_like_a_structure_stays(text: str) -> None:
    assert argv([text], SCOPE) == [text]


def test_a_value_is_never_taken_for_a_structure() -> None:
    text = '{"Concat": ["a", "b"]}'
    scope = Scope(executor_input={"inputs": {"parameterValues": {"x": text}}}, variables={})
    assert argv(["{{$.inputs.parameters['x']}}"], scope) == [text]
    assert argv([json.dumps({"Concat": ["{{$.inputs.parameters['x']}}"]})], scope) == [text]


def test_deep_structures_are_refused_or_answered() -> None:
    element: Any = "x"
    for _ in range(100):
        element = {"Concat": [element]}
    assert argv([json.dumps(element)], SCOPE) == ["x"]
    text = '{"Concat":[' * 5000 + '"x"' + "]}" * 5000
    assert argv([text], SCOPE) == [text], "no JSON that can be read"
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested too deep"):
        value(deep, SCOPE)


def test_what_placeholders_make_is_bounded() -> None:
    scope = Scope(executor_input={"inputs": {"parameterValues": {"x": "v" * 1_000_000}}}, variables={})
    with pytest.raises(TooLarge):
        substitute("{{$.inputs.parameters['x']}}" * 1000, scope)
    with pytest.raises(TooLarge):
        argv(["{{$.inputs.parameters['x']}}"] * 1000, scope)
    with pytest.raises(TooLarge):
        value([["{{$.inputs.parameters['x']}}"]] * 1000, scope)


def test_a_long_text_without_placeholders_costs_microseconds() -> None:
    source = "def train(x):\n    return {'a': {'b': x}}  # {{ not one }}\n" * 1000
    assert len(source) > 50_000
    best = min(_timed(source) for _ in range(20))
    assert best < 0.002, f"{best * 1e6:.0f} µs"


def _timed(source: str) -> float:
    begin = time.perf_counter()
    assert argv([source], SCOPE) == [source]
    return time.perf_counter() - begin


@pytest.mark.timeout(20)
@pytest.mark.parametrize("beginning", ["{{$", "{{$.inputs.parameters['", "{{$.inputs.artifacts['a'].metadata['"])
def test_many_beginnings_cost_no_more_than_their_length(beginning: str) -> None:
    text = beginning * 20_000
    assert shown(text) == text


@pytest.mark.parametrize(
    ("artifact", "expected"),
    [
        ({"uri": "/plain/path"}, "/plain/path"),
        ({"uri": "file:///a%20b/c"}, "/a b/c"),
        ({"uri": "file://host/a"}, "/a"),
        ({"uri": "gs://b/k"}, "/gcs/b/k"),
        ({"uri": "s3://b/k%20"}, "/s3/b/k%20"),
        ({"uri": "minio://b/k"}, "/minio/b/k"),
        ({"uri": "oci://registry/org/model:1"}, "/oci/registry_org_model:1/models"),
        ({"uri": "http://[bad"}, "http://[bad"),
        ({"uri": "s3://b/k", "customPath": "/mine"}, "/mine"),
        ({"uri": "file://"}, ""),
        ({}, ""),
    ],
)
def test_local_paths(artifact: dict[str, Any], expected: str) -> None:
    assert local_path(artifact) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_plain_digits_that_mean_the_same(number: float) -> None:
    text = plain(number)
    assert float(text) == number
    assert set(text) <= set("-0123456789.")
    assert not text.endswith((".", ".0"))


def test_numbers_as_the_reference_prints_them() -> None:
    printed = {1e22: "10000000000000000000000", 1e23: "100000000000000000000000", 1.5e-7: "0.00000015", -0.0: "-0"}
    printed |= {0.1: "0.1", 12345.678: "12345.678", -1e16: "-10000000000000000", 1.2345e20: "123450000000000000000"}
    assert {number: plain(number) for number in printed} == printed
    assert plain(10**30) == "1" + "0" * 30
