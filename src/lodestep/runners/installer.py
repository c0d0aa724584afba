"""Packages into a virtual environment, with uv: what it is told, what it may see, and what it says in words.

Passwords in the URLs of indexes and packages are given to uv by its environment and its standard input, which other
users of the machine cannot see, and are masked in whatever is told of it.
"""

import asyncio
import configparser
import os
import re
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uv

_MESSAGE = 300
_DETAIL = 8000
_END_S = 5.0  # how long a process that was killed may take to go
_USERINFO = re.compile(r"(?<=://)[^\s/@'\"`]+(?=@)")
# How a line of what uv says begins that tells of a cause; older releases of it draw trees.
_CAUSE = re.compile(r"\s*(?:╰─▶|├─▶|×|error:|cause:|caused by:)\s*", re.IGNORECASE)

# What an installer needs of this process's environment. The rest may hold what packages must not see, for to build one
# is to run it.
_PASSED_ON = frozenset(
    ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "NETRC", "SSH_AUTH_SOCK")
).union(
    ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LD_LIBRARY_PATH", "CUDA_HOME"),
    ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CPPFLAGS", "PKG_CONFIG_PATH", "MAKEFLAGS"),
    ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)
_PREFIXES = ("UV_", "XDG_", "GIT_")
_INDEX_SETTINGS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_FLAGS = {
    "--pre": "--prerelease=allow",
    "--no-deps": "--no-deps",
    "--no-build-isolation": "--no-build-isolation",
    "--no-index": "--no-index",
}
_WITH_VALUE = ("--only-binary", "--no-binary")


class Sources(msgspec.Struct, frozen=True):
    """Where packages may come from. The first index is the main one; with none, uv's own settings count."""

    index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()


class InstallFailed(Exception):
    """`message` is one line, `detail` the installer's own words; neither shows a password."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(masked(message))
        self.message = masked(message)
        self.detail = masked(detail)


class _Order(msgspec.Struct):
    """What a step's words come to for uv."""

    requirements: list[str] = []
    arguments: list[str] = []
    more_indexes: list[str] = []
    links: list[str] = []


def masked(text: str) -> str:
    """The text without user names and passwords in URLs."""
    return _USERINFO.sub("***", text)


async def new_environment(base: str, folder: Path, passed_on: Sequence[str]) -> None:
    """Make an empty virtual environment of the interpreter `base`. It may be moved later."""
    arguments = ["venv", "--quiet", "--no-project", "--relocatable", "--python", base, str(folder)]
    await _uv(arguments, "", _environment(passed_on), "could not make an environment")


async def install(words: Sequence[str], sources: Sources, folder: Path, passed_on: Sequence[str]) -> None:
    """Install what the words of a `pip install` ask for. Raises `InstallFailed`."""
    order = _order(words)
    if not order.requirements:
        return
    arguments = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *order.arguments]
    env = _environment(passed_on) | _settings(order, sources)
    if sources.index_urls:
        env = {name: value for name, value in env.items() if name != "UV_INDEX_URL"}
    asked = ", ".join(order.requirements)
    await _uv([*arguments, "-r", "-"], "\n".join(order.requirements), env, f"could not install {asked}")


async def ask(python: str, program: str) -> str:
    """What a program prints that an interpreter runs; what it complained of, if it could not."""
    try:
        process = await asyncio.create_subprocess_exec(
            python,
            *("-I", "-c", program),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise InstallFailed(f"the interpreter {python} cannot be started: {error.strerror}", "") from error
    return await _said(process, None)


def end_orphans(folder: Path) -> None:
    """End installers that still work on a folder, though the server that started them is no more."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            process = os.pidfd_open(int(name))
        except OSError:  # it has ended
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if os.fsencode(folder) in file.read():
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    select.select([process], [], [], _END_S)
        except OSError:  # it has ended, or is another user's
            pass
        finally:
            os.close(process)


def _order(words: Sequence[str]) -> _Order:
    order = _Order()
    for word in words:
        name, _, value = word.partition("=")
        if not word.startswith("-"):
            order.requirements.append(_checked(word))
        elif word in _FLAGS:
            order.arguments.append(_FLAGS[word])
        elif name in _WITH_VALUE:
            order.arguments.append(word)
        elif name == "--find-links":
            order.links.append(value)
        elif name == "--extra-index-url":
            order.more_indexes.append(value)
        else:
            raise InstallFailed(
                f"packages_to_install has the option {word!r}, which is not known here: leave it out", ""
            )
    return order


def _checked(requirement: str) -> str:
    """A requirement that is read as that one line, as no option, and into which nothing of ours is put."""
    if re.search(r"[\r\n]|\$\{|\s#|^#", requirement):
        raise InstallFailed(
            f"packages_to_install has {requirement!r}, which is no requirement: give one package each", ""
        )
    return requirement


def _settings(order: _Order, sources: Sources) -> dict[str, str]:
    """Indexes and hosts, as uv takes them from its environment."""
    main, more = list(sources.index_urls[:1]), [*sources.index_urls[1:], *order.more_indexes]
    if not main and not any(name in os.environ for name in _INDEX_SETTINGS):
        main = pip_index()
    found = {
        "UV_DEFAULT_INDEX": " ".join(main),
        "UV_INDEX": " ".join(more),
        "UV_INSECURE_HOST": " ".join(sources.trusted_hosts),
        "UV_FIND_LINKS": ",".join(order.links),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if more else "",  # pip's own way with several indexes
    }
    return {name: value for name, value in found.items() if value}


def pip_index() -> list[str]:
    """The index that pip is set to on this machine, for uv does not look; empty where pip has its default."""
    if url := os.environ.get("PIP_INDEX_URL"):
        return [url]
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "~/.pip/pip.conf", f"{config}/pip/pip.conf"]
    files += [f"{sys.prefix}/pip.conf", os.environ.get("PIP_CONFIG_FILE", "")]
    parser = configparser.RawConfigParser()
    try:
        parser.read(map(os.path.expanduser, files))  # the last one that speaks wins
    except (configparser.Error, UnicodeDecodeError):
        return []
    url = parser.get("install", "index-url", fallback="") or parser.get("global", "index-url", fallback="")
    return [url] if url else []


def _environment(passed_on: Sequence[str]) -> dict[str, str]:
    def is_passed_on(name: str) -> bool:
        wanted = (name.startswith(each[:-1]) if each.endswith("*") else name == each for each in passed_on)
        return name in _PASSED_ON or name.startswith(_PREFIXES) or any(wanted)

    return {name: value for name, value in os.environ.items() if is_passed_on(name)}


async def _uv(arguments: list[str], given: str, env: dict[str, str], failure: str) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            uv.find_uv_bin(),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=env | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"},
            cwd="/",  # no project's settings are meant
            start_new_session=True,
        )
    except OSError as error:
        raise InstallFailed(f"{failure}: uv cannot be started: {error}", "") from error
    said = await _said(process, given.encode())
    if process.returncode != 0:
        raise InstallFailed(f"{failure}: {_cause(said)}", said[-_DETAIL:])


async def _said(process: asyncio.subprocess.Process, given: bytes | None) -> str:
    """Wait for a program; end it, with all that it started, if nobody waits any more."""
    try:
        said, _ = await process.communicate(given)
    finally:
        if process.returncode is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            await process.wait()
    return said.decode(errors="replace").strip()


def _cause(said: str) -> str:
    """The one line of what uv said that tells most: its last cause, with the lines that it goes on in."""
    lines = [line for line in said.splitlines() if line.strip() and not line.lstrip().startswith("hint:")]
    starts = [number for number, line in enumerate(lines) if _CAUSE.match(line)]
    if starts:
        lines = lines[starts[-1] :]
    words = " ".join(_CAUSE.sub("", line, count=1).strip(" │") for line in lines)
    return words if len(words) <= _MESSAGE else f"{words[:_MESSAGE]}…"
