"""The script by which a component installs its packages, read as the list of its `pip install` commands.

Understands what the compilers of Kubeflow Pipelines 2.x write, with any packages and the options of pip that people
put among them. Anything else is answered with None: what is not understood must not be done in part.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

_PREAMBLE = re.compile(
    r'if ! \[ -x "\$\(command -v pip\)" \]; then\s+'
    r"python3? -m ensurepip \|\| python3? -m ensurepip --user \|\| apt-get install python3-pip\s+fi\s+"
)
# Makes the environment that packages go to. Here they have one of their own anyway.
_VENV = re.compile(
    r"\s*export PIP_DISABLE_PIP_VERSION_CHECK=1\s+tmp=\$\(mktemp -d\)\s+"
    r'python3? -m venv "\$tmp/venv" --system-site-packages\s+\. "\$tmp/venv/bin/activate"\s+'
)
_START = "PIP_DISABLE_PIP_VERSION_CHECK=1 "
_END = re.compile(r'\s*&&\s*"\$0" "\$@"\s*')
_COMMANDS = (["python3", "-m", "pip", "install"], ["python", "-m", "pip", "install"])

# Options without a value that say nothing where the environment is new and there is nobody to talk to.
_IDLE = frozenset(
    ("--quiet", "-q", "-qq", "-qqq", "--verbose", "-v", "--no-input", "--upgrade", "-U", "--user", "--no-user")
).union(
    ("--no-warn-script-location", "--no-warn-conflicts", "--disable-pip-version-check", "--break-system-packages"),
    ("--force-reinstall", "--ignore-installed", "-I", "--prefer-binary", "--no-cache-dir"),
)
_IDLE_WITH_VALUE = frozenset(
    ("--progress-bar", "--root-user-action", "--timeout", "--default-timeout", "--retries", "--cache-dir")
).union(("--upgrade-strategy",))
_FLAGS = frozenset(["--pre", "--no-deps", "--no-build-isolation", "--no-index"])
_WITH_VALUE = {
    "--find-links": "--find-links",
    "-f": "--find-links",
    "--only-binary": "--only-binary",
    "--no-binary": "--no-binary",
    "--extra-index-url": "--extra-index-url",
    "--index-url": "--index-url",
    "-i": "--index-url",
    "--trusted-host": "--trusted-host",
}


@dataclass
class Install:
    """One `pip install`. `index_urls` has the main index first; extra ones without a main one are among the options."""

    requirements: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)  # flags, and `--name=value`
    index_urls: list[str] = field(default_factory=list)
    trusted_hosts: list[str] = field(default_factory=list)


def installs(script: str) -> list[Install] | None:
    """What a script installs before it goes on with its arguments; None if that is not all it does."""
    body = _PREAMBLE.sub("", script.strip(), count=1)
    end = _END.search(body)
    if not body.startswith(_START) or end is None or end.end() != len(body):
        return None
    words = _words(_VENV.sub(" ", body[len(_START) : end.start()], count=1).strip())
    if words is None:
        return None
    found: list[Install] = []
    for command in _divided(words):
        if command[:4] not in _COMMANDS:
            return None
        install = _install(command[4:])
        if install is None:
            return None
        found.append(install)
    return found


def _words(text: str) -> list[str] | None:
    """The words of a line of shell; None if it asks more of a shell than to take quotes away."""
    outside = re.sub(r"'[^']*'", "", text)
    if re.search(r"[\n$`\\*?\[#~]", re.sub(r'"[^"$`\\]*"', "", outside)):
        return None
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an open quote
        return None


def _divided(words: list[str]) -> list[list[str]]:
    """The commands between `&&`."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def _install(words: list[str]) -> Install | None:
    found = Install()
    extra: list[str] = []
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word in _IDLE:
            continue
        if word in _FLAGS:
            found.options.append(word)
        elif name in _WITH_VALUE or name in _IDLE_WITH_VALUE:
            value = value or next(rest, "")
            if not value:
                return None
            _take(found, extra, _WITH_VALUE.get(name, ""), value)
        elif word.startswith("-") or re.fullmatch(r"[&|;<>()]+", word):
            return None
        else:
            found.requirements.append(word)
    if found.index_urls:
        found.index_urls += extra
    else:
        found.options += ["--extra-index-url=" + url for url in extra]
    return found


def _take(found: Install, extra: list[str], name: str, value: str) -> None:
    if name == "--index-url":
        found.index_urls[:0] = [value]
    elif name == "--extra-index-url":
        extra.append(value)
    elif name == "--trusted-host":
        found.trusted_hosts.append(_host(value))
    elif name:
        found.options.append(name + "=" + value)


def _host(value: str) -> str:
    """`host[:port]` of what compilers give for one, which is a whole URL."""
    return re.sub(r"^\w+://", "", value).partition("/")[0].rpartition("@")[2]
