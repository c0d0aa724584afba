"""The one JSON codec: fast encoding, canonical bytes and digests.

Numbers follow the reference: a whole number is written without a fraction (`1`, never `1.0`), because components
refuse a float where they declare an int; NaN and infinities are no JSON and are refused.
"""

import hashlib
import math
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from lodestep.errors import InvalidInput

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder()


@lru_cache(256)
def _decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder that is made once: to look at a type anew costs more than to read a small text."""
    return msgspec.json.Decoder(kind)


def encode(value: object) -> bytes:
    return _encoder.encode(value)


def encode_text(value: object) -> str:
    return _encoder.encode(value).decode()


def canonical(value: object) -> bytes:
    """The same bytes for equal values: keys sorted, no spaces."""
    return _canonical.encode(value)


def digest(data: bytes) -> str:
    """`sha256` of `data` in hex."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes | str) -> Any:  # the caller narrows what it expects
    """Plain values from JSON. Raises `InvalidInput` where it is none."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not JSON: {error}") from error


def decode_as(data: bytes | str, kind: type[T]) -> T:
    """A typed value from JSON. Raises `InvalidInput` with the path of the first thing that is wrong."""
    try:
        return _decoder_of(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error)) from error


def whole(value: Any) -> Any:
    """`value` with every float that is a whole number turned into an int, at any depth.

    Raises `InvalidInput` for NaN and infinities.
    """
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            if not math.isfinite(value):
                raise InvalidInput(f"{value} is no JSON number")
            return int(value) if value.is_integer() and abs(value) < 2**63 else value
        case list() | tuple():
            return [whole(item) for item in value]
        case dict():
            return {key: whole(item) for key, item in value.items()}
        case _:
            return value
