"""Folders shown to a step at other places, in a mount namespace of its own: nothing is left when the step ends.

As root, or in a user namespace where the system lets other users have one. Where neither is allowed the step is
refused, in words: a link on the real file system would be seen by every other step and program, and outlive a crash.

Nothing is created outside the attempt's own folder. Where the place does not exist, the nearest folder above it is
covered by one that shows the same entries and the new one; what the step makes directly in it is the attempt's. If that
folder is `/`, the step gets a new root. A place within a folder that is shown is made there.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any

_NEWNS = 0x00020000
_NEWUSER = 0x10000000
_BIND = 0x1000
_REC = 0x4000
_PRIVATE = 1 << 18
_REMOUNT = 0x20
_RDONLY = 0x1
# Flags of a mount that must stay when it is made read-only, as `statvfs` and as `mount` know them.
_KEPT = ((2, 2), (4, 4), (8, 8), (1024, 1024), (2048, 2048), (4096, 1 << 21))

_libc = ctypes.CDLL(None, use_errno=True)


def apply(mounts: list[dict[str, Any]], scratch: str) -> None:
    """Show every mount. `scratch` is a folder of the attempt. Raises OSError in words where that cannot be."""
    places = [_place(mount, number, scratch) for number, mount in enumerate(mounts)]
    places = [place for place in places if place.is_read_only or not _is_same(place.source, place.target)]
    if not places:
        return
    os.makedirs(scratch, 0o700, exist_ok=True)
    _own_namespace()
    for place in places:
        place.open()
    view = _View(scratch)
    for place in sorted(places, key=lambda each: each.target.count("/")):
        view.show(place)
    for place in places:
        if place.is_read_only:
            flags = os.statvfs(place.target).f_flag
            kept = sum(flag for seen, flag in _KEPT if flags & seen)
            _mount(None, place.target, _BIND | _REMOUNT | _RDONLY | kept)


class _Place:
    """A folder and where it is to be seen."""

    def __init__(self, source: str, target: str, is_read_only: bool) -> None:
        self.target = target
        self.source = source
        self.is_read_only = is_read_only
        self.descriptor = -1
        os.makedirs(source, 0o700, exist_ok=True)

    def open(self) -> None:
        """In the namespace that it is to be shown in, and before a cover hides the way to it."""
        self.descriptor = os.open(self.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _place(mount: dict[str, Any], number: int, scratch: str) -> _Place:
    target = os.path.normpath(mount["target"])
    if not target.startswith("/") or target.strip("/") == "" or f"{target}/".startswith("/proc/"):
        raise OSError(f"cannot show a folder at {mount['target']!r}: expected an absolute path below /, outside /proc")
    target = "/" + target.lstrip("/")
    if os.path.exists(target) and not os.path.isdir(target):
        raise OSError(f"cannot show a folder at {target}: there is a file")
    source = mount.get("source") or os.path.join(scratch, f"empty{number}")
    return _Place(source, target, bool(mount.get("read_only")))


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


class _View:
    """The file system as the step sees it, in the making."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._shown: list[str] = []
        self._covers: set[str] = set()
        self._made = 0

    def show(self, place: _Place) -> None:
        if not os.path.isdir(place.target):
            self._make_room(place.target)
        _mount(f"/proc/self/fd/{place.descriptor}", place.target, _BIND | _REC)
        os.close(place.descriptor)
        self._shown.append(place.target)

    def _make_room(self, target: str) -> None:
        above = os.path.dirname(target)
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        is_within = any(above == shown or above.startswith(shown + "/") for shown in self._shown)
        if not is_within and os.path.realpath(above) not in self._covers:
            self._cover(os.path.realpath(above))
        try:
            os.makedirs(target, 0o755, exist_ok=True)
        except OSError as error:
            raise OSError(error.errno, f"cannot show a folder at {target}: {error.strerror}") from error

    def _cover(self, folder: str) -> None:
        """Put a copy of a folder's view over it: the same entries, and room for more."""
        cover = self._new_cover()
        os.chmod(cover, os.stat(folder).st_mode & 0o7777)
        self._covers.add(folder)
        if folder == "/":
            _mount(cover, cover, _BIND)  # a root is a mount
            _show_entries("/", cover)
            os.chroot(cover)
            os.chdir("/")
            return
        below = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _mount(cover, folder, _BIND)
        _show_entries(f"/proc/self/fd/{below}", folder)
        os.close(below)

    def _new_cover(self) -> str:
        while True:
            self._made += 1
            path = os.path.join(self._scratch, f"cover{self._made}")
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:  # of a start that did not get far
                continue
            return path


def _show_entries(source: str, target: str) -> None:
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)
            try:
                _show_entry(entry, place)
            except FileNotFoundError:  # it went away meanwhile, as things do in /tmp
                _remove(place)


def _show_entry(entry: os.DirEntry[str], place: str) -> None:
    if entry.is_symlink():
        os.symlink(os.readlink(entry.path), place)
    elif entry.is_dir(follow_symlinks=False):
        os.mkdir(place)
        _mount(entry.path, place, _BIND | _REC)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        _mount(entry.path, place, _BIND)


def _remove(place: str) -> None:
    try:
        (os.rmdir if os.path.isdir(place) else os.unlink)(place)
    except FileNotFoundError:
        pass


def _own_namespace() -> None:
    """From here on, what this process mounts is seen by it and its children alone."""
    if _libc.unshare(_NEWNS) != 0:
        uid, gid = os.getuid(), os.getgid()
        if _libc.unshare(_NEWUSER | _NEWNS) != 0:
            raise _refused(os.strerror(ctypes.get_errno()))
        try:
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open("/proc/self/" + name, "w") as file:
                    file.write(text)
        except OSError as error:
            raise _refused(str(error.strerror)) from error
    try:
        _mount("none", "/", _REC | _PRIVATE)
    except PermissionError as error:  # some systems give such a namespace, and no power in it
        raise _refused(str(error.strerror)) from error


def _refused(why: str) -> OSError:
    return OSError(
        f"this system does not let steps have folders at other paths ({why}): run the server as root, or allow user"
        " namespaces (kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a"
        " container, the capability SYS_ADMIN)"
    )


def _mount(source: str | None, target: str, flags: int) -> None:
    given = None if source is None else os.fsencode(source)
    if _libc.mount(given, os.fsencode(target), None, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        if number in (errno.ENOENT, errno.EPERM, errno.EACCES):
            raise OSError(number, os.strerror(number))
        raise OSError(number, f"cannot show a folder at {target}: {os.strerror(number)}")
