"""Patterns against RE2 itself, at random; and against what makes other engines run for ever."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lodestep.errors import InvalidInput
from lodestep.lang import pattern

re2 = pytest.importorskip("re2", reason="RE2 comes with cel-python")


def free(cost: int) -> None:
    assert cost >= 0


def found(wanted: str, text: str) -> bool:
    return pattern.found(wanted, text, free)


def reference(wanted: str, text: str) -> bool | None:
    """RE2's answer; None where it refuses the pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(wanted, options).search(text) is not None
    except re2.error:
        return None


LETTERS = st.sampled_from(list("abcAB01_ \n.-é"))
ATOMS = st.one_of(
    LETTERS.map(lambda letter: "\\" + letter if letter in ".-" else letter),
    st.sampled_from(
        [
            *[
                r".",
                r"\d",
                r"\D",
                r"\w",
                r"\W",
                r"\s",
                r"\S",
                r"\b",
                r"\B",
                r"\A",
                r"\z",
                r"^",
                r"$",
                r"\n",
                r"\x41",
                r"\x{e9}",
                r"[abc]",
                r"[^abc]",
                r"[a-c0-1]",
                r"[]a]",
                r"[^]a]",
                r"[a-]",
            ],
            *[r"[\d_]", r"[[:alpha:]]", r"[^[:^digit:]]", r"[\x41-C]"],
        ]
    ),
)
REPEATS = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}", "*?", "+?", "??", "{,2}", "{"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        inner.map(lambda p: f"({p})"),
        inner.map(lambda p: f"(?:{p})"),
        inner.map(lambda p: f"(?P<n>{p})"),
        inner.map(lambda p: f"(?i:{p})"),
        inner.map(lambda p: f"(?s-i:{p})"),
        inner.map(lambda p: f"(?m){p}"),
        st.tuples(inner, REPEATS).map(lambda both: f"(?:{both[0]}){both[1]}"),
    ),
    max_leaves=8,
)


@settings(max_examples=1000, deadline=None)
@given(PATTERNS, st.text(LETTERS, max_size=8))
def test_the_same_answer_as_re2(wanted: str, text: str) -> None:
    expected = reference(wanted, text)
    assume(expected is not None)
    assert found(wanted, text) == expected


@settings(max_examples=500, deadline=None)
@given(
    st.text(st.sampled_from(list("ab()[]{}?*+|\\^$.-:<>P=!,019dwsxiQpE")), max_size=12), st.text(LETTERS, max_size=4)
)
def test_any_text_is_a_pattern_as_for_re2_or_refused(wanted: str, text: str) -> None:
    try:
        answer = found(wanted, text)
    except InvalidInput:
        return
    expected = reference(wanted, text)
    assert expected is None or answer == expected, "never another answer"


@pytest.mark.parametrize(
    "wanted",
    ["(", ")", "a)", "[a", "*a", "a**", "a{2}{3}", "\\", "[b-a]", "(?=a)", "(?<!a)", "\\1", "(?P<a", "\\pL", "a{1001}",
     "[[:nope:]]", "\\x{110000}", "a{3,2}", "(" * 60 + ")" * 60, "a" * 1001, "((a{100}){100}){100}"],
)  # fmt: skip
def test_refused(wanted: str) -> None:
    with pytest.raises(InvalidInput, match="pattern"):
        found(wanted, "a")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("(a+)+$", "a" * 3000 + "b"),
        ("(a|a)*b", "a" * 3000),
        ("(.*)*x", "a" * 3000),
        ("a*a*a*a*a*a*a*a*b", "a" * 3000),
        ("(a?){30}a{30}", "a" * 29),
        ("(x+x+)+y", "x" * 3000),
    ],
)
def test_what_makes_others_run_for_ever(wanted: str, text: str) -> None:
    assert not found(wanted, text)


@pytest.mark.timeout(20)
def test_repeating_nothing_is_bounded() -> None:
    with pytest.raises(InvalidInput, match="repeats too much"):
        found("((){1000}){1000}", "a")
    assert found("(a*)*b", "aaab")
    assert found("(|a)+", "")


def test_the_cost_is_told_and_can_be_refused() -> None:
    spent: list[int] = []
    pattern.found("a.c", "x" * 1000, spent.append)
    assert 1000 <= sum(spent) <= 5000
