"""`python -m bench [--quick] [--json] [--only WORD]`: every budget beside a floor or a peer of the same minute.

Numbers of one machine and one minute: read the ratios. `--quick` does smaller runs and fewer rounds.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator

from bench import rows_run, rows_serve, rows_start
from bench.measure import Row


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--only", default="", help="only benchmarks whose name holds this")
    given = parser.parse_args()
    rows: list[Row] = []
    for name, bench in _benches(given.quick).items():
        if given.only in name:
            _note(f"{name} …")
            start = time.perf_counter()
            rows += bench()
            _note(f"{name}: {time.perf_counter() - start:.1f} s")
    if given.json:
        print(json.dumps({"machine": _machine(), "rows": [row._asdict() for row in rows]}, indent=2))
    else:
        print(_table(rows))
    missed = [row.what for row in rows if row.met is False]
    if missed:
        _note(f"over budget: {', '.join(missed)}")
    return 1 if missed else 0


def _benches(quick: bool) -> dict[str, Callable[[], Iterator[Row]]]:
    rounds = 3 if quick else 9
    return {
        "import": lambda: rows_start.imports(rounds),
        "load": lambda: rows_start.loading(min(rounds, 5)),
        "start": lambda: rows_start.server_start(min(rounds, 5)),
        "chain": lambda: rows_run.chain(1 if quick else 3),
        "fan-out": lambda: rows_run.fan_out(200 if quick else 1_000),
        "loop": lambda: rows_run.loops(1_000 if quick else 10_000),
        "list": lambda: rows_serve.listing(10_000 if quick else 100_000, 200 if quick else 500),
        "noisy": lambda: rows_serve.noisy(4 if quick else 10),
        "idle": lambda: rows_serve.idle(5 if quick else 10),
    }


def _machine() -> dict[str, str | int]:
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count() or 1,
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _table(rows: list[Row]) -> str:
    """A Markdown table with even columns: for people, and for the README."""
    head = ("what", "now", "floor or peer, same run", "ratio", "budget", "")
    marks = {True: "met", False: "MISSED", None: ""}
    cells = [head, *((*row[:5], marks[row.met]) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    about = _machine()
    where = f"{about['processors']} processors, Python {about['python']}, load {about['load']}"
    lines += ["", f"C is a bare `python -c pass` here. {where}."]
    return "\n".join(lines)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
