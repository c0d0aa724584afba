"""One owner for a home: a lock that is held for as long as the server lives.

It is a `flock` on a file of its own (the database's locks are SQLite's business), so the system drops it the moment
its owner dies, however that was. The file says who the owner is; it is never removed, because a lock on a removed file
locks nothing.
"""

import errno
import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from lodestep.errors import FailedPrecondition, Unavailable

FILE = "lodestep.lock"
_PATIENCE_S = 0.5  # how long an owner may take to write its name after it has taken the lock
_LOOK_AGAIN_S = 0.01


class HomeLock:
    def __init__(self, descriptor: int) -> None:
        """Use `acquire`."""
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, home: Path, url: str) -> "HomeLock":
        """Become the owner of a home. `url` is where this server answers.

        Raises `FailedPrecondition`, which names the owner, where there is one, and `Unavailable` where the file system
        gives no lock.
        """
        path = home / FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"cannot open the lock file: {os.strerror(error.errno or 0)}", place=str(path)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_owner(descriptor, url)
        except OSError as error:
            refusal = _refusal(descriptor, error, home)
            os.close(descriptor)
            raise refusal from error
        return cls(descriptor)

    def release(self) -> None:
        """Give the home up. Does nothing the second time."""
        if self._descriptor >= 0:
            try:
                os.ftruncate(self._descriptor, 0)
            except OSError:
                pass  # whoever reads the name finds its process gone
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "HomeLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _write_owner(descriptor: int, url: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)


def _refusal(descriptor: int, error: OSError, home: Path) -> Exception:
    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
        return Unavailable(f"cannot lock the home: {os.strerror(error.errno or 0)}", place=str(home / FILE))
    owner = _read_owner(descriptor)
    who = f"process {owner['pid']} at {owner['url']}" if owner else "a process that has not said its name yet"
    return FailedPrecondition(
        f"another server owns this home: {who}",
        place=str(home),
        hint="use that server, end it, or choose another home with --home",
    )


def _read_owner(descriptor: int) -> dict[str, Any] | None:
    """Who holds the lock. A name whose process is gone is that of an earlier owner: the new one is about to write."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            owner = json.loads(os.pread(descriptor, 65536, 0))
            if _lives(int(owner["pid"])):
                return {"pid": owner["pid"], "url": owner["url"]}
        except (ValueError, KeyError, TypeError):
            pass  # not written yet
        if time.monotonic() > until:
            return None
        time.sleep(_LOOK_AGAIN_S)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
