"""Processes that the kernel has killed for want of memory somewhere on this machine, as far as that can be told.

The kernel only counts them. A count that has grown while a step ran that was killed says that it was the kernel, unless
a limit of another step explains it. Somebody else's trouble with memory at the same time cannot be told apart.
"""

from __future__ import annotations

import time

_FRESH_S = 1.0


class KernelKills:
    def __init__(self) -> None:
        self._explained = 0
        self._claimed = self._count = _total()
        self._counted_at = time.monotonic()

    def so_far(self) -> int:
        """For a step that begins: what it is not to be blamed on."""
        now = time.monotonic()
        if now - self._counted_at > _FRESH_S:
            self._count, self._counted_at = _total() - self._explained, now
        return self._count

    def explain(self, kills: int) -> None:
        """So many were killed by the limit of one step."""
        self._explained += kills

    def claim(self, since: int, explained: int) -> bool:
        """Has the kernel killed one more since? Each is claimed once. `explained` are those of limits still in use."""
        count = _total() - self._explained - explained
        known = max(since, self._claimed)
        if count <= known:
            return False
        self._claimed = known + 1
        return True


def _total() -> int:
    try:
        with open("/proc/vmstat") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0
