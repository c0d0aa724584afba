"""YAML text to plain values, guarded: depth, nodes, aliases and sizes are counted while reading.

PyYAML's loaders compose a document by recursion (older ones die on deep nesting) and know no limits, so the *events* of
its C parser are taken one by one and the values are built here; that is several times faster, too. Scalars mean what
PyYAML takes them for (see `yamlscalar`); keys are always text, as in JSON. Tags other than the core ones, merge keys,
duplicate keys and recursive aliases are refused.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from lodestep.errors import InvalidInput, LodestepError, TooLarge
from lodestep.spec.limits import LIMITS, LoadLimits
from lodestep.spec.yamlscalar import resolve

_CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_TEXT_TAG = "tag:yaml.org,2002:str"


class _NoKey:
    """Marks a mapping that waits for its next key."""


_NO_KEY = _NoKey()


class _Anchored(msgspec.Struct, frozen=True):
    """What an alias stands for, with its size."""

    value: Any
    nodes: int
    chars: int
    height: int


class _Open:
    """A mapping or sequence that is being filled. What was counted before it tells its own size in the end."""

    __slots__ = ("anchor", "chars_before", "height", "key", "nodes_before", "value")

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None, nodes: int, chars: int) -> None:
        self.value: Any = value
        self.key: Any = _NO_KEY
        self.anchor = anchor
        self.nodes_before = nodes
        self.chars_before = chars
        self.height = 1


def parse(text: str, limits: LoadLimits = LIMITS) -> list[Any]:
    """The documents of a YAML text. Raises `InvalidInput` or `TooLarge` with line and column."""
    if _upper_bound(text) > limits.nodes // 2:
        _count_nodes(text, limits)
    builder = _Builder(limits)
    for event in _events(text, limits):
        builder.take(event)
    return builder.documents


def _upper_bound(text: str) -> int:
    """Each node of a document has one of these to itself, or the end of a line together with one other."""
    return 2 * text.count("\n") + sum(text.count(mark) for mark in (",", ":", "[", "{", "- ", "? ")) + 2


def _count_nodes(text: str, limits: LoadLimits) -> None:
    """A first pass over what may be too large, which builds nothing and so takes no memory."""
    count = 0
    for event in _events(text, limits):
        if isinstance(event, yaml.NodeEvent):
            count += 1
            if count > limits.nodes:
                raise _too_many(event, limits)


def _too_many(event: Any, limits: LoadLimits) -> TooLarge:
    return TooLarge(f"more than {limits.nodes} keys and values", place=_place(event))


def _events(text: str, limits: LoadLimits) -> Iterator[Any]:
    loader = yaml.CSafeLoader(text)
    try:
        while event := loader.get_event():
            yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        if error.problem == "exceeded maximum nesting depth":  # the parser's own limit, met while it looks ahead
            raise TooLarge(f"nested deeper than {limits.nesting} levels", place=place) from error
        raise InvalidInput(f"not YAML: {error.problem or error.context}", place=place) from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"not YAML: {str(error).splitlines()[0]}") from error
    finally:
        loader.dispose()


class _Builder:
    def __init__(self, limits: LoadLimits) -> None:
        self.documents: list[Any] = []
        self._limits = limits
        self._short = min(limits.key_chars, limits.scalar_chars)
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0  # with what aliases stand for
        self._chars = 0  # of all scalars, with what aliases stand for
        self._aliases = 0

    def take(self, event: Any) -> None:
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            if not self._ordinary(event):
                self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._start({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._start([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._anchors.clear()
            if len(self.documents) >= self._limits.documents:
                raise TooLarge(f"more than {self._limits.documents} documents", place=_place(event))

    def _ordinary(self, event: Any) -> bool:
        """A short text without tag or anchor in a collection, which most are: as `_scalar`, but at once."""
        text: str = event.value
        if not self._stack or event.tag is not None or event.anchor is not None or len(text) > self._short:
            return False
        top = self._stack[-1]
        if top.key is _NO_KEY and top.value.__class__ is dict:
            if text in top.value or text == "<<":
                return False
            top.key = text
        else:
            value = resolve(text) if event.implicit[0] else text
            if top.value.__class__ is list:
                top.value.append(value)
            else:
                top.value[top.key] = value
                top.key = _NO_KEY
        self._count(event, 1, len(text))
        return True

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        if len(text) > self._limits.scalar_chars:
            raise TooLarge(
                f"a text of {len(text)} characters: at most {self._limits.scalar_chars}", place=_place(event)
            )
        self._count(event, 1, len(text))
        top = self._stack[-1] if self._stack else None
        if event.tag is not None:
            _check_tag(event)
        if top is not None and top.key is _NO_KEY and top.value.__class__ is dict:
            value: Any = text  # a key: `1:` and `on:` are names here, as in JSON
        else:
            value = _value(event)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, 1, len(text), 0)
        self._add(value, event)

    def _start(self, value: Any, event: Any) -> None:
        if event.tag is not None:
            _check_tag(event)
        self._check_depth(1, event)
        nodes = self._nodes
        self._count(event, 1, 0)
        if event.anchor:
            self._anchors.pop(event.anchor, None)  # until it is complete, an alias to it would be recursive
        self._add(value, event)
        self._stack.append(_Open(value, event.anchor, nodes, self._chars))

    def _end(self) -> None:
        done = self._stack.pop()
        if done.anchor:
            self._anchors[done.anchor] = _Anchored(
                done.value, self._nodes - done.nodes_before, self._chars - done.chars_before, done.height
            )
        if self._stack and done.height >= self._stack[-1].height:
            self._stack[-1].height = done.height + 1

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise TooLarge(f"more than {self._limits.aliases} aliases", place=_place(event))
        target = self._anchors.get(event.anchor)
        if target is None:
            raise InvalidInput(
                f"the alias *{event.anchor} stands for nothing that is complete above it", place=_place(event)
            )
        self._check_depth(target.height, event)
        self._count(event, target.nodes, target.chars)
        if self._stack and target.height >= self._stack[-1].height:
            self._stack[-1].height = target.height + 1
        self._add(target.value, event)

    def _check_depth(self, height: int, event: Any) -> None:
        if len(self._stack) + height > self._limits.nesting:
            raise TooLarge(f"nested deeper than {self._limits.nesting} levels", place=_place(event))

    def _add(self, value: Any, event: Any) -> None:
        if not self._stack:
            self.documents.append(value)
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif isinstance(top.key, _NoKey):
            top.key = self._checked_key(value, top.value, event)
        else:
            top.value[top.key] = value
            top.key = _NO_KEY

    def _checked_key(self, key: Any, known: dict[str, Any], event: Any) -> str:
        if not isinstance(key, str):
            raise InvalidInput("a key that is no text", hint="only texts can be keys", place=_place(event))
        if key == "<<" and event.__class__ is yaml.ScalarEvent and event.implicit[0]:
            raise InvalidInput("merge keys (<<) are not supported", hint="write the entries out", place=_place(event))
        if len(key) > self._limits.key_chars:
            raise TooLarge(f"a key of {len(key)} characters: at most {self._limits.key_chars}", place=_place(event))
        if key in known:
            raise InvalidInput(f"the key {key!r} stands here twice", place=_place(event))
        return key

    def _count(self, event: Any, nodes: int, chars: int) -> None:
        self._nodes += nodes
        self._chars += chars
        limits = self._limits
        if self._nodes > limits.expanded_nodes or self._chars > limits.expanded_chars:
            found = (
                f"{limits.expanded_nodes} keys and values"
                if self._nodes > limits.expanded_nodes
                else f"{limits.expanded_chars} characters"
            )
            raise TooLarge(f"more than {found} once aliases are written out", place=_place(event))


def _value(event: Any) -> Any:
    tag = event.tag
    if tag is None:
        if not event.implicit[0]:
            return event.value
    elif tag == _TEXT_TAG:
        return event.value
    try:
        value = resolve(event.value)
    except LodestepError as error:
        error.place = _place(event)
        raise
    if tag is not None and not _is_of(value, tag.rpartition(":")[2]):
        raise InvalidInput(f"{event.value[:80]!r} is no {tag.rpartition(':')[2]}", place=_place(event))
    return value


def _is_of(value: Any, tag: str) -> bool:
    match tag:
        case "null":
            return value is None
        case "bool":
            return isinstance(value, bool)
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool) and tag in ("int", "float")


def _check_tag(event: Any) -> None:
    if event.tag not in _CORE_TAGS:
        raise InvalidInput(f"the tag {event.tag[:80]!r} is not supported", hint="remove it", place=_place(event))


def _place(event: Any) -> str:
    return f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"
