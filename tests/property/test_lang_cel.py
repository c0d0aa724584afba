"""Expressions against another implementation of the language, over the part that both understand.

The other one keeps integers and doubles apart (5 is not 5.0) and refuses to compare what has two types. So expressions
are made of one type at a time; where the other refuses one all the same, ours may answer or refuse, in words.
"""

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lodestep.errors import InvalidInput
from lodestep.lang import cel

celpy = pytest.importorskip("celpy", reason="needs cel-python")

NAMES = {"i": 7, "j": -3, "f": 2.5, "s": "abc", "t": "", "b": True, "l": [1, 2, 3], "m": {"a": 1, "b": 2}}
REFUSED = "refused"


def literal(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
        return f'"{escaped}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def infix(signs: list[str], operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(operands, st.sampled_from(signs), operands).map(" ".join)


def bracketed(operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return operands.map(lambda text: f"({text})")


COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]
INTEGERS = st.deferred(
    lambda: st.one_of(
        st.integers(0, 100).map(literal),
        st.sampled_from(["i", "j", "l[0]", "m.a", 'm["b"]', "size(s)", "l.size()", "0x10", "int(f)", 'int("-12")']),
        bracketed(infix(["+", "-", "*", "/", "%"], INTEGERS)),
        infix(["+", "-", "*"], INTEGERS),
        bracketed(INTEGERS).map("-{}".format),
        st.tuples(BOOLEANS, INTEGERS, INTEGERS).map(lambda x: f"({x[0]} ? {x[1]} : {x[2]})"),
        STRINGS.map("size({})".format),
    )
)
DOUBLES = st.deferred(
    lambda: st.one_of(
        st.floats(0, 1e6, allow_subnormal=False).map(lambda x: f"{x:.4f}"),
        st.sampled_from(["f", "double(i)", 'double("1.25")', "1e3"]),
        bracketed(infix(["+", "-", "*"], DOUBLES)),
        bracketed(DOUBLES).map("-{}".format),
    )
)
STRINGS = st.deferred(
    lambda: st.one_of(
        st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), max_size=5).map(literal),
        st.sampled_from(["s", "t", 'r"a\\n"', '"\\u00e9\\t"', "string(i)", "'it\\'s'"]),
        bracketed(infix(["+"], STRINGS)),
    )
)
LISTS = st.deferred(
    lambda: st.one_of(
        st.lists(INTEGERS, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.just("l"),
        bracketed(infix(["+"], LISTS)),
        st.tuples(LISTS, CONDITIONS_OF_X).map(lambda x: f"{x[0]}.filter(x, {x[1]})"),
        st.tuples(LISTS, st.sampled_from(["x + 1", "x * x", "-x", "i"])).map(lambda x: f"{x[0]}.map(x, {x[1]})"),
    )
)
CONDITIONS_OF_X = st.sampled_from(["x > 1", "x == 2", "x % 2 == 0", "true", "x in [1, 3]", "x < i && x != 0"])
BOOLEANS = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["true", "false", "b", "has(m.a)", "has(m.z)", '"a" in m', "bool('true')"]),
        infix(COMPARISONS, INTEGERS),
        infix(COMPARISONS, DOUBLES),
        infix(COMPARISONS, STRINGS),
        infix(["==", "!="], LISTS),
        bracketed(infix(["&&", "||"], BOOLEANS)),
        bracketed(BOOLEANS).map("!{}".format),
        st.tuples(INTEGERS, LISTS).map(" in ".join),
        st.tuples(STRINGS, st.sampled_from(["startsWith", "endsWith", "contains"]), STRINGS).map(
            lambda x: f"{x[0]}.{x[1]}({x[2]})"
        ),
        st.tuples(LISTS, st.sampled_from(["all", "exists", "exists_one"]), CONDITIONS_OF_X).map(
            lambda x: f"{x[0]}.{x[1]}(x, {x[2]})"
        ),
        st.tuples(STRINGS, st.sampled_from(["^a", "b+c?$", "[a-c]{2}", ".*"])).map(
            lambda x: f'{x[0]}.matches("{x[1]}")'
        ),
    )
)
EXPRESSIONS = st.one_of(INTEGERS, DOUBLES, STRINGS, LISTS, BOOLEANS)


def other(text: str) -> Any:
    limit = sys.getrecursionlimit()
    environment = celpy.Environment()
    sys.setrecursionlimit(limit)  # which it changes
    try:
        program = environment.program(environment.compile(text))
        found = program.evaluate({name: celpy.json_to_cel(value) for name, value in NAMES.items()})
    except (celpy.CELEvalError, celpy.CELParseError):
        return REFUSED
    return plain(found)


def plain(value: Any) -> Any:
    match value:
        case celpy.celtypes.BoolType():
            return bool(value)
        case celpy.celtypes.ListType():
            return [plain(item) for item in value]
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case _:
            return value


def ours(text: str) -> Any:
    try:
        return cel.compile(text).evaluate(NAMES)
    except InvalidInput:
        return REFUSED


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(EXPRESSIONS)
def test_the_same_answer_as_another_implementation(text: str) -> None:
    expected = other(text)
    found = ours(text)
    if expected != REFUSED:
        assert found == expected
        assert type(found) is type(expected)


def test_the_other_implementation_does_answer() -> None:
    """Or the comparison would say nothing."""
    for text in ("i + 1", "s + t", "l.map(x, x * x)", "b && i > j", "f * 2.0", '"a" in m', "l.exists_one(x, x == 2)"):
        assert other(text) != REFUSED, text
