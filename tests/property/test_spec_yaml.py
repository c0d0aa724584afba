"""YAML as PyYAML reads and writes it, for whatever hypothesis thinks of."""

import datetime
import math
import string
from typing import Any

import hypothesis.strategies as st
import yaml
from hypothesis import assume, example, given, settings

from lodestep import jsonio
from lodestep.errors import LodestepError
from lodestep.spec import yamldump, yamlscalar, yamltext

# Characters that mean something to YAML, and some that only stand there.
MARKS = "-?:,[]{}#&*!|>'\"%@`~=<\\/._+0123456789eExXoOnNyYtTaAfFlLsSuU \n"
ALPHABET = st.sampled_from(MARKS + "\t\r\x85\xa0\u2028é😀\x00\x7f\ufeff" + string.ascii_lowercase)
TEXTS = (
    st.text(ALPHABET, max_size=60) | st.text(max_size=20) | st.sampled_from(["", "true", "null", "1", "x: y", "- x"])
)
LINES = st.lists(st.text("abc '\"\\", max_size=50), max_size=6).map("\n".join)
LONG = st.lists(st.text("ab' \"é", min_size=1, max_size=90), max_size=12).map(" ".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | LINES | LONG
KEYS = (
    st.text(ALPHABET, max_size=20) | st.text("ab: '\n", max_size=140) | st.sampled_from(["on", "1", "~", "null", "a b"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
REFUSED = ("twice", "key that is no text", "tag", "complete", "documents", "is no ", "merge")
ROOTS = st.dictionaries(KEYS, VALUES, max_size=6) | st.lists(VALUES, max_size=6)


def _whole(value: Any) -> Any:
    return jsonio.whole(value)


@given(st.lists(ROOTS, min_size=1, max_size=2))
def test_what_pyyaml_dumps_is_read(documents: list[Any]) -> None:
    assume(not any(key == "<<" for document in documents for key in _keys(document)))
    text = yaml.dump_all(documents, sort_keys=True)
    assert yamltext.parse(text) == [_whole(document) for document in documents]


@given(ROOTS, st.sampled_from([None, True]), st.integers(10, 200), st.sampled_from([None, "'", '"']), st.booleans())
def test_in_every_style(document: Any, flow: bool | None, width: int, style: str | None, unicode: bool) -> None:
    text = yaml.dump(document, default_flow_style=flow, width=width, default_style=style, allow_unicode=unicode)
    assume(not any(key == "<<" for key in _keys(document)))
    assert yamltext.parse(text) == [_whole(yaml.load(text, yaml.CSafeLoader))]


@given(st.lists(ROOTS, min_size=1, max_size=2))
@example([{"a": "x" * 79 + " y"}])
@example([{"a": ["'" * 90 + " b c"]}])
@example([{"é" * 130: 1}])
def test_what_is_dumped_is_pyyamls_to_the_byte(documents: list[Any]) -> None:
    assert yamldump.dump(documents) == yaml.dump_all(documents, sort_keys=True)


@given(st.text(MARKS, max_size=40))
@settings(max_examples=1000)
def test_plain_scalars_mean_what_pyyaml_takes_them_for(text: str) -> None:
    assume(not text.endswith("\n"))  # no plain scalar does, and PyYAML's patterns do not mind it
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    try:
        expected = loader.construct_object(yaml.ScalarNode(tag, text))
    except (ValueError, yaml.YAMLError, OverflowError, IndexError):
        return  # `=`, `<<`, or a number that PyYAML itself cannot read
    try:
        found = yamlscalar.resolve(text)
    except LodestepError:
        assert isinstance(expected, float)
        assert not math.isfinite(expected)
        return
    if isinstance(expected, datetime.date):
        expected = text
    assert found == _whole(expected)
    assert type(found) is type(_whole(expected))


@given(
    st.from_regex(
        r"[-+]?(0b[01_]{1,9}|0x[0-9a-fA-F_]{1,9}|0[0-7_]{0,9}|[1-9][0-9_]{0,9}(:[0-5]?[0-9]){0,3})", fullmatch=True
    )
    | st.from_regex(r"[-+]?([0-9][0-9_]{0,5}(:[0-5]?[0-9]){0,2})?\.[0-9_]{0,6}([eE][-+][0-9]{1,2})?", fullmatch=True)
)
@settings(max_examples=1000)
def test_numbers_are_pyyamls(text: str) -> None:
    assume("\n" not in text)
    try:
        [expected] = yaml.safe_load(f"[{text}]") or [None]
    except ValueError:
        return
    assert yamlscalar.resolve(text) == _whole(expected)


@given(st.text(st.sampled_from("a:-?[]{},&*!|>'\"#% \n"), max_size=30))
@settings(max_examples=1500)
def test_any_text_is_read_as_by_pyyaml_or_refused(text: str) -> None:
    """What PyYAML takes and we do not must be one of the things that we refuse on purpose."""
    try:
        expected = list(yaml.load_all(text, yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError):
        expected = None
    found, refusal = _read(text)
    if found is not None:
        assert expected is not None
        assert found == _json_keys(expected)
    elif expected is not None:
        assert any(word in refusal for word in REFUSED), refusal


def _read(text: str) -> tuple[list[Any] | None, str]:
    try:
        return yamltext.parse(text), ""
    except LodestepError as error:
        return None, error.message


def _json_keys(value: Any) -> Any:
    """Keys as texts. Of these texts, only `null` in its form without characters is no text."""
    if isinstance(value, dict):
        return {"" if key is None else key: _json_keys(item) for key, item in value.items()}
    return [_json_keys(item) for item in value] if isinstance(value, list) else value


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in _keys(item))]
    return [key for item in value for key in _keys(item)] if isinstance(value, list) else []
