"""Signals as words from a descriptor: no handler runs, so a fork has none to undo, and none is ever lost to one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

_SIGSET_BYTES = 128
_INFO_BYTES = 128  # of each signal; its number comes first
_libc = ctypes.CDLL(None, use_errno=True)


class Signals:
    """Blocks these signals for good, and gives them by `descriptor`. A child has them back once its mask is clear."""

    def __init__(self, numbers: Iterable[int]) -> None:
        wanted = list(numbers)
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        mask = ctypes.create_string_buffer(_SIGSET_BYTES)
        _libc.sigemptyset(mask)
        for number in wanted:
            _libc.sigaddset(mask, number)
        self.descriptor: int = _libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, "signalfd: " + os.strerror(number))

    def read(self) -> set[int]:
        """Those that have come. One that came several times may count once."""
        try:
            data = os.read(self.descriptor, 64 * _INFO_BYTES)
        except BlockingIOError:
            return set()
        return {int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data), _INFO_BYTES)}
