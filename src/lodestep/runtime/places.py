"""The folders of attempts. One is kept ready, to be moved to its place: on some disks, files take long to make.

work/, outputs/                                 as a step finds them
.started.json.partial, .outcome.json.partial    empty: what the two files that every attempt has are made of
"""

from __future__ import annotations

import os
from collections.abc import Callable

from .outcome import OUTCOME, STARTED, partial

_FOLDERS = ("work", "outputs")
_FILES = (partial(STARTED), partial(OUTCOME))


class Places:
    """Of a host that stands in its own folder, where its spare one lies."""

    def __init__(self, name: str) -> None:
        self._spare = name + ".spare"
        self._is_ready = False
        self._is_wanted = False
        self._remove()

    def make(self, directory: str) -> bool:
        """Have the folder of an attempt at its place. Was there none? Raises OSError."""
        self._is_wanted = True
        if self._is_ready and self._move(directory):
            return True
        return _make(directory)

    def keep_ready(self) -> None:
        """Have a spare one, if steps are being started."""
        if self._is_ready or not self._is_wanted:
            return
        self._is_wanted = False  # if this fails, the next launch says when to try again
        try:
            _make(self._spare)
            for name in _FILES:
                os.close(os.open(os.path.join(self._spare, name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            self._remove()
        else:
            self._is_ready = True

    def close(self) -> None:
        self._remove()

    def _move(self, directory: str) -> bool:
        try:
            try:
                os.rename(self._spare, directory)
            except FileNotFoundError:  # the first of its run
                os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
                os.rename(self._spare, directory)
        except OSError:  # there is one already, or it lies on another disk
            return False
        self._is_ready = False
        return True

    def _remove(self) -> None:
        self._is_ready = False
        for name in _FILES:
            _try(os.unlink, os.path.join(self._spare, name))
        for name in _FOLDERS:
            _try(os.rmdir, os.path.join(self._spare, name))
        _try(os.rmdir, self._spare)


def _make(directory: str) -> bool:
    is_new = True
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        is_new = False
    except FileNotFoundError:
        os.makedirs(directory, 0o700)
    for name in _FOLDERS:
        try:
            os.mkdir(os.path.join(directory, name), 0o700)
        except FileExistsError:
            pass
    return is_new


def _try(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError:
        pass
