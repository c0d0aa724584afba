"""Small files in an attempt's folder that are there whole or not at all: how it ended, what kept it from starting."""

from __future__ import annotations

import json
import os
from typing import Any

STARTED = "started.json"
OUTCOME = "outcome.json"
ERROR = "error.json"


def write_json(directory: str, name: str, value: Any) -> None:
    """Write `directory/name`: to another name first, so that no one reads half of it."""
    partial = os.path.join(directory, "." + name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, json.dumps(value).encode())
    finally:
        os.close(descriptor)
    os.rename(partial, os.path.join(directory, name))


def read_json(directory: str, name: str) -> dict[str, Any] | None:
    """The object in `directory/name`; None where it is missing or not whole (the machine lost power)."""
    try:
        with open(os.path.join(directory, name), "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
