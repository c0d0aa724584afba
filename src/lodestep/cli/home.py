"""The home folder, before anything is in it: its settings, and making it."""

import os
from typing import Any

from lodestep import config
from lodestep.config import Settings
from lodestep.errors import FailedPrecondition

_HINT = "choose another with --home"


def settings(home: str | None, **overrides: Any) -> Settings:
    """The settings of a home. Raises `FailedPrecondition` where its file is there and cannot be read."""
    try:
        return config.load(home=home, **overrides)
    except OSError as error:
        raise FailedPrecondition(_why("cannot be read", error), place=str(error.filename), hint=_HINT) from error


def make(settings: Settings) -> None:
    """Raises `FailedPrecondition` where there is no home and none can be made, or it cannot be written."""
    place = settings.home_path
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise FailedPrecondition(_why("the home cannot be made", error), place=str(place), hint=_HINT) from error
    if not os.access(place, os.W_OK | os.X_OK):
        raise FailedPrecondition("the home cannot be written", place=str(place), hint=_HINT)


def _why(what: str, error: OSError) -> str:
    return f"{what}: {os.strerror(error.errno or 0).lower()}"
