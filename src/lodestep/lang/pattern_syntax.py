"""The syntax of patterns: from a text to a graph of states.

Not here: Unicode classes by name (`\\pL`), `\\Q…\\E`, `\\C`. As in RE2 there is no look-around and no back-reference.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from lodestep.errors import InvalidInput
from lodestep.lang.pattern_classes import DIGITS, LAST, POSIX, SPACE, WORD, Ranges, negated, other_case

MOST_CHARS = 1000
_MOST_STATES = 5000
_MOST_REPEATS = 1000
_DEPTH = 50

_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_CLASS_NAME = re.compile(r"\[:(\^?)([a-z]+):\]")
_REPEAT = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}", re.ASCII)
_GROUP = re.compile(r"\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|([imsU]*)(?:-([imsU]+))?([:)]))")
_HEX = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})")


class State(NamedTuple):
    """One state. It takes a character in `ranges`, or none: then it is a test of the place, or a fork, or the end."""

    ranges: Ranges = ()
    test: str = ""
    following: tuple[int, ...] = ()


END = 0  # the state in which the pattern has matched


def parse(pattern: str) -> tuple[list[State], int]:
    """All states, and the one to begin with. Raises `InvalidInput` with the column."""
    if len(pattern) > MOST_CHARS:
        raise InvalidInput(f"a pattern of {len(pattern)} characters: at most {MOST_CHARS}")
    builder = _Builder(pattern)
    start = builder.built()
    return builder.states, start


_Piece = Callable[[int], int]  # given the state that follows, adds the states of a piece and gives the first one


class _Builder:
    """A pattern's states. Reading gives pieces, built from the end; one that is repeated is built several times."""

    def __init__(self, pattern: str) -> None:
        self.states = [State()]
        self._text = pattern
        self._at = 0
        self._depth = 0
        self._flags = ""
        self._copies = 0

    def built(self) -> int:
        piece = self._alternatives()
        if self._at < len(self._text):
            raise self._error("a ')' without its '('")
        return piece(END)

    def _error(self, message: str) -> InvalidInput:
        return InvalidInput(f"the pattern {self._text[:60]!r} has {message} at column {self._at + 1}")

    def _added(self, state: State) -> int:
        if len(self.states) >= _MOST_STATES:
            raise InvalidInput(f"the pattern {self._text[:60]!r} repeats too much")
        self.states.append(state)
        return len(self.states) - 1

    @property
    def _now(self) -> str:
        return self._text[self._at : self._at + 1]

    def _took(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _alternatives(self) -> _Piece:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._error(f"groups deeper than {_DEPTH} levels")
        flags = self._flags
        choices = [self._sequence()]
        while self._took("|"):
            choices.append(self._sequence())
        self._flags = flags
        self._depth -= 1
        if len(choices) == 1:
            return choices[0]
        return lambda after: self._added(State(following=tuple(choice(after) for choice in choices)))

    def _sequence(self) -> _Piece:
        pieces: list[_Piece] = []
        while self._now and self._now not in "|)":
            pieces.append(self._repeated())

        def build(after: int) -> int:
            for piece in reversed(pieces):
                after = piece(after)
            return after

        return build

    def _repeated(self) -> _Piece:
        piece = self._atom()
        repeats = 0
        while (bounds := self._bounds()) is not None:
            repeats += 1
            if repeats > 1:
                raise self._error("a repetition of a repetition")
            self._took("?")  # lazy or greedy: the same to someone who asks only whether
            piece = self._times(piece, *bounds)
        return piece

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._took(sign):
                return bounds
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            return None
        least = int(match[1])
        most = least if not match[2] else int(match[3]) if match[3] else None
        if least > _MOST_REPEATS or (most is not None and (most > _MOST_REPEATS or most < least)):
            raise self._error("a bad count of repetitions")
        self._at = match.end()
        return least, most

    def _times(self, piece: _Piece, least: int, most: int | None) -> _Piece:
        def build(after: int) -> int:
            if most is None:
                fork = self._added(State())
                self.states[fork] = State(following=(piece(fork), after))
                after = fork
            else:
                end = after
                for _ in range(most - least):
                    after = self._added(State(following=(self._copy(piece, after), end)))
            for _ in range(least):
                after = self._copy(piece, after)
            return after

        return build

    def _copy(self, piece: _Piece, after: int) -> int:
        """A copy of a repeated piece. Counted, for a piece without states would repeat for nothing for ever."""
        self._copies += 1
        if self._copies > _MOST_STATES:
            raise InvalidInput(f"the pattern {self._text[:60]!r} repeats too much")
        return piece(after)

    def _atom(self) -> _Piece:
        sign = self._now
        if sign in "*+?":
            raise self._error("a repetition of nothing")
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._taking(self._class())
        if sign == "\\":
            return self._escape()
        self._at += 1
        match sign:
            case ".":
                newline = () if "s" in self._flags else ((10, 10),)
                return self._taking(negated(newline))
            case "^":
                return self._testing("line begin" if "m" in self._flags else "begin")
            case "$":
                return self._testing("line end" if "m" in self._flags else "end")
            case _:
                return self._taking(self._in_case(((ord(sign), ord(sign)),)))

    def _taking(self, ranges: Ranges) -> _Piece:
        if not ranges:
            return self._testing("never")
        return lambda after: self._added(State(ranges=ranges, following=(after,)))

    def _testing(self, test: str) -> _Piece:
        return lambda after: self._added(State(test=test, following=(after,)))

    def _group(self) -> _Piece:
        self._at += 1
        if self._now == "?":
            match = _GROUP.match(self._text, self._at)
            if match is None:
                raise self._error("a group that is not known")
            self._at = match.end()
            if match[3]:
                return self._flagged(match)
        return self._closed(self._alternatives())

    def _flagged(self, match: re.Match[str]) -> _Piece:
        outer = self._flags
        self._flags = "".join(set(outer + match[1]) - set(match[2] or ""))
        if match[3] == ")":  # for the rest of the group that it stands in
            return lambda after: after
        piece = self._closed(self._alternatives())
        self._flags = outer
        return piece

    def _closed(self, piece: _Piece) -> _Piece:
        if not self._took(")"):
            raise self._error("a '(' without its ')'")
        return piece

    def _escape(self) -> _Piece:
        letter = self._text[self._at + 1 : self._at + 2]
        test = {"b": "boundary", "B": "no boundary", "A": "begin", "z": "end"}.get(letter)
        if test:
            self._at += 2
            return self._testing(test)
        ranges = self._escaped()
        return self._taking(ranges if letter in "dDwWsS" else self._in_case(ranges))

    def _escaped(self) -> Ranges:
        """What a backslash and what follows it stand for, outside of a class or inside."""
        self._at += 1
        letter = self._now
        if not letter:
            raise self._error("a backslash at its end")
        if letter == "x" and (match := _HEX.match(self._text, self._at)):
            self._at = match.end()
            code = int(match[1] or match[2], 16)
            if code > LAST:
                raise self._error("a number that is no character")
            return ((code, code),)
        self._at += 1
        for known, ranges in (("d", DIGITS), ("w", WORD), ("s", SPACE)):
            if letter.lower() == known:
                return ranges if letter == known else negated(ranges)
        if letter in _CONTROLS:
            return ((_CONTROLS[letter], _CONTROLS[letter]),)
        if letter.isalnum() or ord(letter) > 127:
            self._at -= 2
            raise self._error(f"the escape '\\{letter}', which is not known,")
        return ((ord(letter), ord(letter)),)

    def _class(self) -> Ranges:
        self._at += 1
        without = self._took("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or self._now != "]":
            first = False
            if not self._now:
                raise self._error("a '[' without its ']'")
            ranges += self._member()
        self._at += 1
        cased = self._in_case(tuple(ranges))
        return negated(cased) if without else cased

    def _member(self) -> Ranges:
        """A character of a class, a range, or a class by name."""
        if match := _CLASS_NAME.match(self._text, self._at):
            if match[2] not in POSIX:
                raise self._error(f"the class {match[0]}, which is not known,")
            self._at = match.end()
            return negated(POSIX[match[2]]) if match[1] else POSIX[match[2]]
        begin = self._one()
        if len(begin) != 1 or begin[0][0] != begin[0][1] or self._now != "-":
            return begin
        if self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return begin
        self._at += 1
        end = self._one()
        if len(end) != 1 or end[0][0] != end[0][1] or end[0][0] < begin[0][0]:
            raise self._error("a bad range")
        return ((begin[0][0], end[0][0]),)

    def _one(self) -> Ranges:
        if self._now == "\\":
            return self._escaped()
        code = ord(self._now)
        self._at += 1
        return ((code, code),)

    def _in_case(self, ranges: Ranges) -> Ranges:
        return other_case(ranges) if "i" in self._flags else ranges
