"""Plain values into a message, by the JSON mapping of protobuf: what that mapping allows beside the plain form.

A field may go by its camelCase or its snake_case name; null is absence; a number may be a text, an enumeration its
number. The structs themselves know the plain form only, so a document that they refuse comes here: either it becomes
plain, or the error names the exact place, what was found and what was expected.
"""

import difflib
import math
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from lodestep.errors import InvalidInput
from lodestep.spec.ir import Message

_M = TypeVar("_M", bound=Message)


class Field(msgspec.Struct, frozen=True):
    """A field by its name on the wire, and its type without None."""

    name: str
    type: Any


def convert(value: Any, kind: type[_M], *, place: str = "$") -> _M:
    """`value` as a message. Raises `InvalidInput` with the path of the first thing that does not fit."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        plain = _message(value, kind, place)
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), place=place) from error


@cache
def fields(kind: type[Message]) -> dict[str, Field]:
    """The fields of a message by both of their names."""
    found: dict[str, Field] = {}
    for field in msgspec.structs.fields(kind):
        entry = Field(field.encode_name, _without_none(field.type))
        found[field.encode_name] = found[field.name] = entry
    return found


def _without_none(kind: Any) -> Any:
    if get_origin(kind) is UnionType:
        return next(arm for arm in get_args(kind) if arm is not type(None))
    return kind


def _message(value: Any, kind: type[Message], place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(value, "an object", place)
    known = fields(kind)
    plain: dict[str, Any] = {}
    for name, item in value.items():
        field = known.get(name)
        if field is None:
            raise _unknown(name, known, place)
        if item is None and field.type is not Any:
            continue
        if field.name in plain:
            raise InvalidInput(f"has both {field.name!r} and {name!r}, which are one field", place=place)
        plain[field.name] = _value(item, field.type, f"{place}.{field.name}")
    return plain


def _value(value: Any, kind: Any, place: str) -> Any:
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin is list:
        if not isinstance(value, list):
            raise _mismatch(value, "a list", place)
        return [_value(item, get_args(kind)[0], f"{place}[{at}]") for at, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise _mismatch(value, "an object", place)
        return {name: _value(item, get_args(kind)[1], f"{place}[{name!r}]") for name, item in value.items()}
    if issubclass(kind, Message):
        return _message(value, kind, place)
    return _scalar(value, kind, place)


def _scalar(value: Any, kind: Any, place: str) -> Any:
    if issubclass(kind, StrEnum):
        return _member(value, kind, place)
    if kind is int:
        return _integer(value, place)
    if kind is float:
        return _number(value, place)
    expected = {str: "a text", bool: "true or false"}
    if not isinstance(value, kind):
        raise _mismatch(value, expected[kind], place)
    return value


def _member(value: Any, kind: type[StrEnum], place: str) -> str:
    members = list(kind)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(members):
        return members[value].value
    if isinstance(value, str) and value in {member.value for member in members}:
        return value
    names = [member.value for member in members]
    raise InvalidInput(f"{_shown(value)} is none of {', '.join(names)}", hint=_suggestion(value, names), place=place)


def _integer(value: Any, place: str) -> int:
    number = _number(value, place, "a whole number")
    if isinstance(number, float):
        raise _mismatch(value, "a whole number", place)
    return number


def _number(value: Any, place: str, expected: str = "a number") -> int | float:
    if isinstance(value, str):
        try:
            value = int(value) if value.lstrip("-").isdecimal() and len(value) < 40 else float(value)
        except ValueError as error:
            raise _mismatch(value, expected, place) from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _mismatch(value, expected, place)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unknown(name: str, known_fields: dict[str, Field], place: str) -> InvalidInput:
    known = sorted({field.name for field in known_fields.values()})
    hint = _suggestion(name, known) or f"known here: {', '.join(known)}"
    return InvalidInput(f"unknown field {name[:100]!r}", hint=hint, place=place)


def _suggestion(name: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:100], known, n=1) if isinstance(name, str) else []
    return f"did you mean {near[0]!r}?" if near else ""


def _mismatch(value: Any, expected: str, place: str) -> InvalidInput:
    return InvalidInput(f"expected {expected}, found {_shown(value)}", place=place)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            text = repr(value)
            return f"{text[:80]}…" if len(text) > 80 else text
