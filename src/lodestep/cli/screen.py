"""The terminal: consoles with our conventions. Standard output is for results, standard error for everything else.

Colour follows NO_COLOR, FORCE_COLOR and whether a terminal is there (rich knows them); the width follows COLUMNS.
"""

import os
import sys

from rich.console import Console

_NO_TERMINAL_WIDTH = 120


def out() -> Console:
    return _console(stderr=False)


def err() -> Console:
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    """A console that neither guesses at highlights nor reads markup: values are shown as they are."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else _NO_TERMINAL_WIDTH
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=False, width=width)
