"""Values against their declared types."""

import math
from typing import Any

import pytest

from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec import values
from lodestep.spec.ir import ComponentSpec, InputDefinitions, InputParameter, ParameterType, PipelineSpec

T = ParameterType


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1, T.NUMBER_INTEGER, 1),
        (1.0, T.NUMBER_INTEGER, 1),
        ("7", T.NUMBER_INTEGER, 7),
        (" +007 ", T.NUMBER_INTEGER, 7),
        ("3.0", T.NUMBER_INTEGER, 3),
        ("1e3", T.NUMBER_INTEGER, 1000),
        (2**60, T.NUMBER_INTEGER, 2**60),
        (1e20, T.NUMBER_INTEGER, 10**20),
        (10**20, T.NUMBER_DOUBLE, 1e20),
        (1.5, T.NUMBER_DOUBLE, 1.5),
        (2, T.NUMBER_DOUBLE, 2),
        ("-.5", T.NUMBER_DOUBLE, -0.5),
        ("1e-3", T.NUMBER_DOUBLE, 0.001),
        ("x", T.STRING, "x"),
        ("", T.STRING, ""),
        (1, T.STRING, "1"),
        (1.0, T.STRING, "1"),
        (1e21, T.STRING, "1000000000000000000000"),
        (1e-7, T.STRING, "0.0000001"),
        (True, T.STRING, "true"),
        ({"b": [1.0, None]}, T.STRING, '{"b":[1,null]}'),
        (True, T.BOOLEAN, True),
        ("True", T.BOOLEAN, True),
        (" false", T.BOOLEAN, False),
        ([1.0, "x"], T.LIST, [1, "x"]),
        ("[1.0, 2]", T.LIST, [1, 2]),
        ({"a": 1}, T.STRUCT, {"a": 1}),
        ('{"a": {"b": 2.0}}', T.STRUCT, {"a": {"b": 2}}),
        ({"state": "SUCCEEDED"}, T.TASK_FINAL_STATUS, {"state": "SUCCEEDED"}),
        ({}, T.TASK_CONFIG, {}),
        (None, T.UNSPECIFIED, None),
        ([1.0], T.UNSPECIFIED, [1]),
    ],
)
def test_coerce(value: Any, kind: ParameterType, expected: Any) -> None:
    found = values.coerce(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (1.5, T.NUMBER_INTEGER, "expected a whole number (NUMBER_INTEGER), found 1.5"),
        (True, T.NUMBER_INTEGER, "found true"),
        ("1_000", T.NUMBER_INTEGER, "found '1_000'"),
        ("x", T.NUMBER_DOUBLE, "expected a number"),
        ("nan", T.NUMBER_DOUBLE, "expected a number"),
        ("inf", T.NUMBER_DOUBLE, "expected a number"),
        ("1e999", T.NUMBER_DOUBLE, "expected a number"),
        ("0x10", T.NUMBER_INTEGER, "expected a whole number"),
        ("", T.NUMBER_INTEGER, "found ''"),
        (1, T.BOOLEAN, "expected true or false (BOOLEAN), found 1"),
        ("yes", T.BOOLEAN, "expected true or false"),
        ("x", T.LIST, "expected a list"),
        ('{"a": 1}', T.LIST, "expected a list"),
        ("[1", T.LIST, "expected a list"),
        ([1], T.STRUCT, "expected an object"),
        ('{"a": 1, "a": 2}', T.STRUCT, "expected an object"),
        (10**400, T.NUMBER_DOUBLE, "expected a number"),
        ("9" * 309, T.NUMBER_INTEGER, "expected a whole number"),
        (None, T.STRING, "expected a text (STRING), found null"),
        (None, T.NUMBER_INTEGER, "found null"),
        (math.nan, T.NUMBER_DOUBLE, "no JSON number"),
        ("é" * 500, T.LIST, "…"),
    ],
)
def test_coerce_refuses(value: Any, kind: ParameterType, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        values.coerce(value, kind, place="$.here")
    assert words in caught.value.message
    assert caught.value.place == "$.here"
    assert len(caught.value.message) < 250


def test_depth_is_bounded() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(TooLarge):
        values.coerce(deep, T.LIST)
    with pytest.raises(TooLarge):
        values.coerce("[" * 200 + "]" * 200, T.LIST)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("hello\n", T.STRING, "hello\n"),
        ("5", T.STRING, "5"),
        (" 5\n", T.NUMBER_INTEGER, 5),
        ("2.50", T.NUMBER_DOUBLE, 2.5),
        ("4.0", T.NUMBER_DOUBLE, 4),
        ("True\n", T.BOOLEAN, True),
        ("0", T.BOOLEAN, False),
        ("t", T.BOOLEAN, True),
        ("[1, 2.0]\n", T.LIST, [1, 2]),
        ('{"a": null}', T.STRUCT, {"a": None}),
    ],
)
def test_parse_output(text: str, kind: ParameterType, expected: Any) -> None:
    assert values.parse_output(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "kind"), [("", T.NUMBER_INTEGER), ("maybe", T.BOOLEAN), ("{", T.STRUCT), ("[NaN]", T.LIST), ("1", T.LIST)]
)
def test_parse_output_refuses(text: str, kind: ParameterType) -> None:
    with pytest.raises(InvalidInput):
        values.parse_output(text, kind)


def _spec(**parameters: InputParameter) -> PipelineSpec:
    return PipelineSpec(root=ComponentSpec(input_definitions=InputDefinitions(parameters=parameters)))


WITH_ALL = _spec(
    n=InputParameter(parameter_type=T.NUMBER_INTEGER),
    text=InputParameter(parameter_type=T.STRING, default_value="x"),
    maybe=InputParameter(parameter_type=T.LIST, is_optional=True),
    mode=InputParameter(parameter_type=T.STRING, default_value="a", literals=["a", "b"]),
    level=InputParameter(parameter_type=T.NUMBER_DOUBLE, default_value=1, literals=[1.0, 2.5]),
    status=InputParameter(parameter_type=T.TASK_FINAL_STATUS),
)


def test_run_parameters_are_coerced_and_defaults_left_out() -> None:
    given = {"n": "3", "maybe": None, "mode": "b", "level": 1}
    assert values.run_parameters(WITH_ALL, given) == {"n": 3, "maybe": None, "mode": "b", "level": 1}
    assert values.run_parameters(WITH_ALL, {"n": 1.0}) == {"n": 1}


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ({}, "'n'", "'n' is not given: expected a whole number"),
        ({"n": 1, "m": 1}, "'m'", "the pipeline has no parameter 'm'"),
        ({"n": "x"}, "'n'", "expected a whole number"),
        ({"n": None}, "'n'", "found null"),
        ({"n": 1, "mode": "c"}, "'mode'", '\'c\' is none of "a", "b"'),
        ({"n": 1, "level": True}, "'level'", "expected a number"),
        ({"n": 1, "level": 2}, "'level'", "2 is none of"),
    ],
)
def test_run_parameters_refuse(given: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        values.run_parameters(WITH_ALL, given)
    assert words in caught.value.message
    assert caught.value.place == f"$.runtime_config.parameters[{place}]"


@pytest.mark.parametrize(("text", "seconds"), [("", 0.0), ("30s", 30.0), ("1.5s", 1.5), ("0.000000001s", 1e-9)])
def test_durations(text: str, seconds: float) -> None:
    assert values.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["30", "s", "-1s", "1m", "1e3s", "x" * 10_000])
def test_no_durations(text: str) -> None:
    with pytest.raises(InvalidInput, match="no duration"):
        values.duration_s(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("2G", 2 * 10**9),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        (".5Mi", 2**19),
        ("5.", 5),
        ("100m", 1),
        ("1Ei", 2**60),
    ],
)
def test_quantities_of_memory(text: str, count: int) -> None:
    assert values.quantity_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "cores"), [("500m", 0.5), ("2", 2.0), ("0.25", 0.25), ("1e3m", None), ("250000000n", 0.25)]
)
def test_quantities_of_cpu(text: str, cores: float | None) -> None:
    if cores is None:
        with pytest.raises(InvalidInput, match="no amount of CPU"):
            values.cpu(text)
    else:
        assert values.cpu(text) == cores


@pytest.mark.parametrize("text", ["", "Gi", "-1", "1 G", "1GB", "1e999", "0x1", "nan", "9" * 1000])
def test_no_quantities(text: str) -> None:
    with pytest.raises(InvalidInput, match="no amount of memory"):
        values.quantity_bytes(text)
