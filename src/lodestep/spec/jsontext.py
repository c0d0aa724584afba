"""JSON text to plain values, guarded: nodes are bounded before anything is built, depth and duplicate keys after.

The decoder itself refuses what is nested beyond the interpreter's limit. A float that is a whole number becomes an int,
as everywhere here.
"""

import json
import math
import re
from typing import Any

import msgspec

from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec.limits import LoadLimits

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STRETCH = re.compile(rb'(?:[^"]+|"[^"\\]*(?:\\.[^"\\]*)*+"){1,10000}+', re.DOTALL)
_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is more than a number can hold")
    return int(number) if number.is_integer() and abs(number) < 2**63 else number


_decoder = msgspec.json.Decoder(float_hook=_number)


def parse(data: bytes, limits: LoadLimits) -> Any:
    """The value of a JSON text. Raises `InvalidInput` where it is none, `TooLarge` where a limit is passed."""
    _check_nodes(data, limits)
    try:
        value = _decoder.decode(data)
    except RecursionError as error:
        raise TooLarge(f"nested deeper than {limits.nesting} levels") from error
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidInput(f"not JSON: {error}") from error
    keys = check_shape(value, limits)
    _check_duplicates(data, keys)
    return value


def check_shape(value: Any, limits: LoadLimits) -> int:
    """How many keys there are in plain values. Raises `TooLarge` for what is too deep or too much. No recursion."""
    level = [value]
    nodes = keys = 0
    for _ in range(limits.nesting + 1):
        mappings = [item for item in level if item.__class__ is dict]
        lists = [item for item in level if item.__class__ is list]
        if not mappings and not lists:
            return keys
        entries = sum(map(len, mappings))
        keys += entries
        nodes += 2 * entries + sum(map(len, lists))
        if nodes > limits.nodes:
            raise TooLarge(f"more than {limits.nodes} keys and values")
        _check_keys(mappings, limits)
        level = [child for item in mappings for child in item.values() if child.__class__ in (dict, list)]
        level += [child for item in lists for child in item if child.__class__ in (dict, list)]
    raise TooLarge(f"nested deeper than {limits.nesting} levels")


def _check_keys(mappings: list[dict[Any, Any]], limits: LoadLimits) -> None:
    for mapping in mappings:
        for key in mapping:
            if key.__class__ is not str:
                raise InvalidInput(f"a key that is no text: {key!r}")
            if len(key) > limits.key_chars:
                raise TooLarge(f"a key of {len(key)} characters: at most {limits.key_chars}")


def _check_nodes(data: bytes, limits: LoadLimits) -> None:
    """No more nodes than there are commas, colons and opening brackets: first with those in texts, then without."""
    if _nodes(data) <= limits.nodes:
        return
    count = at = 0
    while stretch := _STRETCH.match(data, at):  # in stretches, to need little memory
        count += _nodes(_TEXT.sub(b"", stretch[0]))
        at = stretch.end()
        if count > limits.nodes:
            raise TooLarge(f"more than {limits.nodes} keys and values")


def _nodes(data: bytes) -> int:
    return 1 + data.count(b",") + data.count(b":") + data.count(b"[") + data.count(b"{")


def _check_duplicates(data: bytes, keys: int) -> None:
    """The decoder keeps the last of two equal keys. Where there are more keys in the text, look for one.

    A key's end is `":`; in a text that is `\\":`. Where that does not count right, the slow look is taken.
    """
    written = data.count(b'":') - data.count(b'\\":')
    if written == keys and b'\\\\":' not in data and not _SPACED_COLON.search(data):
        return
    json.loads(data, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise InvalidInput(f"the key {twice[:100]!r} stands twice in one object")
