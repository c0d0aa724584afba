"""Notes which files this process opens, lists, makes and removes, while somebody wants to know."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_WATCHED = {
    "open",
    "os.chmod",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "os.symlink",
    "os.truncate",
    "shutil.copyfile",
    "shutil.copytree",
    "shutil.move",
    "shutil.rmtree",
}
_OWN = [os.path.realpath(folder) for folder in (sys.prefix, sys.base_prefix, Path(__file__).parents[2] / "src")]
_armed: list[list[tuple[str, str]]] = []
_hooked: list[bool] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _armed or event not in _WATCHED:
        return
    for arg in args[:2] if event in ("os.link", "os.rename", "os.symlink") or event.startswith("shutil") else args[:1]:
        if isinstance(arg, str | bytes | os.PathLike):
            path = os.fsdecode(arg)
            if event == "open" and isinstance(args[2], int) and args[2] & os.O_NOFOLLOW:
                path = os.path.join(os.path.dirname(path), ".")  # where it leads is not where it went
            _armed[-1].append((event, path))


@contextmanager
def outside(*roots: Path) -> Iterator[list[str]]:
    """What was touched that is neither below a root nor part of the program. Complete once the block has ended."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)  # for good: there is no way to take it away
    noted: list[tuple[str, str]] = []
    found: list[str] = []
    _armed.append(noted)
    try:
        yield found
    finally:
        _armed.remove(noted)
        real = [os.path.realpath(root) for root in roots]
        found += [f"{event} {path!r}" for event, path in noted if not _is_below(path, [*real, *_OWN])]


def _is_below(path: str, roots: Sequence[str]) -> bool:
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError):
        return False
    return real == os.devnull or any(real == root or real.startswith(f"{root}/") for root in roots)
