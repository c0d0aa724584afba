"""`python mutant.py NAME up …`: the command line with one part broken on purpose.

A check of what a crash must not do is worth something only if it sees these.
"""

import sys
import time
from typing import Any

from lodestep import failpoint
from lodestep.cli import main
from lodestep.engine.loop import Loop
from lodestep.store import writer


def answers_before_the_commit() -> None:
    """Who writes is told that it is done while it is not."""
    write, hit = writer.Writer._write, failpoint.hit
    current: list[Any] = []

    def told_first(self: writer.Writer, units: list[Any]) -> None:
        current[:] = units
        write(self, units)

    def passed(name: str) -> None:
        if name == "writer.before-commit":
            writer._answer(current)
            time.sleep(0.2)
        hit(name)

    writer.Writer._write = told_first  # type: ignore[method-assign]
    failpoint.hit = passed


def forgets_what_it_could_not_write() -> None:
    """What came in while the store could not write is dropped."""

    def undone(_self: Loop, _changes: Any, _batch: Any, _error: Any) -> None:
        return

    Loop._undo = undone  # type: ignore[method-assign]


if __name__ == "__main__":
    globals()[sys.argv.pop(1)]()
    sys.exit(main())
