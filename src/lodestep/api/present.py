"""Which fields of a message are written."""

from collections.abc import Mapping
from typing import Any


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value: zero values are left out, as proto JSON does."""
    return {key: value for key, value in fields.items() if value or value is False}
