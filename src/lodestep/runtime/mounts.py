"""Folders shown to a step at other places, in a mount namespace of its own: nothing is left when the step ends.

Nothing is created on the real file system. Where the place does not exist, the nearest folder above it is covered by a
small file system in memory that shows the same entries and the new one; directly below `/` that is a new root.
"""

import ctypes
import os

_NEWNS = 0x00020000
_NEWUSER = 0x10000000
_BIND = 0x1000
_REC = 0x4000
_PRIVATE = 1 << 18
_REMOUNT = 0x20
_RDONLY = 0x1

_libc = ctypes.CDLL(None, use_errno=True)


def apply(mounts, scratch):
    """Show every mount. Raises OSError in words where this host does not allow it."""
    _own_namespace()
    os.makedirs(scratch, 0o700, exist_ok=True)
    covers = _Covers(scratch)
    for number, mount in enumerate(sorted(mounts, key=lambda each: each["target"].count("/"))):
        source = mount.get("source") or os.path.join(scratch, "empty%d" % number)
        os.makedirs(source, 0o700, exist_ok=True)
        target = os.path.normpath(mount["target"])
        if not target.startswith("/") or target == "/":
            raise OSError("cannot show a folder at %r: expected an absolute path below /" % mount["target"])
        covers.add(target, source)
    covers.show()
    for mount in mounts:
        if mount.get("read_only"):
            target = os.path.normpath(mount["target"])
            _mount(None, target, _BIND | _REMOUNT | _RDONLY)


class _Covers:
    """What is to be shown where, and what must be covered for it."""

    def __init__(self, scratch):
        self._scratch = scratch
        self._shown = []
        self._number = 0

    def add(self, target, source):
        # Sources are opened now: a cover may hide the way to them.
        self._shown.append((target, os.open(source, os.O_PATH | os.O_DIRECTORY)))

    def show(self):
        for target, source in self._shown:
            if not os.path.isdir(target):
                self._make_place(target)
            _mount("/proc/self/fd/%d" % source, target, _BIND | _REC)
            os.close(source)

    def _make_place(self, target):
        above = os.path.dirname(target)
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        if above == "/":
            self._new_root()
        else:
            self._cover(above)
        os.makedirs(target, 0o755, exist_ok=True)

    def _cover(self, folder):
        """Put a copy of a folder's view over it: the same entries, and room for more."""
        stash = self._stash()
        _mount(folder, stash, _BIND | _REC)
        _mount("none", folder, 0, "tmpfs", "mode=0755")
        _show_entries(stash, folder)

    def _new_root(self):
        root = self._stash()
        _mount("none", root, 0, "tmpfs", "mode=0755")
        _show_entries("/", root)
        os.chroot(root)
        os.chdir("/")

    def _stash(self):
        self._number += 1
        path = os.path.join(self._scratch, "under%d" % self._number)
        os.makedirs(path, 0o700, exist_ok=True)
        return path


def _show_entries(source, target):
    with os.scandir(source) as entries:
        for entry in entries:
            place = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)
            elif entry.is_dir(follow_symlinks=False):
                os.mkdir(place)
                _mount(entry.path, place, _BIND | _REC)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o600))
                _mount(entry.path, place, _BIND)


def _own_namespace():
    if os.geteuid() == 0:
        if _libc.unshare(_NEWNS) == 0:
            _mount("none", "/", _REC | _PRIVATE)
            return
    uid, gid = os.getuid(), os.getgid()
    if _libc.unshare(_NEWUSER | _NEWNS) != 0:
        raise OSError(
            "cannot make folders appear at other paths here: this needs root or user namespaces (%s)"
            % os.strerror(ctypes.get_errno())
        )
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)), ("gid_map", "%d %d 1" % (gid, gid))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
    _mount("none", "/", _REC | _PRIVATE)


def _mount(source, target, flags, kind=None, data=None):
    def text(value):
        return None if value is None else os.fsencode(value)

    if _libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "cannot show %s at %s: %s" % (source or kind, target, os.strerror(number)))
