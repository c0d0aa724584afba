"""Python environments for steps that ask for packages: made once for each set of requirements, kept by content.

    HOME/environments/DIGEST/            a virtual environment, complete: it has `lodestep.json`
    HOME/environments/.DIGEST.….partial/ one in the making; a leftover of a crash is swept away

An environment lies on top of what stands in for the step's image (`Requirements.base`): packages that are installed
there are seen too, after its own. Sets that are asked for at the same time are made in parallel; a set that several
ask for is made once. How packages are installed is the business of `installer`.
"""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from lodestep import ids, jsonio, log
from lodestep.config import Settings
from lodestep.errors import InvalidInput
from lodestep.runners import installer
from lodestep.runtime import reap

_logger = log.get("environments")
_PARALLEL = 2
_MARKER = "lodestep.json"
_ON_DISK = "on-disk"  # beside the marker, once all of the environment has reached the disk
_LAYER = "lodestep-base.pth"

EnvironmentFailed = installer.InstallFailed


class Requirements(msgspec.Struct, frozen=True):
    """What a step asks for: words of a `pip install`, and where packages may come from (the first index is the main).

    `base` is the interpreter that runs where nothing is asked for; "" is the server's own.
    """

    packages: tuple[str, ...]
    index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    base: str = ""


class Environment(msgspec.Struct, frozen=True):
    python: str
    digest: str


class _Base(msgspec.Struct, frozen=True):
    """An interpreter: what it is, and where its packages are."""

    version: str
    folders: list[str]


class _Marker(msgspec.Struct, frozen=True):
    """What is said in a finished environment. Indexes are not: their URLs may hold passwords."""

    packages: list[str]
    base: str
    boot: str


class Environments:
    def __init__(self, root: Path, settings: Settings) -> None:
        self._root = root
        self._settings = settings
        self._making: dict[str, asyncio.Task[Environment]] = {}
        self._partial: set[str] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._bases: dict[str, _Base] = {}
        self._places = asyncio.Semaphore(_PARALLEL)
        self._is_swept = False
        self._boot = reap.boot_id()

    async def ensure(self, requirements: Requirements) -> Environment:
        """The environment with these packages, made if need be. Raises `EnvironmentFailed`."""
        base = await self._base(requirements.base or sys.executable)
        digest = _digest(requirements, base)
        folder = self._root / digest
        if digest not in self._making:
            if self._is_whole(folder):
                return Environment(_python(folder), digest)
            self._making[digest] = self._spawn(self._make(requirements, base, folder), digest)
        # One who waits may be cancelled; the others still want it.
        return await asyncio.shield(self._making[digest])

    def _spawn(self, work: Coroutine[Any, Any, Environment], digest: str) -> asyncio.Task[Environment]:
        task = asyncio.get_running_loop().create_task(work)

        def done(_: object) -> None:
            del self._making[digest]
            if not task.cancelled():
                task.exception()  # seen, also where nobody waits any more

        task.add_done_callback(done)
        return task

    def _is_whole(self, folder: Path) -> bool:
        try:
            marker = msgspec.json.decode((folder / _MARKER).read_bytes(), type=_Marker)
        except (OSError, msgspec.DecodeError):
            return False
        # If the machine has gone down since, only what was known to be on the disk is all there.
        is_safe = marker.boot == self._boot or (folder / _ON_DISK).exists()
        return is_safe and os.path.exists(_python(folder))  # its interpreter may have been removed

    # making

    async def _make(self, requirements: Requirements, base: _Base, folder: Path) -> Environment:
        async with self._places:
            partial = folder.with_name(f".{folder.name}.{ids.new_suffix()}.partial")
            self._partial.add(partial.name)
            try:
                await self._sweep()
                await self._build(requirements, base, partial)
                await asyncio.to_thread(_put, partial, folder)
            except OSError as error:
                raise EnvironmentFailed(f"the environment could not be written: {error}", "") from error
            finally:
                self._partial.discard(partial.name)
                await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
        log.event(_logger, logging.INFO, "environment.made", digest=folder.name)
        settling = asyncio.get_running_loop().create_task(asyncio.to_thread(_settle, folder))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        return Environment(_python(folder), folder.name)

    async def _build(self, requirements: Requirements, base: _Base, partial: Path) -> None:
        sources = installer.Sources(requirements.index_urls, requirements.trusted_hosts)
        passed_on = self._settings.runner.pass_environment
        await installer.new_environment(requirements.base or sys.executable, partial, passed_on)
        await installer.install(requirements.packages, sources, partial, passed_on)
        shown = [installer.masked(package) for package in requirements.packages]
        marker = _Marker(packages=shown, base=requirements.base or sys.executable, boot=self._boot)
        await asyncio.to_thread(_finish, partial, base, marker)

    async def _sweep(self) -> None:
        """Remove what a server that was killed left half made."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._is_swept:
            return
        self._is_swept = True
        for name in os.listdir(self._root):
            if name.startswith(".") and name.endswith(".partial") and name not in self._partial:
                await asyncio.to_thread(_remove, self._root / name)

    async def _base(self, python: str) -> _Base:
        """What an interpreter is. Asked once, as long as the file stays the same."""
        try:
            key = f"{python}\0{os.stat(python).st_mtime_ns}"
        except OSError as error:
            raise EnvironmentFailed(f"the interpreter {python} is not there: {error.strerror}", "") from error
        if key not in self._bases:
            said = await installer.ask(python, _QUESTION)
            try:
                self._bases[key] = msgspec.convert(jsonio.decode(said.encode()), _Base)
            except (InvalidInput, msgspec.ValidationError) as error:
                raise EnvironmentFailed(f"{python} is no interpreter that can be built on", said[-2000:]) from error
        return self._bases[key]


_QUESTION = """
import json, sys
folders = [each for each in sys.path if each.rstrip("/").endswith(("site-packages", "dist-packages"))]
print(json.dumps({"version": sys.version, "folders": folders}))
"""


def _digest(requirements: Requirements, base: _Base) -> str:
    own = [sorted(set(requirements.packages)), requirements.index_urls, requirements.trusted_hosts]
    return jsonio.digest(jsonio.canonical([*own, requirements.base or sys.executable, base.version]))[:24]


def _python(folder: Path) -> str:
    return str(folder / "bin" / "python")


def _finish(partial: Path, base: _Base, marker: _Marker) -> None:
    """Lay it on top of its base, and mark it as whole."""
    (site,) = partial.glob("lib/python3*/site-packages")
    (site / _LAYER).write_text("".join(f"import site; site.addsitedir({each!r})\n" for each in base.folders))
    (partial / _MARKER).write_bytes(jsonio.encode(marker))


def _put(partial: Path, folder: Path) -> None:
    """Give a finished environment its name. One that has it already is broken, or it would not have been made."""
    if folder.exists():
        away = partial.with_suffix(".old.partial")
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)
    partial.rename(folder)


def _remove(partial: Path) -> None:
    installer.end_orphans(partial)
    shutil.rmtree(partial, ignore_errors=True)


def _settle(folder: Path) -> None:
    os.sync()  # of many thousands of files, one by one would take minutes
    try:
        (folder / _ON_DISK).touch()
    except OSError:  # removed meanwhile
        pass
