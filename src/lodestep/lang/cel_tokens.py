"""The words of an expression.

Two liberties beside the language, for texts that the pipeline compiler makes and the language refuses. It puts strings
between quotes as they are: a line break inside is allowed, and a backslash before a letter that has no meaning stays.
And where it compares a number or a boolean with a string it quotes the input as well (`'inputs.parameter_values['n']'`,
no expression by any reading): such a quote is read as `string(inputs.parameter_values['n'])`.
"""

import re
from typing import Any

import msgspec

from lodestep.errors import InvalidInput, TooLarge

MAX_CHARS = 100_000
_MAX_DIGITS = 30
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n\f]+|//[^\n]*)"
    r"|(?P<quoted>'(?P<inner>(?:(?:int|double)\()?inputs\.parameter_values\['[^'\\]*'\]\)?)')"
    r"|(?P<float>[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
    r"|(?P<int>0[xX][0-9a-fA-F]+|[0-9]+)[uU]?"
    r"|(?P<prefix>[rR]?[bB]?|[bB][rR])"
    r"(?P<string>\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])",
    re.DOTALL,
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_SIMPLE = dict(zip("ntrabfv\\'\"`?", "\n\t\r\a\b\f\v\\'\"`?", strict=True))


class Token(msgspec.Struct, frozen=True):
    """`kind` is `literal`, `name`, `end`, or the operator itself. `column` counts from 1."""

    kind: str
    text: str
    column: int
    value: Any = None


def tokens(text: str) -> list[Token]:
    """All tokens of an expression and an `end`. Raises `InvalidInput` with the column."""
    if len(text) > MAX_CHARS:
        raise TooLarge(f"the expression has {len(text)} characters: at most {MAX_CHARS}")
    found = _scanned(text, 0)
    found.append(Token("end", "", len(text) + 1))
    return found


def _scanned(text: str, before: int) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidInput(f"unexpected {text[at]!r} at column {before + at + 1}{_reason(text[at])}")
        column = before + at + 1
        if match["quoted"] is not None:
            inner = _scanned(match["inner"], column)
            found += [Token("name", "string", column), Token("(", "(", column), *inner, Token(")", ")", column)]
        elif match["space"] is None:
            found.append(_token(match, column))
        at = match.end()
    return found


def _reason(character: str) -> str:
    if character in "'\"":
        return ": a string that does not end"
    return ": 'and' is written &&, 'or' ||, 'equal' ==" if character in "&|=" else ""


def _token(match: re.Match[str], column: int) -> Token:
    text = match[0]
    if match["float"] is not None:
        return Token("literal", text, column, float(text))
    if match["int"] is not None:
        if len(text) > _MAX_DIGITS:
            raise InvalidInput(f"a number of {len(text)} digits at column {column}: at most {_MAX_DIGITS}")
        digits = match["int"].lower()
        return Token("literal", text, column, int(digits, 16 if digits.startswith("0x") else 10))
    if match["string"] is not None:
        return Token("literal", text, column, _string(match["string"], match["prefix"].lower(), column))
    if match["name"] is not None:
        if text in _WORDS:
            return Token("literal", text, column, _WORDS[text])
        return Token("in" if text == "in" else "name", text, column)
    return Token(text, text, column)


def _string(text: str, prefix: str, column: int) -> str | bytes:
    width = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    inner = text[width:-width]
    if "b" in prefix:
        return _bytes(inner, raw="r" in prefix)
    if "r" in prefix or "\\" not in inner:
        return inner
    return _ESCAPE.sub(lambda escape: _unescaped(escape, column), inner)


def _unescaped(escape: re.Match[str], column: int) -> str:
    code = _code(escape)
    if code is None:
        return _SIMPLE.get(escape[5], escape[0])
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise InvalidInput(f"{escape[0]!r} is no character, in the string at column {column}")
    return chr(code)


def _bytes(inner: str, *, raw: bool) -> bytes:
    if raw:
        return inner.encode()
    pieces: list[bytes] = []
    at = 0
    for escape in _ESCAPE.finditer(inner):
        code = _code(escape)
        known = _SIMPLE.get(escape[5] or "", escape[0]).encode()
        pieces += [inner[at : escape.start()].encode(), known if code is None or code > 255 else bytes([code])]
        at = escape.end()
    return b"".join([*pieces, inner[at:].encode()])


def _code(escape: re.Match[str]) -> int | None:
    """The number that an escape gives, if it is by number."""
    for digits, base in ((escape[1], 16), (escape[2], 16), (escape[3], 16), (escape[4], 8)):
        if digits is not None:
            return int(digits, base)
    return None
