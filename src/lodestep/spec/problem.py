"""One thing that is wrong with a document."""

import difflib
from collections.abc import Collection
from itertools import islice

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """`wanted` and `known` are of a reference that leads nowhere."""

    place: str
    message: str
    advice: str = ""
    wanted: str = ""
    known: Collection[str] = ()

    @property
    def hint(self) -> str:
        """What to do. Worked out when it is asked for: to look for a similar name takes time."""
        if not self.wanted:
            return self.advice
        near = difflib.get_close_matches(self.wanted, list(islice(self.known, 500)), n=1)
        return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(islice(self.known, 10)) or 'none'}"


def unknown(place: str, noun: str, name: str, known: Collection[str]) -> Problem:
    """A reference that leads nowhere."""
    shown = name[:200]
    return Problem(place, f"there is no {noun} {shown!r}", wanted=shown or "?", known=known)
