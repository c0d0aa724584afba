"""What `ps` shows of a process. The children of a step host are forks of it, and would all look like it."""

from __future__ import annotations

import ctypes
import os

_PR_SET_NAME = 15
_FROM_STATE = 45  # arg_start in /proc/PID/stat, counted from the field after the name; arg_end follows
_prctl = ctypes.CDLL(None).prctl


class Title:
    """Made before a fork, set after it: the place of the command line stays the same."""

    def __init__(self) -> None:
        self._start = self._bytes = 0
        try:
            with open("/proc/%d/stat" % os.getpid(), "rb") as file:
                words = file.read().rpartition(b")")[2].split()
            start, end = int(words[_FROM_STATE]), int(words[_FROM_STATE + 1])
        except (OSError, ValueError, IndexError):
            return
        if 0 < start < end:
            self._start, self._bytes = start, end - start

    def set(self, text: str) -> None:
        """Show `text` in place of the command line, as far as there is room."""
        if self._bytes:
            data = os.fsencode(text).replace(b"\0", b" ")[: self._bytes - 1]
            ctypes.memmove(self._start, data.ljust(self._bytes, b"\0"), self._bytes)
        _prctl(_PR_SET_NAME, os.fsencode(text)[:15].rstrip(), 0, 0, 0)
