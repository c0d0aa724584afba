"""The functions and macros of the expression language. Every fault is an `InvalidInput` in words."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lodestep import jsonio
from lodestep.errors import InvalidInput
from lodestep.lang import pattern
from lodestep.lang.cel_values import Frame, all_true, any_true, in_range, listed, shown, truth, type_of

_INTEGER = re.compile(r"[-+]?[0-9]{1,30}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TRUE = ("true", "True", "TRUE", "t", "1")
_FALSE = ("false", "False", "FALSE", "f", "0")


def to_int(value: Any) -> int:
    """A whole number; a broken one loses its fraction. `'5.0'` is taken too: parameters travel as text."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return in_range(int(value))
    number = _number(value, "int")
    return in_range(int(number))


def to_double(value: Any) -> float:
    return float(_number(value, "double"))


def _number(value: Any, name: str) -> int | float:
    if isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{name}() of {shown(value)}, which is no number")
    if isinstance(value, float) and not math.isfinite(value) and name == "int":
        raise InvalidInput(f"{name}() of {value}, which has no size")
    return value


def to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUE + _FALSE:
        return value in _TRUE
    raise InvalidInput(f"bool() of {shown(value)}, which is neither true nor false")


def to_string(value: Any) -> str:
    """A value as text: whole numbers without a fraction, lists and maps as JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case float() | int():
            return str(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise InvalidInput(f"string() of {shown(value)}, which is not UTF-8") from error
        case list() | Mapping() | None:
            return jsonio.encode_text(value)
        case _:
            raise InvalidInput(f"string() of {shown(value)}")


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise InvalidInput(f"bytes() of {shown(value)}, which is no string")


def _size(value: Any) -> int:
    if not isinstance(value, str | bytes | list | Mapping):
        raise InvalidInput(f"{shown(value)} has no size")
    return len(value)


def _parse_json(text: Any) -> Any:
    if not isinstance(text, str):
        raise InvalidInput(f"parseJson() of {shown(text)}, which is no string")
    return jsonio.whole(jsonio.decode(text))


def _both_strings(name: str, run: Callable[[str, str], bool]) -> Callable[..., bool]:
    def checked(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            raise InvalidInput(f"{name}() of {shown(left)} and {shown(right)}: expected two strings")
        return run(left, right)

    return checked


def _matches(frame: Frame, text: Any, wanted: Any) -> bool:
    if not isinstance(text, str) or not isinstance(wanted, str):
        raise InvalidInput(f"matches() of {shown(text)} and {shown(wanted)}: expected two strings")
    return pattern.found(wanted, text, frame.spend)


def _plain(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does not look at the frame; values and result are paid for by their size."""

    def paid(frame: Frame, *values: Any) -> Any:
        for value in values:
            frame.charged(value)
        return frame.charged(run(*values))

    return paid


def _same(value: Any) -> Any:
    return value


_TYPED = {"string_value": to_string, "int_value": to_int, "double_value": to_double}


def field(target: Any, name: str) -> Any:
    """`target.name`. Conversions are fields too: early compilers wrote `inputs.parameters['n'].int_value`."""
    if isinstance(target, Mapping) and name in target:
        return target[name]
    if name in _TYPED:
        return _TYPED[name](target)
    if isinstance(target, Mapping):
        raise InvalidInput(f"there is no field {name!r}", hint=f"known: {listed(target)}")
    raise InvalidInput(f"{shown(target)} has no field {name!r}")


# By name: how many values they take, and the function, which takes the frame first.
FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "int": (1, _plain(to_int)),
    "uint": (1, _plain(to_int)),
    "double": (1, _plain(to_double)),
    "string": (1, _plain(to_string)),
    "bytes": (1, _plain(_to_bytes)),
    "bool": (1, _plain(to_bool)),
    "dyn": (1, _plain(_same)),
    "type": (1, _plain(type_of)),
    "size": (1, _plain(_size)),
    "matches": (2, _matches),
    "parseJson": (1, _plain(_parse_json)),
}

# The same for `target.name(…)`: the target is the first value.
METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "size": FUNCTIONS["size"],
    "matches": FUNCTIONS["matches"],
    "startsWith": (2, _plain(_both_strings("startsWith", str.startswith))),
    "endsWith": (2, _plain(_both_strings("endsWith", str.endswith))),
    "contains": (2, _plain(_both_strings("contains", str.__contains__))),
}

Body = Callable[[Any], Any]  # a macro's expression, given the item


def _items(target: Any) -> list[Any]:
    if isinstance(target, list | Mapping):
        return list(target)
    raise InvalidInput(f"{shown(target)} has no items")


def _each(target: Any, body: Body) -> Iterable[Callable[[], Any]]:
    return ((lambda item=item: body(item)) for item in _items(target))


def _all(target: Any, body: Body) -> bool:
    return all_true(_each(target, body))


def _exists(target: Any, body: Body) -> bool:
    return any_true(_each(target, body))


def _exists_one(target: Any, body: Body) -> bool:
    return sum([truth(body(item)) for item in _items(target)]) == 1


def _filter(target: Any, body: Body) -> list[Any]:
    return [item for item in _items(target) if truth(body(item))]


def _map(target: Any, body: Body, then: Body | None = None) -> list[Any]:
    if then is None:
        return [body(item) for item in _items(target)]
    return [then(item) for item in _items(target) if truth(body(item))]


# By name: how many expressions they may take beside the variable.
MACROS: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "all": ((1,), _all),
    "exists": ((1,), _exists),
    "exists_one": ((1,), _exists_one),
    "filter": ((1,), _filter),
    "map": ((1, 2), _map),
}
