"""Regular expressions for `matches()`: the syntax of RE2 as far as it goes, in time linear in the text.

The patterns are a stranger's, and Python's `re` may take for ever over a few characters. Here a pattern becomes a
graph of states, and all states that can be reached are followed at once, character by character.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from lodestep.lang.pattern_classes import WORD, Ranges
from lodestep.lang.pattern_syntax import END, MOST_CHARS, State, parse

_PLAIN = re.compile(r"[^\\.+*?()|\[\]{}^$]*")
_parsed = lru_cache(maxsize=256)(parse)


def found(pattern: str, text: str, spend: Callable[[int], None]) -> bool:
    """Whether the pattern matches anywhere in the text. `spend` is told the cost, and stops what costs too much."""
    if _PLAIN.fullmatch(pattern) and len(pattern) <= MOST_CHARS:
        spend(len(text) >> 6)
        return pattern in text
    states, start = _parsed(pattern)
    current: set[int] = set()
    for place in range(len(text) + 1):
        current.add(start)
        reached = _reached(states, current, text, place)
        spend(1 + len(reached) // 4)
        if END in reached:
            return True
        if place < len(text):
            code = ord(text[place])
            current = {states[s].following[0] for s in reached if any(a <= code <= b for a, b in states[s].ranges)}
    return False


def _reached(states: list[State], current: set[int], text: str, place: int) -> set[int]:
    """The states that are reached from these without taking a character."""
    seen = set(current)
    waiting = list(current)
    while waiting:
        state = states[waiting.pop()]
        if state.ranges or (state.test and not _holds(state.test, text, place)):
            continue
        for following in state.following:
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return seen


def _holds(test: str, text: str, place: int) -> bool:
    match test:
        case "begin":
            return place == 0
        case "end":
            return place == len(text)
        case "line begin":
            return place == 0 or text[place - 1] == "\n"
        case "line end":
            return place == len(text) or text[place] == "\n"
        case "never":
            return False
        case _:
            before = place > 0 and _in(ord(text[place - 1]), WORD)
            after = place < len(text) and _in(ord(text[place]), WORD)
            return (before != after) == (test == "boundary")


def _in(code: int, ranges: Ranges) -> bool:
    return any(first <= code <= last for first, last in ranges)
