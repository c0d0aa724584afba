"""What of this machine stands in for a step's image: programs by name, and the environment that they see.

An image is never pulled. Its name may be mapped to a virtual environment by the settings (`[runner.images]`); without
that, the server's own environment and the machine's programs serve.
"""

import math
import os
import re
import shutil
import sys
from collections.abc import Mapping

import msgspec

from lodestep.config import RunnerSettings

# What programs need to find their way on this machine. Anything else of the server's environment stays with the server,
# for it may hold what a step must not see.
_PASSED_ON = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"})
_FIRST_WORD = re.compile(
    r"\s*(?:set\s+-[a-z]+(?:\s+-?o?\s*pipefail)?\s*[;\n]\s*|#[^\n]*\n\s*)*([\w./+-]+)(?=[\s;&|]|$)"
)
# Images that everyone uses and that are made from Debian or Ubuntu.
_DEBIAN = frozenset({"debian", "ubuntu", "python", "node", "pytorch", "tensorflow", "cuda", "google-cloud-cli", ""})
# What a shell does itself: a first word of these says nothing of programs.
_BUILTINS = frozenset(
    re.findall(
        r"\w+",
        """
        alias bg bind break builtin caller case cd command compgen complete continue coproc declare dirs disown
        do done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help
        history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return
        select set shift shopt source suspend test then time times trap true type typeset ulimit umask unalias
        unset until wait while
        """,
    )
)


class Stand(msgspec.Struct, frozen=True):
    """What stands in for an image: a folder of programs, and the interpreter of Python steps."""

    bin: str
    python: str
    environment: str = ""  # the virtual environment, if there is one
    beneath: str = ""  # the programs of the environment that this one was made upon


def stand_in(image: str, settings: RunnerSettings) -> Stand:
    """What stands in for `image`: an exact name counts more than a prefix, a longer prefix more than a shorter one."""
    folder = _mapped(image, settings.images)
    if folder:
        folder = os.path.abspath(os.path.expanduser(folder))
        return Stand(os.path.join(folder, "bin"), os.path.join(folder, "bin", "python"), folder)
    own = os.path.dirname(sys.executable)
    return Stand(own, sys.executable, sys.prefix if sys.prefix != sys.base_prefix else "")


def _mapped(image: str, images: Mapping[str, str]) -> str:
    if image in images:
        return images[image]
    prefixes = [name for name in images if name.endswith("*") and image.startswith(name[:-1])]
    return images[max(prefixes, key=len)] if prefixes else ""


def search_path(stand: Stand) -> str:
    own = os.environ.get("PATH") or _SYSTEM_PATH
    first = [folder for folder in (stand.bin, stand.beneath) if folder]
    return os.pathsep.join([*first, *(part for part in own.split(os.pathsep) if part and part not in first)])


def environment(stand: Stand, settings: RunnerSettings) -> dict[str, str]:
    """The environment of every step, before what the step itself asks for."""
    found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    for name in (*_PROXIES, *map(str.upper, _PROXIES)):
        if "@" not in os.environ.get(name, "@"):  # with a password it is the server's alone
            found[name] = os.environ[name]
    for wanted in settings.pass_environment:
        found.update({name: value for name, value in os.environ.items() if _matches(name, wanted)})
    found["PATH"] = search_path(stand)
    if stand.environment:
        found["VIRTUAL_ENV"] = stand.environment
    return found


def threads(cpu_limit: float) -> dict[str, str]:
    """For libraries that count the machine's processors and would start a thread for each."""
    return dict.fromkeys(_THREADS, str(max(1, math.ceil(cpu_limit)))) if cpu_limit else {}


def _matches(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def as_here(image: str, command: list[str]) -> list[str]:
    """The command as it is run on this machine: what an image calls `sh` is not always what this machine calls so.

    Debian's is dash, which knows POSIX alone. That of busybox, Alpine or Red Hat knows `[[ … ]]` and more, as bash.
    """
    if command[:1] not in (["sh"], ["/bin/sh"]) or _has_dash(image) or not shutil.which("bash"):
        return command
    return ["bash", "--posix", *command[1:]]


def _has_dash(image: str) -> bool:
    name, _, tag = image.rpartition("/")[2].partition(":")
    return name in _DEBIAN and "alpine" not in tag


def missing(image: str, command: list[str], settings: RunnerSettings) -> str:
    """Why such a command cannot run here ("" if it can, or if only running it can tell), and what to do."""
    stand = stand_in(image, settings)
    if stand.environment and not os.path.isdir(stand.bin):
        return (
            f"the image {image!r} is mapped to {stand.environment}, which is no virtual environment:"
            " make it, or change [runner.images] in lodestep.toml"
        )
    if not command:
        return (
            f"the step has no command of its own: it needs what is inside the image {image!r}, which is not pulled"
            " here. Give the container component a command"
        )
    path = search_path(stand)
    for program in _programs(command):
        if not _is_there(program, path):
            return (
                f"{program!r} is not on this machine, and the image {image!r} is not pulled here: install it, or map"
                " the image to a virtual environment that has it, with [runner.images] in lodestep.toml"
            )
    return ""


def _programs(command: list[str]) -> list[str]:
    """Programs that the command surely starts: its own, and the first of a shell's script."""
    if "{{" in command[0]:
        return []  # known only once the step's inputs are
    found = [command[0]]
    if command[0] in _SHELLS and len(command) > 2 and re.fullmatch(r"-[a-z]*c", command[1]):
        first = None if "||" in command[2] else _FIRST_WORD.match(command[2])  # a script may expect that it is missing
        if first and first[1] not in _BUILTINS and not first[1].startswith((".", "-")):
            found.append(first[1])
    return found


def _is_there(program: str, path: str) -> bool:
    if "/" in program and not program.startswith("/"):
        return True  # within the step's own folder, which is not there yet
    return shutil.which(program, path=path) is not None
