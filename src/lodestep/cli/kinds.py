"""The two kinds of keyed files in a home."""

from typing import NamedTuple


class Kind(NamedTuple):
    noun: str
    folder: str


SECRET = Kind("secret", "secrets")
CONFIG_MAP = Kind("config map", "configmaps")
