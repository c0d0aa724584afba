"""Cycles in small directed graphs, without recursion."""

from collections.abc import Mapping, Set


def cycle(arrows: Mapping[str, Set[str]]) -> list[str]:
    """One cycle, its first name again at the end; empty where there is none. All ends must be keys, too."""
    rest = _unordered(arrows)
    if not rest:
        return []
    name = min(rest)
    path: dict[str, None] = {}
    while name not in path:
        path[name] = None
        name = min(rest[name])
    names = list(path)
    return [*names[names.index(name) :], name]


def shown(path: list[str]) -> str:
    """A path for people to read: `'a' → 'b' → 'a'`, its middle left out where it is long."""
    names = [repr(name[:100]) for name in path]
    return " → ".join(names if len(names) <= 8 else [*names[:4], f"{len(names) - 6} more", *names[-2:]])


def ordered(arrows: Mapping[str, Set[str]]) -> list[str]:
    """All names, each behind those that its arrows lead to. Those of a cycle are left out."""
    return _taken(arrows)[0]


def _unordered(arrows: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """What cannot be ordered, with the arrows within it: cycles, and what leads to them."""
    left = _taken(arrows)[1]
    return {name: {end for end in arrows[name] if end in left} for name in left}


def _taken(arrows: Mapping[str, Set[str]]) -> tuple[list[str], set[str]]:
    """Take away what has no arrow to something left, again and again: what was taken, in order, and what stays."""
    left = {name: len(ends) for name, ends in arrows.items()}
    starts: dict[str, list[str]] = {}
    for name, ends in arrows.items():
        for end in ends:
            starts.setdefault(end, []).append(name)
    taken = [name for name, count in left.items() if count == 0]
    for name in taken:  # grows while it is walked
        del left[name]
        for start in starts.get(name, ()):
            left[start] -= 1
            if left[start] == 0:
                taken.append(start)
    return taken, set(left)
