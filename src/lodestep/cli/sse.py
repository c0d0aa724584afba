"""A reader of event streams (`text/event-stream`). Pure: bytes in, events out."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Event(NamedTuple):
    name: str
    id: str
    data: str


def events(pieces: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream that comes in pieces of any size. Comments and what is not finished are left out."""
    name, last_id, data = "", "", list[str]()
    for line in _lines(pieces):
        if not line:
            if data:
                yield Event(name or "message", last_id, "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                name = value
            case "id":
                last_id = value
            case "data":
                data.append(value)
            case _:
                pass  # a comment (empty field name), `retry`, or a field of a later day


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
