"""The expression language: its grammar, its values, its faults in words, and its bounds."""

import contextlib
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestep.errors import InvalidInput, LodestepError
from lodestep.lang import cel

NAMES = {"n": 5, "f": 2.5, "s": "text", "b": True, "l": [1, 2, 3], "m": {"k": {"x": [10]}, "none": None}, "nul": None}


def value(text: str) -> Any:
    return cel.compile(text).evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("0x1F", 31),
        ("7u", 7),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1e-05", 1e-05),
        ("-2", -2),
        ("--2", 2),
        ("-9223372036854775808", -(2**63)),
        ("true", True),
        ("null", None),
        ("'a'", "a"),
        ('"a"', "a"),
        ("'''a'b'''", "a'b"),
        ('"""a"b\nc"""', 'a"b\nc'),
        ("''", ""),
        ("''''''", ""),
        (r"'\n\t\\\'\"\?\a'", "\n\t\\'\"?\a"),
        (r"'\x41\u00e9\U0001F600\101'", "Aé😀A"),
        (r"r'\n'", r"\n"),
        (r"b'\xff\x00a\d'", b"\xff\x00a\\d"),
        (r"rb'\x'", b"\\x"),
        ("[]", []),
        ("[1, 'a',]", [1, "a"]),
        ("{}", {}),
        ("{'a': 1, 2: [3],}", {"a": 1, 2: [3]}),
        ("// a comment\n1", 1),
        (".n", 5),
        ("1 + 2 * 3 - 4 / 2", 5),
        ("(1 + 2) * 3", 9),
        ("2 - 1 - 1", 0),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("9007199254740993 / 1", 9007199254740993),
        ("7.0 / 2", 3.5),
        ("1 + 1.5", 2.5),
        ("1.0 / 0.0 > 1e300", True),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("true ? 1 : 2", 1),
        ("false ? 1 : true ? 2 : 3", 2),
        ("true || false && false", True),
        ("!true || true", True),
        ("!!true", True),
        ("!(1 == 2)", True),
        ("1 < 2 == true", True),
        ("2 in [1, 2]", True),
        ("2.0 in l", True),
        ("'k' in m", True),
        ("'z' in m", False),
        ("true in {1: 2}", False),
        ("l[1]", 2),
        ("l[1.0]", 2),
        ("m.k.x[0]", 10),
        ("m['k']['x'][0]", 10),
        ("m.none", None),
        ("[1, 2][1]", 2),
        ("{'a': 1}.a", 1),
        ("{true: 1}[true]", 1),
        ("{1: 'x'}[1.0]", "x"),
    ],
)
def test_values(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 == 5.0", True),
        ("n == 5.0", True),
        ("5 == '5'", False),
        ("5 != '5'", True),
        ("null == null", True),
        ("null == 0", False),
        ("null == ''", False),
        ("null == false", False),
        ("nul != 'x'", True),
        ("[1, 2.0] == [1.0, 2]", True),
        ("[1] == [1, 2]", False),
        ("{'a': 1} == {'a': 1.0}", True),
        ("{'a': 1} == {'b': 1}", False),
        ("[true] == [1]", False),
        ("true == 1", False),
        ("b == 'true'", True),
        ("'True' == b", True),
        ("b == 'false'", False),
        ("b == 'x'", False),
        ("false == 'false'", True),
        ("b == true", True),
        ("'a' < 'b'", True),
        ("'a' <= 'a'", True),
        ("false < true", True),
        ("1 < 1.5", True),
        ("2.5 >= f", True),
        ("9007199254740993 == 9007199254740992.0", False),
        ("b'a' == 'a'", False),
        ("b'a' == b'a'", True),
    ],
)
def test_comparisons(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int(5.9)", 5),
        ("int(-5.9)", -5),
        ("int('7')", 7),
        ("int('7.0')", 7),
        ("uint(7)", 7),
        ("double(7)", 7.0),
        ("double('1e3')", 1000.0),
        ("string(5.0)", "5"),
        ("string(5)", "5"),
        ("string(2.5)", "2.5"),
        ("string(true)", "true"),
        ("string([1, {'a': null}])", '[1,{"a":null}]'),
        ("string(b'a')", "a"),
        ("bytes('é')", "é".encode()),
        ("bool('true')", True),
        ("bool('0')", False),
        ("bool(b)", True),
        ("size('😀')", 1),
        ("'abc'.size()", 3),
        ("size([1, 2])", 2),
        ("size({'a': 1})", 1),
        ("dyn(1)", 1),
        ("'abc'.startsWith('ab')", True),
        ("'abc'.endsWith('bc')", True),
        ("'abc'.contains('d')", False),
        ("'abc'.matches('^a.c$')", True),
        ("matches('abc', 'b+')", True),
        ("type(1) == int", True),
        ("type(1.5) == double", True),
        ("type('') == string", True),
        ("type(b'') == bytes", True),
        ("type(true) == bool", True),
        ("type([]) == list", True),
        ("type({}) == map", True),
        ("type(null) == null_type", True),
        ("type(type(1)) == type", True),
        ("type(1) == string", False),
        ("type(1) == 'int'", False),
        ("parseJson('{\"a\": [1.0, 2.5]}').a", [1, 2.5]),
        ('parseJson("5") == n', True),
    ],
)
def test_functions(text: str, expected: Any) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("has(m.k)", True),
        ("has(m.none)", True),
        ("has(m.z)", False),
        ("has(m.k.x)", True),
        ("l.all(x, x > 0)", True),
        ("l.all(x, x > 1)", False),
        ("[].all(x, false)", True),
        ("l.exists(x, x == 2.0)", True),
        ("[].exists(x, true)", False),
        ("l.exists_one(x, x > 2)", True),
        ("l.exists_one(x, x > 1)", False),
        ("l.filter(x, x != 2)", [1, 3]),
        ("l.map(x, x * 2)", [2, 4, 6]),
        ("l.map(x, x > 1, x * 2)", [4, 6]),
        ("m.map(key, key)", ["k", "none"]),
        ("l.map(x, l.map(y, x * y))", [[1, 2, 3], [2, 4, 6], [3, 6, 9]]),
        ("l.map(l, l + n)", [6, 7, 8]),
        ("['a', 1].exists(x, x > 0)", True),  # a fault beside an answer does not count
        ("[1, 'a'].all(x, x < 0)", False),
        ("(1 / 0 == 1) || true", True),
        ("true || (1 / 0 == 1)", True),
        ("(1 / 0 == 1) && false", False),
        ("m.filter", None),
    ],
)
def test_macros_and_logic(text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(InvalidInput, match="no field 'filter'"):
            value(text)
    else:
        assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a value, found the end at column 1"),
        ("1 +", "expected a value, found the end at column 4"),
        ("1 2", "expected the end, found '2' at column 3"),
        ("(1", r"expected '\)', found the end at column 3"),
        ("[1 2]", "expected ']', found '2' at column 4"),
        ("{1 2}", "expected ':', found '2' at column 4"),
        ("a ? b", "expected ':', found the end at column 6"),
        ("a.", "expected a name, found the end at column 3"),
        ("a & b", "unexpected '&' at column 3: 'and' is written &&"),
        ("a = b", "unexpected '=' at column 3: .*'equal' =="),
        ("'abc", 'unexpected "\'" at column 1: a string that does not end'),
        ("a @ b", "unexpected '@' at column 3"),
        ("٣ == 3", "unexpected '٣' at column 1"),
        ("nope(1)", "no function 'nope' .*known: .*parseJson.* at column 1"),
        ("s.upper()", "no method 'upper' .* at column 3"),
        ("int(1, 2)", r"int\(\) takes 1 values, found 2 at column 1"),
        ("s.contains()", r"contains\(\) takes 1 values, found 0 at column 3"),
        ("l.all(x)", r"all\(\) takes a name and 1 expression, found 0 at column 3"),
        ("l.map(x, 1, 2, 3)", r"map\(\) takes a name and 1 or 2 expressions, found 3"),
        ("l.all(1, true)", "expected a name, found '1' at column 7"),
        ("has(m)", r"has\(\) takes a field"),
        ("'\\ud800'", "is no character"),
        ("9" * 40, "a number of 40 digits at column 1"),
    ],
)
def test_faults_of_the_text_have_a_column(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        cel.compile(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x == 1", "there is no 'x' here.*known: b, f, l"),
        ("m.z", "there is no field 'z'.*known: k, none"),
        ("m['z']", "there is no 'z'.*known: k, none"),
        ("l[3]", "no item 3 in a list of 3"),
        ("l[-1]", "no item -1"),
        ("l['a']", "no item 'a'"),
        ("l[true]", "no item true"),
        ("n[0]", "5 has no items"),
        ("n.x", "5 has no field 'x'"),
        ("m[[1]]", r"\[1\] is no key"),
        ("[1] in m", r"\[1\] is no key"),
        ("{[1]: 2}", r"\[1\] is given twice or no key"),
        ("{'a': 1, 'a': 2}", "'a' is given twice"),
        ("1 in 'abc'", "'abc' holds nothing"),
        ("'a' < 1", "cannot be compared by size"),
        ("null < 1", "null and 1 cannot be compared by size"),
        ("nul + 1", r"null \+ 1 cannot be computed"),
        ("'a' + 1", "cannot be computed"),
        ("true + 1", "cannot be computed"),
        ("-s", "'text' is no number"),
        ("-true", "true is no number"),
        ("!n", "5 is neither true nor false"),
        ("n ? 1 : 2", "5 is neither true nor false"),
        ("n && true", "5 is neither true nor false"),
        ("1 / 0", "division"),
        ("1 % 0", "modulo"),
        ("7.5 % 2", "only whole numbers have a remainder"),
        ("9223372036854775807 * 9223372036854775807", "more than an integer can hold"),
        ("int('x')", r"int\(\) of 'x', which is no number"),
        ("int('1_000')", "which is no number"),
        ("int('')", "which is no number"),
        ("int(true)", "which is no number"),
        ("int(null)", r"int\(\) of null, which is no number"),
        ("int(1e30)", "more than an integer can hold"),
        ("int(1.0 / 0.0)", "which has no size"),
        ("double('nan')", "which is no number"),
        ("bool('yes')", "neither true nor false"),
        ("string(type(1))", "the type int"),
        ("string(b'\\xff')", "not UTF-8"),
        ("bytes(1)", "no string"),
        ("size(1)", "1 has no size"),
        ("n.matches('a')", "expected two strings"),
        ("'a'.startsWith(1)", "expected two strings"),
        ("'a'.matches('(')", "the pattern"),
        ("parseJson(1)", "no string"),
        ("parseJson('{')", "not JSON"),
        ("n.all(x, true)", "5 has no items"),
        ("has(n.x)", "5 has no fields"),
        ("['a', 1].all(x, x > 0)", "cannot be compared by size"),
    ],
)
def test_faults_of_values_are_told_with_the_expression(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        value(text)
    assert "cannot be evaluated" in caught.value.message


def test_a_condition_must_be_true_or_false() -> None:
    assert cel.condition("inputs.parameter_values['b']", {"b": True}) is True
    assert cel.condition("inputs.parameter_values['b']", {"b": "false"}) is False
    with pytest.raises(InvalidInput, match="gives 5: expected true or false"):
        cel.condition("inputs.parameter_values['b']", {"b": 5})


@pytest.mark.parametrize("spelling", ["parameter_values", "parameters", "parameterValues"])
def test_spellings_of_the_inputs(spelling: str) -> None:
    assert cel.condition(f"inputs.{spelling}['n'] == 5", {"n": 5})


@pytest.mark.parametrize(
    ("text", "given_value", "expected"),
    [
        ("inputs.parameters['x'].string_value == 'a'", "a", True),
        ("inputs.parameters['x'].int_value > 3", 5, True),
        ("inputs.parameters['x'].double_value > 3.5", 3, False),
        ("inputs.parameters['x'].string_value == 'true'", True, True),
        ("inputs.parameters['x'].string_value == '{\"a\":1}'", {"a": 1}, True),
        ("inputs.parameters['x'].string_value == 'own'", {"string_value": "own"}, True),
    ],
)
def test_typed_values_of_early_compilers(text: str, given_value: Any, expected: bool) -> None:
    assert cel.condition(text, {"x": given_value}) is expected


def test_selectors() -> None:
    record = {"a": 1.0, "b": {"c": [None, "x"]}}
    assert cel.select('parseJson(string_value)["a"]', record) == 1
    assert cel.select('parseJson(string_value)["b"]', '{"b": "text"}') == "text"
    assert cel.select('parseJson(string_value)["b"]["c"][1]', record) == "x"
    assert cel.select("string_value", "plain") == "plain"
    with pytest.raises(InvalidInput, match=r"there is no 'z'.*known: a, b"):
        cel.select('parseJson(string_value)["z"]', record)
    with pytest.raises(InvalidInput, match="not JSON"):
        cel.select('parseJson(string_value)["z"]', "no json")


def test_expressions_are_parsed_once() -> None:
    assert cel.compile("1 == 2 && 3 < 4") is cel.compile("1 == 2 && 3 < 4")
    long = " + ".join(["1"] * 5000)
    assert cel.compile(long) is not cel.compile(long), "long ones would make the cache large"


def test_long_chains_cost_no_depth() -> None:
    for sign, expected in ((" && ", True), (" || ", True)):
        assert value(sign.join(["true"] * 10_000)) is expected
    assert value(" + ".join(["1"] * 10_000)) == 10_000
    assert value("!" * 10_001 + "true") is False
    assert value("-" * 9_999 + "1") == -1
    assert value("[" + ",".join(["1"] * 20_000) + "].size()") == 20_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200 + "1" + ")" * 200,
        "[" * 50_000,
        "!-" * 200 + "1",
        "true ? 1 : " * 200 + "1",
        "int(" * 200 + "1" + ")" * 200,
        "m" + ".k" * 1000,
        "l[" * 200 + "0" + "]" * 200,
        "x" * 100_001,
    ],
)
def test_depth_and_length_are_bounded(text: str) -> None:
    with pytest.raises(LodestepError, match=r"deep|chain|at most"):
        value(text)


def test_what_is_nested_as_deep_as_it_may_be_is_answered() -> None:
    assert value("(" * 59 + "1" + ")" * 59) == 1
    assert value("[" * 59 + "1" + "]" * 59 + "[0]" * 59) == 1
    assert value("int(" * 59 + "'1'" + ")" * 59) == 1
    assert value("l.all(x, " * 59 + "false" + ")" * 59) is False


def test_a_deep_value_is_a_fault_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 2):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested too deep"):
        cel.compile("a == b").evaluate({"a": deep, "b": [*deep]})


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d >= 0))))",
        "l.all(a, l != big)",
        "l.all(a, l + [1] == big)",
        "l.filter(a, a in l).size() >= 0 && l.filter(a, (a + 9999999) in big).size() == 0",
        "l.all(a, s + s != s)",
        "l.exists(a, s.matches('(x*)*y'))",
        "l.all(a, l.map(b, string(l)) != [])",
        "l.all(a, parseJson(j).size() > 0)",
        "[s].map(a, [a + a].map(b, [b + b].map(c, [c + c].map(d, [d + d].map(e, [e + e].map(f, f + f))))))",
    ],
)
def test_the_cost_is_bounded(text: str) -> None:
    numbers = list(range(2000))
    names = {"l": numbers, "big": [*numbers, 1], "s": "x" * 200_000, "j": str(numbers * 4)}
    with pytest.raises(InvalidInput, match=r"too many steps|at most"):
        cel.compile(text).evaluate(names)


SYMBOLS = st.sampled_from(
    [
        *[
            "n",
            "f",
            "s",
            "b",
            "l",
            "m",
            "nul",
            "k",
            "x",
            "has",
            "all",
            "map",
            "int",
            "size",
            "type",
            "1",
            "2.5",
            "'a'",
            "b'a'",
            "true",
            "null",
            "in",
            "+",
            "-",
            "*",
            "/",
            "%",
            "!",
            "?",
            ":",
            ",",
            ".",
            "(",
            ")",
            "[",
            "]",
        ],
        *["{", "}", "==", "<", ">=", "&&", "||", "x,", "(x,", "matches", "'(a'", "parseJson", "'", '"', "\\", "é"],
        *" \n",
    ]
)


@given(st.lists(SYMBOLS, max_size=12).map(" ".join))
def test_any_text_is_a_value_or_a_fault_in_words(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        value(text)


def test_strings_as_the_pipeline_compiler_writes_them() -> None:
    """It puts them between quotes as they are."""
    assert value("'a\nb'") == "a\nb"
    assert value(r"'a\d+\path'") == r"a\d+\path"


@pytest.mark.parametrize(
    ("text", "given_value", "expected"),
    [
        ("'inputs.parameter_values['b']' == 'true'", True, True),
        ("'int(inputs.parameter_values['b'])' == '5'", 5, True),
        ("inputs.parameter_values['b'] == 'int(inputs.parameter_values['b'])'", "7", True),
        ("'inputs.parameter_values['b']' != '2.5'", 2.5, False),
    ],
)
def test_inputs_that_the_pipeline_compiler_quotes(text: str, given_value: Any, expected: bool) -> None:
    assert cel.condition(text, {"b": given_value}) is expected


def test_importing_it_is_cheap() -> None:
    heavy = {"asyncio", "yaml", "sqlite3", "starlette", "ssl", "subprocess", "urllib.parse", "json"}
    code = "import sys; import lodestep.lang.cel; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(loaded.stdout.split())
