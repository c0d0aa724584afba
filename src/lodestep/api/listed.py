"""Runs as lists show them, kept in that form: a run is shown the same until its revision changes."""

import msgspec

from lodestep import jsonio
from lodestep.api import show
from lodestep.store.rows import RunRow

_KEPT = 2048
_KEPT_BYTES = 8 * 1024  # a larger one is made anew each time: with all of them, this takes 16 MiB at most


class ListedRuns:
    def __init__(self) -> None:
        self._known: dict[tuple[str, int], msgspec.Raw] = {}

    def of(self, row: RunRow) -> msgspec.Raw:
        """The JSON of a run without its tasks."""
        key = (row.id, row.rev)
        known = self._known.get(key)
        if known is None:
            encoded = jsonio.encode(show.run(row))
            known = msgspec.Raw(encoded)
            if len(encoded) <= _KEPT_BYTES and not row.error:
                self._keep(key, known)
        return known

    def _keep(self, key: tuple[str, int], shown: msgspec.Raw) -> None:
        if len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]  # the oldest
        self._known[key] = shown
