"""What `lodestep doctor` looks at. Each check tells what it found and, where that is not well, what to do."""

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from lodestep.cli import session, words
from lodestep.config import Settings
from lodestep.errors import LodestepError
from lodestep.store import checking, db

_LOW_BYTES = 5 * 1024**3
_EMPTY_BYTES = 512 * 1024**2
_OLD_SQLITE = (3, 35, 0)
_PROBE_S = 30


class Report(msgspec.Struct, frozen=True):
    what: str
    level: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def all_of(settings: Settings) -> list[Report]:
    """Every check, in the order in which a person would look."""
    return [check(settings) for check in _CHECKS]


def python(_settings: Settings) -> Report:
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    return Report("Python", "ok", found)


def sdk(_settings: Settings) -> Report:
    from importlib import metadata

    try:
        return Report("SDK", "ok", f"kfp {metadata.version('kfp')}")
    except metadata.PackageNotFoundError:
        return Report(
            "SDK", "warn", "kfp is not in this environment", "only compiled pipelines can be run: pip install kfp"
        )


def home(settings: Settings) -> Report:
    folder = _existing(settings.home_path)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lodestep-doctor-"):
            pass
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        return Report("Home", "fail", f"{settings.home} cannot be written: {why}", "choose another with --home")
    there = "writable" if settings.home_path.is_dir() else f"not there yet, can be made in {folder}"
    return Report("Home", "ok", f"{settings.home}: {there}")


def disk(settings: Settings) -> Report:
    free = shutil.disk_usage(_existing(settings.home_path)).free
    found = f"{words.size(free)} free"
    if free < _EMPTY_BYTES:
        return Report("Disk", "fail", found, "steps will fail for want of space: make room, or move the home")
    if free < _LOW_BYTES:
        return Report("Disk", "warn", found, "environments and artifacts may need more")
    return Report("Disk", "ok", found)


def database(settings: Settings) -> Report:
    """Whether the file and its rows are in order. Read only; a server that runs is not disturbed."""
    version = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _OLD_SQLITE:
        return Report("Database", "fail", version, "3.35 or later is needed: use a newer Python")
    path = settings.home_path / db.FILE
    if not path.exists():
        return Report("Database", "ok", f"{version}; no database yet")
    try:
        conn = db.open_reader(path)
        try:
            problems = checking.check(conn)
        finally:
            conn.close()
    except (LodestepError, sqlite3.Error) as error:
        return Report("Database", "fail", f"{version}; {path}: {error}", "restore it from a copy, or move it away")
    size = words.size(path.stat().st_size)
    if problems:
        first = problems[0]
        found = f"{words.count(len(problems), 'problem')}, the first: {first.table} {first.id}: {first.message}"
        return Report("Database", "fail", f"{version}, {size}; {found}", f"copy {path} before anything else")
    return Report("Database", "ok", f"{version}, {size}, every row in order")


def server(settings: Settings) -> Report:
    if found := session.running(settings):
        return Report("Server", "ok", f"process {found.pid} answers at {found.url}")
    if (settings.home_path / "server.json").exists():
        return Report("Server", "warn", "it ended without a word", "`lodestep up` takes up the runs where they were")
    return Report("Server", "ok", "not running: `lodestep up` starts it")


def port(settings: Settings) -> Report:
    """Whether `lodestep up` could listen. A port that our own server has is in order."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if session.running(settings):
                return Report("Port", "ok", f"{settings.port} is in use by a server, maybe this home's")
            why = os.strerror(error.errno or 0).lower()
            return Report(
                "Port",
                "warn",
                f"{settings.host} port {settings.port}: {why}",
                "start with another: lodestep up --port N",
            )
    return Report("Port", "ok", f"{settings.host} port {settings.port} is free")


def uv(_settings: Settings) -> Report:
    try:
        from uv import find_uv_bin

        said = subprocess.run(
            [find_uv_bin(), "--version"], capture_output=True, text=True, check=True, timeout=_PROBE_S
        )
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        return Report("uv", "fail", f"does not run: {error}", "steps that ask for packages will fail: pip install uv")
    return Report("uv", "ok", said.stdout.strip())


def limits(_settings: Settings) -> Report:
    """In a process of its own, as a step host would: making control groups moves who makes them into one."""
    code = (
        "from lodestep.runtime.cgroups import Groups; made = Groups();"
        "print(*sorted(made.is_v2), 'tracking' if made.host_groups else ''); made.close()"
    )
    probe = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=_PROBE_S)
    found = probe.stdout.split()
    if {"memory", "cpu"} <= set(found):
        return Report("Limits", "ok", "limits of memory and processors are kept by control groups")
    if "memory" in found:
        return Report("Limits", "ok", "limits of memory are kept by control groups, those of processors are not")
    what = "control groups here only track processes" if found else "no control group can be made here"
    return Report("Limits", "warn", what, "a limit of memory holds for each process of a step on its own (rlimit)")


def mounts(_settings: Settings) -> Report:
    """Volumes, secrets and config maps at their paths need a mount namespace of the step's own."""
    code = (
        "import sys; from lodestep.runtime import mounts;"
        "mounts.apply([{'source': sys.argv[1], 'target': sys.argv[2]}], sys.argv[1])"
    )
    with tempfile.TemporaryDirectory(prefix="lodestep-doctor-") as folder:
        command = [sys.executable, "-c", code, folder, "/lodestep-doctor/probe"]
        probe = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PROBE_S)
    if probe.returncode == 0:
        return Report("Mounts", "ok", "steps can see volumes and secrets at the paths that they ask for")
    said = probe.stderr.strip().splitlines()
    return Report(
        "Mounts",
        "warn",
        said[-1].removeprefix("OSError: ") if said else f"the probe ended with code {probe.returncode}",
        "steps with volumes or secrets as files fail here; run as root or allow user namespaces",
    )


def step_hosts(settings: Settings) -> Report:
    """Step hosts outlive their server on purpose; they matter where no server is left to take them up."""
    folder = settings.home_path / "hosts"
    alive = [path for path in folder.glob("*.sock") if _answers(path)] if folder.is_dir() else []
    if not alive:
        return Report("Step hosts", "ok", "none")
    found = words.count(len(alive), "step host") + f" at work: {', '.join(path.stem for path in alive[:5])}"
    if session.running(settings):
        return Report("Step hosts", "ok", found)
    return Report("Step hosts", "warn", found, "their steps run on without a server: `lodestep up` takes them up")


def _answers(path: Path) -> bool:
    """By way of the folder's descriptor: the path of a socket has 108 bytes at most."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _connects(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _existing(path: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


_CHECKS: tuple[Callable[[Settings], Report], ...] = (
    python,
    sdk,
    home,
    disk,
    database,
    server,
    port,
    uv,
    limits,
    mounts,
    step_hosts,
)
