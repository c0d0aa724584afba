"""From the words of an expression to code: closures that take a `Frame`. Recursive descent by precedence.

Chains (`a && b && …`, `a + b - …`) become loops, so only real nesting costs depth, and that is bounded.
"""

from collections.abc import Callable
from typing import Any

from lodestep.errors import InvalidInput
from lodestep.lang import cel_functions as functions
from lodestep.lang import cel_values as values
from lodestep.lang.cel_tokens import Token, tokens
from lodestep.lang.cel_values import Code, Frame

_DEPTH = 60
_CHAIN = 100  # a chain of members nests in the code that it becomes
_Operation = Callable[[Any, Any, Frame], Any]
_LEVELS: tuple[dict[str, _Operation], ...] = (  # what binds tightest first
    {"*": values.multiply, "/": values.divide, "%": values.remainder},
    {"+": values.add, "-": values.subtract},
    {
        "<": values.less,
        "<=": values.less_equal,
        ">": values.greater,
        ">=": values.greater_equal,
        "==": values.equal,
        "!=": values.unequal,
        "in": values.contained,
    },
)
_LEVEL_OF = {sign: level for level, operations in enumerate(_LEVELS) for sign in operations}


class _Field:
    """`target.name`: code like any other, and what `has()` takes apart."""

    __slots__ = ("_name", "_target")

    def __init__(self, target: Code, name: str) -> None:
        self._target = target
        self._name = name

    def __call__(self, frame: Frame) -> Any:
        return functions.field(self._target(frame), self._name)

    def is_there(self, frame: Frame) -> bool:
        return values.has(self._target(frame), self._name)


def parse(text: str) -> Code:
    """Raises `InvalidInput` with the column."""
    parser = _Parser(tokens(text))
    code = parser.expression()
    parser.expect("end")
    return code


class _Parser:
    """Every method returns the code of what it read."""

    def __init__(self, items: list[Token]) -> None:
        self._items = items
        self._at = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._items[self._at]

    def _take(self) -> Token:
        token = self._now
        self._at += 1
        return token

    def _took(self, kind: str) -> bool:
        if self._now.kind == kind:
            self._at += 1
            return True
        return False

    def expect(self, kind: str) -> Token:
        if self._now.kind != kind:
            raise self._error(f"expected {_named(kind)}, found {_named(self._now.text or 'end')}", self._now)
        return self._take()

    def _error(self, message: str, token: Token) -> InvalidInput:
        return InvalidInput(f"{message} at column {token.column}")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._error(f"nested deeper than {_DEPTH} levels", self._now)

    def expression(self) -> Code:
        self._deeper()
        code = self._any()
        if self._took("?"):
            then = self._any()
            self.expect(":")
            code = _chosen(code, then, self.expression())
        self._depth -= 1
        return code

    def _any(self) -> Code:
        parts = [self._all()]
        while self._took("||"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda frame: values.any_true(_bound(part, frame) for part in parts)

    def _all(self) -> Code:
        parts = [self._binary()]
        while self._took("&&"):
            parts.append(self._binary())
        return parts[0] if len(parts) == 1 else lambda frame: values.all_true(_bound(part, frame) for part in parts)

    def _binary(self) -> Code:
        """Operands and the operators between them, then folded from the left, level by level."""
        operands = [self._unary()]
        signs: list[str] = []
        while self._now.kind in _LEVEL_OF:
            signs.append(self._take().kind)
            operands.append(self._unary())
        for level in range(len(_LEVELS)):
            operands, signs = _grouped(operands, signs, level)
        return operands[0]

    def _unary(self) -> Code:
        sign = self._now.kind
        count = 0
        while sign in ("!", "-") and self._took(sign):
            count += 1
        if not count:
            return self._member(self._primary())
        self._deeper()
        code = self._unary()
        self._depth -= 1
        return _signed(sign, count, code)

    def _member(self, code: Code) -> Code:
        for _ in range(_CHAIN):
            if self._took("["):
                inner = self.expression()
                self.expect("]")
                code = _indexed(code, inner)
            elif self._took("."):
                name = self.expect("name")
                code = self._method(code, name) if self._took("(") else _Field(code, name.text)
            else:
                return code
        raise self._error(f"a chain of more than {_CHAIN} members", self._now)

    def _method(self, target: Code, name: Token) -> Code:
        if name.text in functions.MACROS:
            return self._macro(target, name)
        return self._call(functions.METHODS, name, [target, *self._list(")")], target=1)

    def _macro(self, target: Code, name: Token) -> Code:
        counts, run = functions.MACROS[name.text]
        variable = self.expect("name").text
        begin = self._at
        bodies: list[Code] = []
        while self._took(","):
            bodies.append(self.expression())
        self.expect(")")
        cost = self._at - begin
        if len(bodies) not in counts:
            raise self._error(f"{name.text}() takes a name and {_either(counts)}, found {len(bodies)}", name)
        return lambda frame: run(target(frame), *[_body(body, variable, cost, frame) for body in bodies])

    def _list(self, closing: str) -> list[Code]:
        found: list[Code] = []
        while not self._took(closing):
            found.append(self.expression())
            if not self._took(","):
                self.expect(closing)
                break
        return found

    def _call(
        self, known: dict[str, tuple[int, Callable[..., Any]]], name: Token, arguments: list[Code], *, target: int = 0
    ) -> Code:
        if name.text not in known:
            what = "method" if target else "function"
            raise self._error(f"there is no {what} {name.text!r} (known: {', '.join(sorted(known))})", name)
        count, run = known[name.text]
        if len(arguments) != count:
            raise self._error(f"{name.text}() takes {count - target} values, found {len(arguments) - target}", name)
        return lambda frame: run(frame, *[argument(frame) for argument in arguments])

    def _primary(self) -> Code:
        token = self._take()
        match token.kind:
            case "literal":
                value = token.value
                return lambda _frame: value
            case "(":
                code = self.expression()
                self.expect(")")
                return code
            case "[":
                items = self._list("]")
                return lambda frame: [item(frame) for item in items]
            case "{":
                return self._map()
            case "." if self._now.kind == "name":
                return self._name(self._take())
            case "name":
                return self._name(token)
            case _:
                raise self._error(f"expected a value, found {_named(token.text or 'end')}", token)

    def _name(self, token: Token) -> Code:
        name = token.text
        if not self._took("("):
            return lambda frame: values.variable(name, frame)
        if name == "has":
            return self._has(token)
        return self._call(functions.FUNCTIONS, token, self._list(")"))

    def _has(self, token: Token) -> Code:
        field = self.expression()
        self.expect(")")
        if not isinstance(field, _Field):
            raise self._error("has() takes a field, as in has(a.b),", token)
        return field.is_there

    def _map(self) -> Code:
        pairs: list[tuple[Code, Code]] = []
        while not self._took("}"):
            key = self.expression()
            self.expect(":")
            pairs.append((key, self.expression()))
            if not self._took(","):
                self.expect("}")
                break
        return lambda frame: values.made_map((key(frame), value(frame)) for key, value in pairs)


def _named(kind: str) -> str:
    return {"end": "the end", "name": "a name"}.get(kind, repr(kind))


def _either(counts: tuple[int, ...]) -> str:
    return f"{' or '.join(map(str, counts))} expression{'s' if counts[-1] > 1 else ''}"


def _bound(code: Code, frame: Frame) -> Callable[[], Any]:
    return lambda: code(frame)


def _body(code: Code, variable: str, cost: int, frame: Frame) -> Callable[[Any], Any]:
    def run(item: Any) -> Any:
        frame.spend(cost)
        return code(frame.within(variable, item))

    return run


def _chosen(test: Code, then: Code, otherwise: Code) -> Code:
    return lambda frame: then(frame) if values.truth(test(frame)) else otherwise(frame)


def _grouped(operands: list[Code], signs: list[str], level: int) -> tuple[list[Code], list[str]]:
    """The operators of one level with their operands as one operand each."""
    groups: list[tuple[Code, list[tuple[_Operation, Code]]]] = [(operands[0], [])]
    left: list[str] = []
    for sign, operand in zip(signs, operands[1:], strict=True):
        if _LEVEL_OF[sign] == level:
            groups[-1][1].append((_LEVELS[level][sign], operand))
        else:
            left.append(sign)
            groups.append((operand, []))
    return [_folded(first, rest) for first, rest in groups], left


def _folded(first: Code, rest: list[tuple[_Operation, Code]]) -> Code:
    if not rest:
        return first
    if len(rest) == 1:
        ((operation, second),) = rest
        return lambda frame: operation(first(frame), second(frame), frame)

    def run(frame: Frame) -> Any:
        result = first(frame)
        for operation, code in rest:
            result = operation(result, code(frame), frame)
        return result

    return run


def _signed(sign: str, count: int, code: Code) -> Code:
    if sign == "!":
        turned = bool(count % 2)
        return lambda frame: values.truth(code(frame)) is not turned
    if count % 2:
        return lambda frame: values.negative(code(frame))
    return lambda frame: values.negative(values.negative(code(frame)))


def _indexed(target: Code, key: Code) -> Code:
    return lambda frame: values.index(target(frame), key(frame))
