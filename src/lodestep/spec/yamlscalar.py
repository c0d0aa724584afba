"""What a plain YAML scalar means: the rules of YAML 1.1 as PyYAML's SafeLoader has them, for the SDK writes by them.

Two differences, both for the sake of JSON, which every document becomes: dates stay text, and a float that is a whole
number is an int. A number beyond what a double can hold is refused.
"""

import math
import re
from typing import Any

from lodestep.errors import InvalidInput, TooLarge

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
# Possessive, for a text may be millions of digits.
_INT = re.compile(
    r"[-+]?(?:0b[01_]*[01][01_]*|0x[0-9a-fA-F_]*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*+|[1-9][0-9_]*+(?::[0-5]?[0-9])*+)"
)
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*+\.[0-9_]*+(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*+(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*+(?::[0-5]?[0-9])++\.[0-9_]*+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_DIGITS = 400


def resolve(text: str) -> Any:
    """Null, a boolean, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _INT.fullmatch(text):
        return _integer(_bounded(text))
    if _FLOAT.fullmatch(text):
        return _whole(_float(_bounded(text)), text)
    return text


def _bounded(text: str) -> str:
    if len(text) > _DIGITS:
        raise TooLarge(f"a number of {len(text)} characters: at most {_DIGITS}", hint="put a text into quotes")
    return text.replace("_", "").lower()


def _integer(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if ":" in digits:
        return sign * _base_sixty(digits)
    if digits.startswith("0b"):
        return sign * int(digits[2:], 2)
    if digits.startswith("0x"):
        return sign * int(digits[2:], 16)
    return sign * int(digits, 8 if digits[0] == "0" else 10)


def _float(text: str) -> float:
    sign = -1.0 if text[0] == "-" else 1.0
    digits = text.lstrip("+-")
    if digits == ".inf":
        return sign * math.inf
    if digits == ".nan":
        return math.nan
    if ":" in digits:
        total, place = 0.0, 1
        for part in reversed(digits.split(":")):  # summed as PyYAML does, to round alike
            total, place = total + float(part) * place, place * 60
        return sign * total
    return sign * float(digits)


def _base_sixty(digits: str) -> int:
    """`1:30` is 90 in YAML 1.1."""
    total = 0
    for part in digits.split(":"):
        total = total * 60 + int(part)
    return total


def _whole(number: float, text: str) -> int | float:
    if not math.isfinite(number):
        raise InvalidInput(f"{text!r} is no number that JSON has")
    return int(number) if number.is_integer() and abs(number) < 2**63 else number
