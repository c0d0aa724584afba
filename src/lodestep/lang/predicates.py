"""The filter of a list request: JSON text to conditions that are checked against the fields of the resource.

    {"predicates": [{"operation": "EQUALS" or 1, "key": "state", "string_value": "FAILED"}]}

All predicates hold together. Names may be in snake or camel case, `op` is the first version's name of `operation`.
Kubeflow Pipelines compares times as whole seconds; a condition on a time becomes one or two on milliseconds that select
the same rows. A text with a fraction of a second is compared to the millisecond.
"""

import re
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote_plus

import msgspec

from lodestep import jsonio
from lodestep.errors import InvalidInput, TooLarge
from lodestep.lang import fields
from lodestep.lang.fields import Kind, Resource

MAX_BYTES = 16 * 1024
MAX_PREDICATES = 50
MAX_VALUES = 500
MAX_CHARS = 4096

OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
_VALUES = ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values")
_NAMES = {
    **{name: name for name in ("key", "operation", *_VALUES)},
    **{re.sub(r"_(.)", lambda m: m[1].upper(), name): name for name in _VALUES},
    "op": "operation",
}
_STATES = {"ERROR": "FAILED", "TERMINATING": "CANCELING", "CANCELLING": "CANCELING", "CANCELLED": "CANCELED"}
_LATEST_S = 253_402_300_799  # the end of the year 9999
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_SHIFT = re.compile(r"(?:Z|[+-][0-9]{2}:[0-9]{2})\Z")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


class Predicate(msgspec.Struct, frozen=True):
    """One condition. `key` is the field's proper name, or `tags.KEY`. `values` has one, or for `IN` at least one."""

    key: str
    operation: str
    values: tuple[str | int, ...]


def plain(text: str) -> str:
    """The JSON of a filter parameter, which clients may have encoded for a URL once more than needed."""
    text = text.strip()
    if text.startswith("{") or not text:
        return text
    return unquote_plus(text).strip()


def parse(resource: Resource, text: str) -> tuple[Predicate, ...]:
    """The conditions of a filter. Raises `InvalidInput` with the place of what is wrong, `TooLarge` past a limit."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise TooLarge(f"the filter has {len(text)} characters: at most {MAX_BYTES} bytes", place="filter")
    if not text:
        return ()
    document = _object(jsonio.decode(text), "filter")
    if unknown := set(document) - {"predicates"}:
        raise InvalidInput(f"unknown field {min(unknown)[:60]!r}", place="filter", hint="expected predicates")
    items = document.get("predicates")
    if items is None:
        return ()
    if not isinstance(items, list):
        raise InvalidInput("expected a list", place="filter.predicates")
    if len(items) > MAX_PREDICATES:
        raise TooLarge(f"{len(items)} predicates: at most {MAX_PREDICATES}", place="filter.predicates")
    found: list[Predicate] = []
    for number, item in enumerate(items):
        found += _predicate(resource, item, f"filter.predicates[{number}]")
    return tuple(found)


def _predicate(resource: Resource, item: Any, place: str) -> list[Predicate]:
    given = _named(_object(item, place), place)
    key = given.pop("key", None)
    if not isinstance(key, str) or not key:
        raise InvalidInput("expected the name of a field", place=f"{place}.key")
    operation = _operation(given.pop("operation", None), f"{place}.operation")
    values = _given_values(given, operation, place)
    if key.startswith(fields.TAG_PREFIX) and fields.has_tags(resource):
        return [_tag(key, operation, values, place)]
    field = fields.field(resource, key, place=f"{place}.key")
    match field.kind:
        case Kind.TIME:
            return _moment_conditions(field.name, operation, values, place)
        case Kind.READY:
            return _ready(resource, operation, _texts(values, place))
        case Kind.STATE:
            return _texts_condition(resource, field.name, operation, [_state(v) for v in _texts(values, place)])
        case Kind.TEXT:
            return _texts_condition(resource, field.name, operation, _texts(values, place))


def _object(item: Any, place: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise InvalidInput("expected an object", place=place)
    return cast("dict[str, Any]", item)


def _named(item: dict[str, Any], place: str) -> dict[str, Any]:
    """The fields that are set, by their proper names."""
    given: dict[str, Any] = {}
    for name, value in item.items():
        proper = _NAMES.get(name)
        if proper is None:
            raise InvalidInput(f"unknown field {name[:60]!r}", place=place, hint=f"known: {', '.join(sorted(_NAMES))}")
        if value is None:
            continue
        if proper in given:
            raise InvalidInput(f"{proper} is given twice", place=place)
        given[proper] = value
    return given


def _operation(given: Any, place: str) -> str:
    name = given
    if isinstance(given, int) and not isinstance(given, bool):
        name = OPERATIONS.get(given)
    if not isinstance(name, str) or name not in OPERATIONS.values():
        known = ", ".join(OPERATIONS.values())
        raise InvalidInput(f"invalid predicate operation {str(given)[:60]!r}", place=place, hint=f"known: {known}")
    return name


def _given_values(given: dict[str, Any], operation: str, place: str) -> list[str | int | datetime]:
    """The one value, or the values of `IN`."""
    if len(given) != 1:
        what = ", ".join(given) or "none"
        raise InvalidInput(f"expected one value, found {what}", place=place, hint=f"give one of {', '.join(_VALUES)}")
    ((name, raw),) = given.items()
    place = f"{place}.{name}"
    if operation == "IN":
        if not name.endswith("_values"):
            raise InvalidInput(f"cannot use IN operator with scalar {name}", place=place, hint=f"give {name}s")
        items = _object(raw, place).get("values") or []
        if not isinstance(items, list) or len(items) > MAX_VALUES:
            raise TooLarge(f"expected a list of at most {MAX_VALUES} values", place=place)
        return [_value(item, name.removesuffix("s"), place) for item in items]
    if name.endswith("_values"):
        raise InvalidInput(f"cannot use scalar operator {operation} on {name}", place=place, hint="use IN")
    return [_value(raw, name, place)]


def _value(raw: Any, name: str, place: str) -> str | int | datetime:
    match name:
        case "string_value" if isinstance(raw, str):
            if len(raw) > MAX_CHARS:
                raise TooLarge(f"a value of {len(raw)} characters: at most {MAX_CHARS}", place=place)
            return raw
        case "timestamp_value" if isinstance(raw, str):
            return _moment(raw, place)
        case "int_value" | "long_value":
            number = _whole(raw)
            if number is not None and -(2**63) <= number < 2**63:
                return number
        case _:
            pass
    raise InvalidInput(f"{str(raw)[:60]!r} is no {name}", place=place)


def _whole(raw: Any) -> int | None:
    """The number that a JSON number or, as JSON has 64-bit numbers, a text is."""
    match raw:
        case bool():
            return None
        case int():
            return raw
        case float() if raw.is_integer():
            return int(raw)
        case str() if _NUMBER.fullmatch(raw):
            return int(raw)
        case _:
            return None


def _moment(text: str, place: str) -> datetime:
    """A moment as RFC 3339 writes it; one without a shift from UTC is UTC."""
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(f"{text[:60]!r} is no time", place=place, hint="expected 2026-01-31T12:00:00Z") from None


def _tag(key: str, operation: str, values: list[Any], place: str) -> Predicate:
    if key == fields.TAG_PREFIX:
        raise InvalidInput("expected the name of a tag", place=f"{place}.key", hint="tags.KEY")
    if operation != "EQUALS":
        raise InvalidInput(f"tags cannot be compared by {operation}", place=f"{place}.operation", hint="use EQUALS")
    return Predicate(key, operation, tuple(_texts(values, place)))


def _texts(values: list[Any], place: str) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput("this field is text", place=place, hint="give string_value, or string_values with IN")
    return values


def _texts_condition(resource: Resource, key: str, operation: str, values: list[str]) -> list[Predicate]:
    if not values:
        return [_nothing(resource)]
    return [Predicate(key, operation, tuple(values))]


def _nothing(resource: Resource) -> Predicate:
    """A condition that no row meets: no id is empty."""
    return Predicate(fields.id_field(resource).name, "EQUALS", ("",))


def _state(text: str) -> str:
    """A state as it is stored. The first version of the interface wrote `Succeeded` and `STORAGESTATE_ARCHIVED`."""
    word = text.upper().removeprefix("STORAGESTATE_")
    return _STATES.get(word, word)


def _ready(resource: Resource, operation: str, values: list[str]) -> list[Predicate]:
    """A condition on a state that is READY in every row: it says nothing, or nothing meets it."""
    words = [word.upper().removeprefix("PIPELINE_VERSION_") for word in values]
    holds = {
        "EQUALS": "READY" in words,
        "IN": "READY" in words,
        "NOT_EQUALS": "READY" not in words,
        "IS_SUBSTRING": any(word in "READY" for word in words),
        "GREATER_THAN": any(word < "READY" for word in words),
        "GREATER_THAN_EQUALS": any(word <= "READY" for word in words),
        "LESS_THAN": any(word > "READY" for word in words),
        "LESS_THAN_EQUALS": any(word >= "READY" for word in words),
    }
    return [] if holds[operation] else [_nothing(resource)]


def _moment_conditions(key: str, operation: str, values: list[Any], place: str) -> list[Predicate]:
    """Conditions on milliseconds. A whole second is the second as a whole, as where times are kept in seconds."""
    if operation in ("IN", "IS_SUBSTRING"):
        hint = "use GREATER_THAN_EQUALS and LESS_THAN"
        raise InvalidInput(f"times cannot be compared by {operation}", place=f"{place}.operation", hint=hint)
    at_ms, width_ms = _at_ms(values[0], place)
    match operation:
        case "EQUALS" if width_ms > 1:
            bounds = [("GREATER_THAN_EQUALS", at_ms), ("LESS_THAN", at_ms + width_ms)]
        case "GREATER_THAN":
            bounds = [("GREATER_THAN_EQUALS", at_ms + width_ms)]
        case "LESS_THAN_EQUALS":
            bounds = [("LESS_THAN", at_ms + width_ms)]
        case _:  # NOT_EQUALS is exact: 0, which stands for never, is its one use
            bounds = [(operation, at_ms)]
    return [Predicate(key, name, (bound,)) for name, bound in bounds]


def _at_ms(value: str | int | datetime, place: str) -> tuple[int, int]:
    """Milliseconds since the epoch, and for how many of them the moment lasts."""
    if isinstance(value, str):
        value = int(value) if _NUMBER.fullmatch(value) else _moment(value, place)
    if isinstance(value, datetime):
        whole = value.replace(microsecond=0)
        seconds, fraction_ms = int(whole.timestamp()), value.microsecond // 1000
        if fraction_ms:
            return seconds * 1000 + fraction_ms, 1
        value = seconds
    if not -_LATEST_S <= value <= _LATEST_S:
        raise InvalidInput(f"{value} seconds since 1970 is no time", place=place)
    return value * 1000, 1000
