"""Logging of the server itself: one line per event, `noun.verb` and fields, never a secret.

Levels: INFO is one line per change of state, WARNING is something that a person may act on, ERROR is something that a
person must act on. Step logs are not logging: see `engine.logs`.
"""

import logging
import sys
from typing import Any


def get(name: str) -> logging.Logger:
    return logging.getLogger(f"lodestep.{name}")


def event(logger: logging.Logger, level: int, name: str, **fields: Any) -> None:
    """Log the event `name` with its fields, e.g. `attempt.ended attempt=… state=FAILED`."""
    if logger.isEnabledFor(level):
        logger.log(level, "%s %s", name, " ".join(f"{key}={value}" for key, value in fields.items()))


def to_stderr(level: int = logging.WARNING) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("lodestep")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
