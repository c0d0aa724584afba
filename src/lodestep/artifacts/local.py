"""Where on this machine an artifact lies: the one way from a URI to a path.

A path leaves this module only if it lies below one of the roots after every symlink has been followed, and only if it
is a regular file or a folder. What is outside is refused without a look at it, so that an answer never tells what
exists there. It opens nothing.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes

from lodestep.errors import NotFound, PermissionDenied

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN_CHARS = 200


def local_path(uri: str, roots: Sequence[Path]) -> Path:
    """The real path of a `file://` URI or of an absolute path, below one of `roots`.

    Raises `PermissionDenied` where it is not on this machine or not below a root, `NotFound` where nothing is there.
    """
    path = _plain(uri)
    real_roots = [os.path.realpath(root) for root in roots]
    if not any(_is_below(path, root) for root in [*map(os.path.abspath, roots), *real_roots]):
        raise _refused(uri, "is outside the folders of this server")
    real = os.path.realpath(path)
    if not any(_is_below(real, root) for root in real_roots):
        raise _refused(uri, "leads outside the folders of this server")
    try:
        mode = os.stat(real, follow_symlinks=False).st_mode
    except PermissionError as error:
        raise _refused(uri, "may not be read by this server") from error
    except OSError as error:
        raise NotFound(f"{_shown(uri)} is not there any more") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _refused(uri, "is neither a file nor a folder")
    return Path(real)


def _plain(uri: str) -> str:
    """The path that a URI names, decoded once, of plain names only."""
    if uri.startswith("/"):
        path = uri
    elif uri[:7].lower() == "file://":
        path = _decoded(uri)
    else:
        reason = "is not on this machine" if _SCHEME.match(uri) else "is no absolute path"
        raise _refused(uri, reason)
    try:
        os.fsencode(path)
    except UnicodeError as error:
        raise _refused(uri, "holds what no file name can hold") from error
    if _CONTROL.search(path):
        raise _refused(uri, "holds a control character")
    if path.startswith("//") or ".." in path.split("/"):
        raise _refused(uri, "is no plain path")
    return os.path.normpath(path)


def _decoded(uri: str) -> str:
    host, slash, rest = uri[7:].partition("/")
    if host.lower() not in ("", "localhost"):
        raise _refused(uri, "names another machine")
    if not slash or "?" in rest or "#" in rest:
        raise _refused(uri, "is no file URI with a path alone")
    try:
        return "/" + os.fsdecode(unquote_to_bytes(rest))
    except UnicodeError as error:
        raise _refused(uri, "holds what no file name can hold") from error


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/") and path != root


def _refused(uri: str, reason: str) -> PermissionDenied:
    return PermissionDenied(f"{_shown(uri)} {reason}")


def _shown(uri: str) -> str:
    return repr(uri if len(uri) <= _SHOWN_CHARS else f"{uri[:_SHOWN_CHARS]}…")
