"""Secrets and config maps: folders of small files in the home, one file a key.

    HOME/secrets/NAME/KEY        values that are never shown (files 0600, folders 0700)
    HOME/configmaps/NAME/KEY     values that may be shown

Values are read when a step starts and go to that step alone; they are never in the database or in a log.
"""

import re
from pathlib import Path

from lodestep.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,253}")


class KeyedFiles:
    """The secrets, or the config maps, of a home."""

    def __init__(self, root: Path, noun: str) -> None:
        self._root = root
        self.noun = noun

    def folder(self, name: str) -> Path | None:
        """The folder of `name`, if it is there. Raises `InvalidInput` for a name that could lead elsewhere."""
        path = self._root / self._checked(name)
        return path if path.is_dir() else None

    def value(self, name: str, key: str) -> str | None:
        if not _KEY.fullmatch(key) or key in (".", ".."):
            raise InvalidInput(f"{self.noun} key {key!r}: expected letters, digits, '.', '_' and '-'")
        try:
            return (self._root / self._checked(name) / key).read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def values(self, name: str) -> dict[str, str] | None:
        folder = self.folder(name)
        if folder is None:
            return None
        return {file.name: file.read_text() for file in sorted(folder.iterdir()) if file.is_file()}

    def _checked(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{self.noun} name {name!r}: expected letters, digits, '.', '_' and '-'")
        return name
