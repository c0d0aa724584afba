"""What the operators of the expression language do. Every fault is an `InvalidInput` in words.

Numbers follow Kubeflow Pipelines, where every number is a double: 5 equals 5.0, and whole and broken numbers compare
and compute with each other. Two whole numbers make a whole number, as in the language.

A boolean equals the string that spells it, for compilers wrote conditions on booleans both ways; where a truth value is
wanted, `'true'` and `'false'` will do. Else values of two types are unequal, null equals null alone, and comparing by
size what has none is an error.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from lodestep.errors import InvalidInput

_BUDGET = 1_000_000
_LONGEST = 4_000_000


class Frame:
    """The variables of an evaluation, and what it may still cost: shared by all frames that are made from this one.

    A unit is about a token of the expression or 64 characters. A pipeline is a stranger's text, and macros inside of
    macros over long lists would take for ever.
    """

    __slots__ = ("_left", "names")

    def __init__(self, names: Mapping[str, Any], left: list[int] | None = None) -> None:
        self.names = names
        self._left = [_BUDGET] if left is None else left

    def within(self, name: str, value: Any) -> "Frame":
        return Frame({**self.names, name: value}, self._left)

    def spend(self, cost: int) -> None:
        self._left[0] -= cost
        if self._left[0] < 0:
            raise InvalidInput("it takes too many steps", hint="use shorter lists, or compute it in a task")

    def charged(self, value: Any) -> Any:
        """`value`, paid for by its size."""
        if isinstance(value, str | bytes | list | dict):
            if len(value) > _LONGEST:
                raise InvalidInput(f"a value of {len(value)} items: at most {_LONGEST}")
            self.spend(len(value) >> 6)
        return value


Code = Callable[[Frame], Any]


class TypeValue(msgspec.Struct, frozen=True):
    """What `type(x)` gives, and what the names of types stand for."""

    name: str


_TYPES: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    type(None): "null_type",
    TypeValue: "type",
}
_TYPE_NAMES = {name: TypeValue(name) for name in (*_TYPES.values(), "map")}


def type_of(value: Any) -> TypeValue:
    return _TYPE_NAMES[_TYPES.get(type(value), "map")]


def truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    raise InvalidInput(f"{shown(value)} is neither true nor false")


def all_true(parts: Iterable[Callable[[], Any]]) -> bool:
    """`&&`: false as soon as one part is, even where another part cannot be evaluated."""
    return not _any(parts, False)


def any_true(parts: Iterable[Callable[[], Any]]) -> bool:
    """`||`: true as soon as one part is, even where another part cannot be evaluated."""
    return _any(parts, True)


def _any(parts: Iterable[Callable[[], Any]], wanted: bool) -> bool:
    fault: InvalidInput | None = None
    for part in parts:
        try:
            if truth(part()) is wanted:
                return True
        except InvalidInput as error:
            fault = fault or error
    if fault:
        raise fault
    return False


def equal(left: Any, right: Any, frame: Frame) -> bool:
    if is_number(left) and is_number(right):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        frame.spend(min(len(left), len(right)))
        return len(left) == len(right) and all(equal(a, b, frame) for a, b in zip(left, right, strict=True))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        frame.spend(min(len(left), len(right)))
        return left.keys() == right.keys() and all(equal(left[key], right[key], frame) for key in left)
    if isinstance(left, bool) and isinstance(right, str):
        return right.lower() == ("true" if left else "false")
    if isinstance(left, str) and isinstance(right, bool):
        return equal(right, left, frame)
    return type(left) is type(right) and frame.charged(left) == right


def unequal(left: Any, right: Any, frame: Frame) -> bool:
    return not equal(left, right, frame)


def less(left: Any, right: Any, _frame: Frame) -> bool:
    _check_ordered(left, right)
    return left < right


def less_equal(left: Any, right: Any, _frame: Frame) -> bool:
    _check_ordered(left, right)
    return left <= right


def greater(left: Any, right: Any, frame: Frame) -> bool:
    return less(right, left, frame)


def greater_equal(left: Any, right: Any, frame: Frame) -> bool:
    return less_equal(right, left, frame)


def contained(item: Any, container: Any, frame: Frame) -> bool:
    match container:
        case list():
            frame.spend(len(container))
            return any(equal(item, other, frame) for other in container)
        case Mapping():
            return has_key(container, item)
        case _:
            raise InvalidInput(f"{shown(container)} holds nothing", hint="expected a list or a map after 'in'")


def add(left: Any, right: Any, frame: Frame) -> Any:
    if isinstance(left, str | list | bytes) and type(left) is type(right):
        return frame.charged(left + right)
    return _computed(left, "+", right, lambda a, b: a + b)


def subtract(left: Any, right: Any, _frame: Frame) -> Any:
    return _computed(left, "-", right, lambda a, b: a - b)


def multiply(left: Any, right: Any, _frame: Frame) -> Any:
    return _computed(left, "*", right, lambda a, b: a * b)


def divide(left: Any, right: Any, _frame: Frame) -> Any:
    return _computed(left, "/", right, _quotient)


def remainder(left: Any, right: Any, _frame: Frame) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        raise InvalidInput(f"{shown(left)} % {shown(right)}: only whole numbers have a remainder")
    return _computed(left, "%", right, lambda a, b: a - b * _quotient(a, b))


def negative(value: Any) -> Any:
    if not is_number(value):
        raise InvalidInput(f"{shown(value)} is no number")
    return -value


def variable(name: str, frame: Frame) -> Any:
    if name in frame.names:
        return frame.names[name]
    if name in _TYPE_NAMES:
        return _TYPE_NAMES[name]
    raise InvalidInput(f"there is no {name!r} here", hint=f"known: {listed(frame.names)}")


def index(target: Any, key: Any) -> Any:
    match target:
        case list():
            if isinstance(key, float) and key.is_integer():
                key = int(key)
            if not isinstance(key, int) or isinstance(key, bool) or not 0 <= key < len(target):
                raise InvalidInput(f"there is no item {shown(key)} in a list of {len(target)}")
            return target[key]
        case Mapping():
            if not has_key(target, key):
                raise InvalidInput(f"there is no {shown(key)}", hint=f"known: {listed(target)}")
            return target[key]
        case _:
            raise InvalidInput(f"{shown(target)} has no items")


def has_key(target: Mapping[Any, Any], key: Any) -> bool:
    """Whether the map has the key. To Python, True is 1: not here."""
    if not isinstance(key, str | int | float):
        raise InvalidInput(f"{shown(key)} is no key: a key is a string, a number or a boolean")
    if key not in target:
        return False
    return isinstance(key, str) or any(isinstance(key, bool) == isinstance(k, bool) for k in target if k == key)


def made_map(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for key, value in pairs:
        if not isinstance(key, str | int) or key in made:
            raise InvalidInput(f"{shown(key)} is given twice or no key: a key is a string, an integer or a boolean")
        made[key] = value
    return made


def has(target: Any, name: str) -> bool:
    if isinstance(target, Mapping):
        return name in target
    raise InvalidInput(f"{shown(target)} has no fields")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_range(number: Any) -> Any:
    """`number`, if it is one that the language has."""
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise InvalidInput(f"{shown(number)} is more than an integer can hold")
    return number


def shown(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    if isinstance(value, TypeValue):
        return f"the type {value.name}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | Mapping) and len(value) > 20:
        return f"a {type_of(value).name} of {len(value)}"
    text = repr(value[:80] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def listed(names: Iterable[Any]) -> str:
    found = sorted(map(str, names))
    return ", ".join(found[:20]) + (f" and {len(found) - 20} more" if len(found) > 20 else "") if found else "none"


def _check_ordered(left: Any, right: Any) -> None:
    if is_number(left) and is_number(right):
        return
    if type(left) is type(right) and isinstance(left, str | bool | bytes):
        return
    raise InvalidInput(f"{shown(left)} and {shown(right)} cannot be compared by size")


def _computed(left: Any, sign: str, right: Any, run: Callable[[Any, Any], Any]) -> Any:
    if not (is_number(left) and is_number(right)):
        raise InvalidInput(f"{shown(left)} {sign} {shown(right)} cannot be computed")
    try:
        return in_range(run(left, right))
    except (ZeroDivisionError, OverflowError) as error:
        raise InvalidInput(f"{shown(left)} {sign} {shown(right)}: {error}") from error


def _quotient(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        size = abs(left) // abs(right)
        return size if (left < 0) == (right < 0) else -size
    if right == 0:  # as IEEE 754 has it
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right
