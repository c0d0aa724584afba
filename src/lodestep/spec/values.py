"""Parameter values: what each declared type accepts, and how a text becomes a value of it.

The rules are the reference's: whole numbers are ints, a text is read as JSON where a number, a list or a struct is
declared, and anything that is no text is written as JSON where a string is declared. Null is a value of no type: an
optional input that is given null is not given, which is the caller's to see.
"""

import math
import re
import sys
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from lodestep import jsonio
from lodestep.errors import InvalidInput, LodestepError
from lodestep.spec import jsontext
from lodestep.spec.ir import InputParameter, ParameterType, PipelineSpec
from lodestep.spec.limits import LIMITS

_NAMES = {
    ParameterType.NUMBER_DOUBLE: "a number",
    ParameterType.NUMBER_INTEGER: "a whole number",
    ParameterType.STRING: "a text",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "an object",
    ParameterType.TASK_FINAL_STATUS: "an object",
    ParameterType.TASK_CONFIG: "an object",
}
# What the engine gives, never the caller.
_GIVEN = (ParameterType.TASK_FINAL_STATUS, ParameterType.TASK_CONFIG)
_INTEGER = re.compile(r"[+-]?[0-9]{1,309}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,309}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
_BOOLEANS = {"true": True, "false": False}
_SHORT_BOOLEANS = {"1": True, "t": True, "0": False, "f": False}


def coerce(value: Any, kind: ParameterType, *, place: str = "") -> Any:
    """`value` as the declared type. Raises `InvalidInput` naming the place, what was found and what was expected."""
    value = _plain(value, place)
    match kind:
        case ParameterType.UNSPECIFIED:
            return value
        case ParameterType.STRING:
            if value is None:
                raise _mismatch(value, kind, place)
            return value if isinstance(value, str) else as_text(value)
        case ParameterType.NUMBER_INTEGER | ParameterType.NUMBER_DOUBLE:
            return _number(value, kind, place)
        case ParameterType.BOOLEAN:
            return _boolean(value, place)
        case ParameterType.LIST:
            return _of_type(value, list, kind, place)
        case ParameterType.STRUCT | ParameterType.TASK_FINAL_STATUS | ParameterType.TASK_CONFIG:
            return _of_type(value, dict, kind, place)


def as_text(value: Any) -> str:
    """A value as a component sees it in a text: itself, or JSON. Numbers have no exponent."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = jsonio.whole(value)
        if isinstance(value, float):
            return f"{Decimal(repr(value)):f}"
    return jsonio.encode_text(value)


def run_parameters(spec: PipelineSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a run was given, checked against the pipeline's inputs and coerced.

    Raises `InvalidInput` for an unknown, missing or mistyped one and for a value that is none of the literals.
    Defaults are not filled in: the run does that. Required artifacts are no concern of it: their tasks fail.
    """
    declared = spec.root.input_definitions.parameters
    for name in given:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "none"
            raise InvalidInput(
                f"the pipeline has no parameter {name[:200]!r}", hint=f"its parameters: {known}", place=_place(name)
            )
    for name, parameter in declared.items():
        free = parameter.has_default or parameter.is_optional or parameter.kind in _GIVEN
        if name not in given and not free:
            expected = _NAMES.get(parameter.kind, "a value")
            raise InvalidInput(f"the parameter {name!r} is not given: expected {expected}", place=_place(name))
    return {name: _given(value, declared[name], _place(name)) for name, value in given.items()}


def _place(name: str) -> str:
    return f"$.runtime_config.parameters[{name[:200]!r}]"


def _given(value: Any, declared: InputParameter, place: str) -> Any:
    if value is None and declared.is_optional:
        return None
    coerced = coerce(value, declared.kind, place=place)
    if declared.literals and not _is_among(coerced, declared):
        allowed = ", ".join(jsonio.encode_text(item) for item in declared.literals)
        raise InvalidInput(f"{_shown(coerced)} is none of {allowed}", place=place)
    return coerced


def _is_among(value: Any, declared: InputParameter) -> bool:
    """Compared as JSON, where true is not 1."""
    text = jsonio.canonical(value)
    return any(text == jsonio.canonical(coerce(item, declared.kind)) for item in declared.literals)


def parse_output(text: str, kind: ParameterType, *, place: str = "") -> Any:
    """The content of an output parameter's file as a value of the declared type."""
    if kind in (ParameterType.STRING, ParameterType.UNSPECIFIED):
        return text
    text = text.strip()
    if kind is ParameterType.BOOLEAN and text.lower() in _SHORT_BOOLEANS:
        return _SHORT_BOOLEANS[text.lower()]
    return coerce(text, kind, place=place)


def _plain(value: Any, place: str) -> Any:
    if value.__class__ in (str, int, bool, type(None)):
        return value
    try:
        jsontext.check_shape(value, LIMITS)
        return jsonio.whole(value)
    except LodestepError as error:
        error.place = place
        raise


def _number(value: Any, kind: ParameterType, place: str) -> int | float:
    found = _number_in(value.strip()) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > sys.float_info.max:
        raise _mismatch(value, kind, place)
    if kind is ParameterType.NUMBER_INTEGER:
        if not float(found).is_integer():
            raise _mismatch(value, kind, place)
        return int(found)
    return float(found) if abs(found) >= 2**63 else found


def _number_in(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    return jsonio.whole(number) if math.isfinite(number) else None


def _boolean(value: Any, place: str) -> bool:
    found = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise _mismatch(value, ParameterType.BOOLEAN, place)
    return found


def _of_type(value: Any, expected: type, kind: ParameterType, place: str) -> Any:
    found = value
    if isinstance(value, str):
        try:
            found = jsontext.parse(value.encode(), LIMITS)
        except (InvalidInput, UnicodeEncodeError) as error:
            raise _mismatch(value, kind, place) from error
    if not isinstance(found, expected):
        raise _mismatch(value, kind, place)
    return found


def _mismatch(value: Any, kind: ParameterType, place: str) -> InvalidInput:
    return InvalidInput(f"expected {_NAMES[kind]} ({kind}), found {_shown(value)}", place=place)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else jsonio.encode_text(value)
    return f"{text[:80]}…" if len(text) > 80 else text


_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_QUANTITY = re.compile(
    r"\+?([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE]([+-]?[0-9]{1,2})|([KMGTPE]i|[numkKMGTPE])|)"
)
_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("KMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def duration_s(text: str) -> float:
    """Seconds of a proto duration (`30s`, `1.5s`); an empty text is 0."""
    if not text:
        return 0.0
    if not (found := _DURATION.fullmatch(text)):
        raise InvalidInput(f"{text[:80]!r} is no duration: expected seconds such as '30s'")
    return float(found[1])


def quantity_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity (`512Mi`, `1G`), rounded up."""
    found = _quantity(text)
    if found is None:
        raise InvalidInput(f"{text[:80]!r} is no amount of memory: expected a number with a unit, '512Mi' or '2G'")
    return int(found.to_integral_value(ROUND_CEILING))


def cpu(text: str) -> float:
    """Cores of a Kubernetes quantity (`500m`, `2`)."""
    found = _quantity(text)
    if found is None:
        raise InvalidInput(f"{text[:80]!r} is no amount of CPU: expected cores such as '2' or '500m'")
    return float(found)


def _quantity(text: str) -> Decimal | None:
    found = _QUANTITY.fullmatch(text.strip())
    if not found:
        return None
    number, exponent, unit = found.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _UNITS[unit or ""])
