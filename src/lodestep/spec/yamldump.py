"""Plain JSON values as YAML: byte for byte what PyYAML's `dump_all(documents, sort_keys=True)` writes, but faster.

Only mappings with text keys, lists and scalars come here, in block style; for a root or a key that it writes in
another way, PyYAML itself is asked. `yamlquote` holds its rules of how a text is quoted and where its lines are broken.
"""

import re
from typing import Any

import yaml

from lodestep.spec.yamlquote import BEST_WIDTH, double_quoted, is_plain, plain, single_quotable, single_quoted

_SIMPLE_KEY = 128
_BREAK = re.compile("[\n\x85\u2028\u2029]")


class _Unusual(Exception):
    """A key that is not written as a simple one, or a document without entries."""


def dump(documents: list[Any]) -> str:
    """The text of the documents, with `---` between them."""
    try:
        return "---\n".join(_Writer().document(document) for document in documents)
    except _Unusual:
        return yaml.dump_all(documents, sort_keys=True)


class _Writer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._scalars: dict[tuple[str, int, int], str] = {}  # texts that were written before, by their place
        self._keys: dict[str, str] = {}

    def document(self, value: Any) -> str:
        if not value or not isinstance(value, dict | list):
            raise _Unusual
        if isinstance(value, dict):
            self._mapping(value, 0, "")
        else:
            self._sequence(value, 0, "")
        return "".join(self._parts)

    def _mapping(self, mapping: dict[str, Any], indent: int, lead: str) -> None:
        """`lead` stands before the first entry: the indentation, or the dash of the item that the mapping is."""
        margin = " " * indent
        for name in sorted(mapping):
            text = self._keys.get(name)
            if text is None:
                text = self._keys[name] = _key(name)
            value = mapping[name]
            if value and value.__class__ is dict:
                self._parts.append(f"{lead}{text}:\n")
                self._mapping(value, indent + 2, f"{margin}  ")
            elif value and value.__class__ is list:
                self._parts.append(f"{lead}{text}:\n")
                self._sequence(value, indent, margin)
            else:
                self._parts.append(f"{lead}{text}: {self._scalar(value, indent + len(text) + 1, indent + 2)}\n")
            lead = margin

    def _sequence(self, items: list[Any], indent: int, lead: str) -> None:
        margin = " " * indent
        for value in items:
            if value and value.__class__ is dict:
                self._mapping(value, indent + 2, f"{lead}- ")
            elif value and value.__class__ is list:
                self._sequence(value, indent + 2, f"{lead}- ")
            else:
                self._parts.append(f"{lead}- {self._scalar(value, indent + 1, indent + 2)}\n")
            lead = margin

    def _scalar(self, value: Any, column: int, indent: int) -> str:
        """`column` is that of the space before it, `indent` where its further lines begin."""
        kind = value.__class__
        if kind is str:
            place = (value, column, indent)
            text = self._scalars.get(place)
            if text is None:
                text = self._scalars[place] = _text(value, column + 1, indent)
            return text
        if kind is bool:
            return "true" if value else "false"
        if value is None:
            return "null"
        if kind is int:
            return str(value)
        if kind is float:
            return _float(value)
        return "{}" if kind is dict else "[]"


def _key(name: str) -> str:
    if not 0 < len(name) < _SIMPLE_KEY or _BREAK.search(name):
        raise _Unusual
    if is_plain(name):
        return name
    if single_quotable(name):
        return single_quoted(name, 0, 0, split=False)
    return double_quoted(name, 0, 0, split=False)


def _text(text: str, column: int, indent: int) -> str:
    if is_plain(text):
        return text if column + len(text) <= BEST_WIDTH else plain(text, column, indent)
    if single_quotable(text):
        return single_quoted(text, column, indent)
    return double_quoted(text, column, indent)


def _float(number: float) -> str:
    text = repr(number).lower()
    return text.replace("e", ".0e", 1) if "." not in text and "e" in text else text
