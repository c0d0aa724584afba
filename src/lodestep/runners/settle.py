"""The bytes of artifacts on this machine: brought to their place, counted, hashed, and on disk for good."""

import ctypes
import hashlib
import os
import shutil
import stat
from urllib.parse import quote

from lodestep.lang import mounts

_CHUNK = 1024 * 1024
_MANY = 64  # from so many files on, one sync of the file system is cheaper than one a file
_libc = ctypes.CDLL(None, use_errno=True)


def local_path(uri: str) -> str:
    """The path of a `file://` URI or of an absolute path; "" for what is in a store, whatever steps see it as."""
    path = mounts.local_path({"uri": uri}) if uri.startswith(("/", "file://")) else ""
    return os.path.normpath(path) if path else ""


def file_uri(path: str) -> str:
    return f"file://{quote(path)}"


def bring(source: str, target: str, *, own: str) -> None:
    """Have the content of `source` at `target`: moved from within the folder `own`, copied from elsewhere."""
    if not os.path.lexists(source) or os.path.realpath(source) == os.path.realpath(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    inside = os.path.realpath(source).startswith(os.path.realpath(own) + os.sep)
    if inside and not os.path.islink(source) and not os.path.lexists(target):
        try:
            os.rename(source, target)
            return
        except OSError:
            pass  # another file system: copied
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def settle(path: str) -> tuple[str, int]:
    """Have a file or a folder on disk for good: (sha256 of its content, bytes); ("", -1) where there is nothing.

    The digest of a folder is that of its sorted list of relative paths and their digests. A link counts by its target,
    which is not followed. Raises OSError where something cannot be read or synced.
    """
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "", -1
    if stat.S_ISREG(found.st_mode):
        answer = _file_digest(path, sync=True), found.st_size
    elif stat.S_ISDIR(found.st_mode):
        answer = _settle_folder(path)
    else:
        return "", -1
    _sync_folder(os.path.dirname(path))
    return answer


def _file_digest(path: str, *, sync: bool) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        if sync:
            os.fsync(file.fileno())
    return digest.hexdigest()


def _settle_folder(path: str) -> tuple[str, int]:
    digest = hashlib.sha256()
    total = 0
    folders: list[str] = []
    singly = _has_few_files(path)
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        folders.append(folder)
        inner: list[str] = []
        for name in sorted(os.listdir(folder)):
            file = os.path.join(folder, name)
            found = os.lstat(file)
            relative = os.fsencode(os.path.relpath(file, path))
            if stat.S_ISDIR(found.st_mode):
                inner.append(file)
            elif stat.S_ISREG(found.st_mode):
                total += found.st_size
                digest.update(relative + b"\0" + _file_digest(file, sync=singly).encode() + b"\n")
            elif stat.S_ISLNK(found.st_mode):
                digest.update(relative + b"\0-> " + os.fsencode(os.readlink(file)) + b"\n")
        waiting += reversed(inner)
    if singly:
        for folder in reversed(folders):
            _sync_folder(folder)
    else:
        _sync_file_system(path)
    return digest.hexdigest(), total


def _has_few_files(path: str) -> bool:
    count = 0
    waiting = [path]
    while waiting and count <= _MANY:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return count <= _MANY


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file_system(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
