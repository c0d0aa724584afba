"""A folder as a tar stream: made while it is read, so neither memory nor disk grows with it."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

_PIECE_BYTES = 256 * 1024


def stream(folder: Path) -> Iterator[bytes]:
    """The regular files below `folder`. Links are left out: they could lead elsewhere."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield from _member(Path(parent, name), folder)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _member(path: Path, folder: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return  # a link, or gone meanwhile
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not os.path.isfile(f"/proc/self/fd/{descriptor}"):
            return
        info = tarfile.TarInfo(str(path.relative_to(folder)))
        info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o644
        yield info.tobuf(tarfile.PAX_FORMAT)
        left = info.size
        while left:
            data = file.read(min(_PIECE_BYTES, left)) or b"\0" * min(_PIECE_BYTES, left)  # it was cut meanwhile
            left -= len(data)
            yield data
        yield b"\0" * (-info.size % tarfile.BLOCKSIZE)
