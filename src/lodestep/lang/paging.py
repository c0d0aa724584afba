"""The order and the pages of a list: `sort_by`, `page_size`, and the token of the next page.

A token is opaque to clients and never trusted: it carries the request that it continues and the last row's place in
the order, all of which is checked again as if it came from outside. The digest at its end is no signature; it makes an
accident visible.
"""

import base64
import binascii
import hashlib
import re
from typing import Annotated, NamedTuple

import msgspec

from lodestep.errors import InvalidInput
from lodestep.lang import fields
from lodestep.lang.fields import Kind, Resource

DEFAULT_SIZE = 20
LARGEST_SIZE = 200
_MAX_TOKEN_CHARS = 256 * 1024
_DIGEST_BYTES = 9
_SIZE = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_METRIC = "metric:"
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Sort(msgspec.Struct, frozen=True):
    """A field by its proper name, and the direction; rows that are equal in it go by their ids."""

    field: str
    descending: bool = False


class Cursor(NamedTuple):
    """Where a page begins: after the row with this value of the sort field and this id."""

    value: str | int
    id: str


class Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a page token carries."""

    resource: Resource
    scope: str
    filter: str
    sort_by: str
    value: str | _Int64
    id: str


_decoder = msgspec.json.Decoder(Token)


def sort(resource: Resource, text: str) -> Sort:
    """The order that `sort_by` asks for: `field`, `field asc` or `field desc`, in any case."""
    words = text.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        hint = "expected 'field', 'field asc' or 'field desc'"
        raise InvalidInput(f"{text[:60]!r} is no order", place="sort_by", hint=hint)
    descending = words[1:] == ["desc"]
    name = words[0] if words else fields.DEFAULT_SORT
    if resource is Resource.RUNS and name.startswith(_METRIC):
        name = "id"  # runs of compiled pipelines have no metrics: all are equal in them
    field = fields.field(resource, name, place="sort_by")
    return Sort(fields.id_field(resource).name if field.kind is Kind.READY else field.name, descending)


def size(given: int | str | None) -> int:
    """The number of rows on a page: none or 0 means the default, too many the most there can be."""
    if isinstance(given, str):
        if given and not _SIZE.fullmatch(given):
            raise InvalidInput(f"{given[:60]!r} is no number", place="page_size")
        given = int(given or 0)
    if given is not None and given < 0:
        raise InvalidInput(f"{given} rows: expected 0 or more", place="page_size")
    return min(given or DEFAULT_SIZE, LARGEST_SIZE)


def write(token: Token) -> str:
    """The token as clients get it. It is safe in a URL as it stands."""
    data = msgspec.json.encode(token)
    return base64.urlsafe_b64encode(_digest(data) + data).rstrip(b"=").decode()


def read(text: str) -> Token:
    """Raises `InvalidInput` for anything that `write` did not make."""
    try:
        if len(text) > _MAX_TOKEN_CHARS:
            raise ValueError
        raw = text.rstrip("=").encode("ascii")
        data = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
        if data[:_DIGEST_BYTES] != _digest(data[_DIGEST_BYTES:]):
            raise ValueError
        return _decoder.decode(data[_DIGEST_BYTES:])
    except (ValueError, binascii.Error, msgspec.MsgspecError, RecursionError):
        raise _refused("it is damaged or was not made here") from None


def cursor(token: Token, *, resource: Resource, scope: str, order: Sort) -> Cursor:
    """Where the token's page begins. Raises `InvalidInput` where it is not of this list."""
    if token.resource != resource or token.scope != scope:
        raise _refused("it belongs to another list")
    is_time = fields.field(resource, order.field, place="sort_by").kind is Kind.TIME
    in_order = isinstance(token.value, int) if is_time else isinstance(token.value, str)
    if not in_order or not token.id:
        raise _refused("its place in the order is none")
    return Cursor(token.value, token.id)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _refused(reason: str) -> InvalidInput:
    return InvalidInput(f"invalid page token: {reason}", place="page_token", hint="begin at the first page")
