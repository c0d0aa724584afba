"""The Common Expression Language, as far as pipelines need it: trigger conditions and selectors.

The whole expression grammar without protobuf messages and timestamps: operators, `?:`, `in`, lists and maps, members,
the macros `has all exists exists_one map filter`, the functions `int double string bytes bool size type matches` and
`parseJson`, the methods `startsWith endsWith contains matches size`. How values compare is said in `cel_values`.

An expression is parsed once and kept; its evaluation is bounded in time, memory and depth.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lodestep import jsonio
from lodestep.errors import InvalidInput
from lodestep.lang import cel_parser
from lodestep.lang.cel_values import Code, Frame, shown, truth

_KEPT_CHARS = 8_000  # longer ones would make the cache large


class Expression:
    """A parsed expression."""

    __slots__ = ("_code", "text")

    def __init__(self, text: str, code: Code) -> None:
        self.text = text
        self._code = code

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Its value. Raises `InvalidInput` with the expression, where it cannot be computed."""
        try:
            return self._code(Frame(variables))
        except InvalidInput as error:
            raise self._fault(error.message, error.hint) from error
        except RecursionError as error:
            raise self._fault("a value is nested too deep", "") from error

    def _fault(self, message: str, hint: str) -> InvalidInput:
        return InvalidInput(f"the expression {_short(self.text)} cannot be evaluated: {message}", hint=hint)


def compile(text: str) -> Expression:
    """Parse. Raises `InvalidInput` with the column."""
    return _kept(text) if len(text) <= _KEPT_CHARS else _parsed(text)


def condition(text: str, parameters: Mapping[str, Any]) -> bool:
    """A trigger condition over a task's resolved parameters, `inputs.parameter_values['n']`.

    An input that has no value is null: it equals null alone, and comparing it by size is an error.
    """
    inputs = {"parameter_values": parameters, "parameters": parameters, "parameterValues": parameters}
    answer = compile(text).evaluate({"inputs": inputs})
    try:
        return truth(answer)
    except InvalidInput as error:
        message = f"the condition {_short(text)} gives {shown(answer)}: expected true or false"
        raise InvalidInput(message) from error


def select(expression: str, value: Any) -> Any:
    """A `parameterExpressionSelector` applied to a value: `parseJson(string_value)["key"]`."""
    text = value if isinstance(value, str) else jsonio.encode_text(value)
    return compile(expression).evaluate({"string_value": text, "value": value})


def _parsed(text: str) -> Expression:
    try:
        return Expression(text, cel_parser.parse(text))
    except InvalidInput as error:
        raise InvalidInput(f"in the expression {_short(text)}: {error.message}", hint=error.hint) from error
    except RecursionError as error:
        raise InvalidInput(f"the expression {_short(text)} is nested too deep") from error


_kept = lru_cache(maxsize=2048)(_parsed)


def _short(text: str) -> str:
    return repr(text if len(text) <= 300 else f"{text[:299]}…")
