"""Secrets and config maps of a home, for writing: folders of small files, one file a key. See `engine.secrets`, which
reads them.

A value is written to a file of its own beside its place and moved there, so that a step that starts meanwhile sees the
old value or the new one, never half of it.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from lodestep.cli.kinds import Kind
from lodestep.engine.secrets import KeyedFiles
from lodestep.errors import InvalidInput, NotFound, Unavailable

_MOST_BYTES = 1024 * 1024


class Collection:
    """The secrets, or the config maps, of a home."""

    def __init__(self, home: Path, kind: Kind) -> None:
        self.kind = kind
        self._home = home
        self._root = home / kind.folder
        self._reader = KeyedFiles(self._root, kind.noun)

    def put(self, name: str, pairs: dict[str, bytes]) -> Path:
        """Add or change keys. All names are checked before anything is written."""
        self._reader.folder(name)
        for key, value in pairs.items():
            self._reader.value(name, key)
            if len(value) > _MOST_BYTES:
                raise InvalidInput(f"{self.kind.noun} key {key!r}: {len(value)} bytes, at most {_MOST_BYTES} are taken")
        folder = self._root / name
        try:
            for path in (self._home, self._root, folder):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for key, value in pairs.items():
                _write(folder / key, value)
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise Unavailable(f"the {self.kind.noun} cannot be written: {why}", place=str(folder)) from error
        return folder

    def listed(self) -> dict[str, list[str]]:
        """Names and keys. No values."""
        if not self._root.is_dir():
            return {}
        folders = sorted(path for path in self._root.iterdir() if path.is_dir() and not path.name.startswith("."))
        return {folder.name: sorted(file.name for file in folder.iterdir() if file.is_file()) for folder in folders}

    def delete(self, name: str, keys: tuple[str, ...]) -> None:
        """The whole of it, or some keys. Raises `NotFound` before anything is deleted."""
        folder = self._reader.folder(name)
        if folder is None:
            raise NotFound(f"no {self.kind.noun} {name!r}", hint=f"there are: {', '.join(self.listed()) or 'none'}")
        for key in keys:
            if self._reader.value(name, key) is None:
                raise NotFound(f"the {self.kind.noun} {name!r} has no key {key!r}")
        if not keys:
            shutil.rmtree(folder)
        for key in keys:
            (folder / key).unlink()


def pairs(given: tuple[str, ...]) -> dict[str, bytes]:
    """`KEY=VALUE` as people write it: `@FILE` is the content of a file, `-` standard input, `@@…` a text with one @."""
    read: dict[str, bytes] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            shown = key if equals else "the text"  # it may be the secret itself: never shown back
            raise InvalidInput(f"{shown!r}: expected KEY=VALUE, KEY=@FILE or KEY=-")
        read[key] = _value(value)
    return read


def _value(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@@"):
        return text[1:].encode()
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise NotFound(f"cannot read {text[1:]!r}: {os.strerror(error.errno or 0).lower()}") from error
    return text.encode()


def _write(path: Path, value: bytes) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=".partial-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(value)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
