"""The log of one attempt on disk: bounded, with the time of each piece.

    log             the first bytes, as they came
    log.tail.N      after the head is full: segments of the newest bytes, of which the last two are kept
    *.times         beside each of them, lines `BYTES MILLISECONDS` that count on from line to line: when the byte there
                    arrived. The first line of a file counts from 0

Offsets count all bytes that the step wrote, kept or not, so they never change their meaning. What fell out of the
middle is shown as one line, which has no offsets of its own.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import NamedTuple

from .outcome import OUTCOME

HEAD = "log"
_TAIL = "log.tail."
_TIMES = ".times"
_HEAD_TIMES_BYTES = 256 * 1024
_TAIL_TIMES_BYTES = 128 * 1024
_LINE_BYTES = 20  # of a times file, about
_LEAST_SEGMENT = 1024  # smaller ones would be many files


class LogWriter:
    """Writes the log of an attempt. Memory is flat whatever comes: nothing is kept but counters."""

    def __init__(self, directory: str, cap: int) -> None:
        self._directory = directory
        self._segment = max(cap // 4, _LEAST_SEGMENT)
        self._head_cap = 2 * self._segment
        self._piece: _OpenPiece | None = None
        self.total = 0

    def write(self, data: bytes, now_ms: int) -> None:
        """Take in what the step wrote. Raises OSError where the disk does not; the offsets stay right even so."""
        fault: OSError | None = None
        rest = memoryview(data)
        while rest:
            piece = self._current()
            part = rest[: piece.end - self.total]
            try:
                piece.write(part, self.total, now_ms)
            except OSError as error:
                fault = error
            self.total += len(part)
            rest = rest[len(part) :]
        if fault is not None:
            raise fault

    def close(self) -> None:
        if self._piece is not None:
            self._piece.close()
        self._piece = None

    def _current(self) -> _OpenPiece:
        """The piece that the next byte belongs to."""
        if self._piece is not None and self.total < self._piece.end:
            return self._piece
        self.close()
        if self.total < self._head_cap:
            name, start, size, budget = HEAD, 0, self._head_cap, _HEAD_TIMES_BYTES
        else:
            number = (self.total - self._head_cap) // self._segment
            name, start = _TAIL + str(number), self._head_cap + number * self._segment
            size, budget = self._segment, _TAIL_TIMES_BYTES
            self._drop(number - 2)
        self._piece = _OpenPiece(os.path.join(self._directory, name), start, size, budget)
        return self._piece

    def _drop(self, number: int) -> None:
        if number < 0:
            return
        for ending in ("", _TIMES):
            try:
                os.unlink(os.path.join(self._directory, _TAIL + str(number) + ending))
            except OSError:
                pass


class _OpenPiece:
    """A file that is being written, with its times."""

    def __init__(self, path: str, start: int, size: int, budget: int) -> None:
        self.start = start
        self.end = start + size
        self._path = path
        self._bytes = -1
        self._times = -1
        self._left = budget
        self._free = budget // 2  # of the budget, as long as it lasts: every moment that differs
        self._spacing = max(1, size * _LINE_BYTES // (budget - self._free))  # and then one for so many bytes
        self._last_offset = 0
        self._last_ms = 0

    def write(self, data: memoryview, offset: int, now_ms: int) -> None:
        if self._bytes < 0:
            self._bytes = _create(self._path)
            self._times = _create(self._path + _TIMES)
        at = offset - self.start
        try:
            while data:
                count = os.pwrite(self._bytes, data, at)
                data, at = data[count:], at + count
        except OSError:
            os.ftruncate(self._bytes, at + len(data))  # a hole: takes no space
            raise
        self._note(offset, now_ms)

    def _note(self, offset: int, now_ms: int) -> None:
        if now_ms == self._last_ms or (self._left <= self._free and offset - self._last_offset < self._spacing):
            return
        line = b"%d %d\n" % (offset - self._last_offset, now_ms - self._last_ms)
        if len(line) > self._left:
            return
        self._left -= len(line)
        self._last_offset, self._last_ms = offset, now_ms
        os.write(self._times, line)

    def close(self) -> None:
        for descriptor in (self._bytes, self._times):
            if descriptor >= 0:
                os.close(descriptor)
        self._bytes = self._times = -1


# The folder is the step's as well, which may put a link or a pipe there: one is not followed, the other not waited for.
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | _PLAIN, 0o600)


def _opened(path: str) -> int:
    return os.open(path, os.O_RDONLY | _PLAIN)


class Line(NamedTuple):
    """A line without its end. `at_ms` is when its first byte arrived, 0 where that is not known."""

    offset: int
    at_ms: int
    text: bytes


class _Piece(NamedTuple):
    """A file of the log, and where in all bytes it begins and ends."""

    path: str
    start: int
    end: int


def read(directory: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Up to `limit` bytes of the log from `offset` on, and the offset to go on with.

    Where the middle was left out, a line says so in its place. Nothing and the same offset: there is no more now.
    """
    start, data, _ = _chunk(directory, offset, limit)
    gap = b"\n" + _left_out(start - offset) + b"\n" if start > offset else b""
    return gap + data, start + len(data)


def lines(directory: str, offset: int, limit: int) -> tuple[list[Line], int]:
    """The whole lines among up to `limit` bytes from `offset` on, and the offset to go on with.

    A line longer than `limit` comes in parts; one whose end was left out, or never came, as far as it goes.
    """
    complete = is_complete(directory)  # asked before reading: what is written after that is not missed
    start, data, is_cut = _chunk(directory, offset, limit)
    is_end = is_cut or (complete and len(data) < limit)
    found: list[Line] = []
    times = _Times(directory)
    if start > offset:
        found.append(Line(offset, times.at(start), _left_out(start - offset)))
    at = start
    parts = data.split(b"\n")
    rest = parts.pop()
    for text in parts:
        found.append(Line(at, times.at(at), text))
        at += len(text) + 1
    if rest and (is_end or len(rest) >= limit):
        found.append(Line(at, times.at(at), rest))
        at += len(rest)
    return found, at


def size(directory: str) -> int:
    """How many bytes the step has written, kept or not."""
    pieces = _pieces(directory)
    return pieces[-1].end if pieces else 0


def is_complete(directory: str) -> bool:
    """Is the attempt over, so that no more comes?"""
    return os.path.exists(os.path.join(directory, OUTCOME))


def times(directory: str) -> list[tuple[int, int]]:
    """(offset, milliseconds) of what is known of the kept bytes, in order."""
    found: list[tuple[int, int]] = []
    for piece in _pieces(directory):
        found += _times_of(piece)
    return found


class _Times:
    """When bytes arrived. Read only when asked."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: list[tuple[int, int]] | None = None

    def at(self, offset: int) -> int:
        if self._known is None:
            self._known = times(self._directory)
        position = bisect_right(self._known, (offset, 1 << 62))
        return self._known[position - 1][1] if position else 0


def _times_of(piece: _Piece) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    offset = moment = 0
    try:
        with open(_opened(piece.path + _TIMES), "rb") as file:
            text = file.read()
        for line in text.split(b"\n")[:-1]:
            more, _, later = line.partition(b" ")
            offset, moment = offset + int(more), moment + int(later)
            found.append((offset, moment))
    except (OSError, ValueError):
        pass  # without times a log is still a log
    return found


def _left_out(count: int) -> bytes:
    return b"... %d bytes left out ..." % count


def _chunk(directory: str, offset: int, limit: int) -> tuple[int, bytes, bool]:
    """Up to `limit` bytes in a row, where they begin (at `offset`, or after what was left out there), and whether what
    follows them was left out."""
    data = b""
    start = offset
    for piece in _pieces(directory):
        if start + len(data) >= piece.end:
            continue
        if start + len(data) < piece.start:
            if data:
                return start, data, True
            start = piece.start
        try:
            with open(_opened(piece.path), "rb") as file:
                file.seek(start + len(data) - piece.start)
                data += file.read(limit - len(data))
        except FileNotFoundError:  # it fell out of the middle just now
            if data:
                return start, data, True
            return _chunk(directory, offset, limit)
        except OSError:  # the step has put something else in its place
            break
        if len(data) >= limit:
            break
    return start, data, False


def _pieces(directory: str) -> list[_Piece]:
    """The files that are there, in order. Head and segments are cut from one cap, half of it and a quarter, so the full
    head tells where each segment begins."""
    head = os.path.join(directory, HEAD)
    try:
        names = [name[len(_TAIL) :] for name in os.listdir(directory) if name.startswith(_TAIL)]
        numbers = [int(name) for name in names if name.isdigit()]
        head_size = os.stat(head).st_size
    except OSError:
        return []
    pieces = [_Piece(head, 0, head_size)]
    segment = head_size // 2
    for number in sorted(numbers):
        path = os.path.join(directory, _TAIL + str(number))
        start = head_size + number * segment
        try:
            pieces.append(_Piece(path, start, start + os.stat(path).st_size))
        except OSError:
            continue
    return pieces
