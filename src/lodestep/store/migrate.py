"""Bringing a database up to the schema of this program.

The scripts in `migrations/` are applied in order, all that are missing in one transaction, after a copy of a database
that has rows. Whatever stops it, the next start finds either the old schema or the new one, and goes on. A released
script is never changed.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from lodestep.errors import FailedPrecondition
from lodestep.store import db
from lodestep.store.db import Connection

SCHEMA = 1  # the number of scripts: kept here so that a usual start reads no folder
_FOLDER = Path(__file__).parent / "migrations"


def bring_up(conn: Connection, path: Path, scripts: Sequence[str] | None = None) -> None:
    """Apply what is missing. `scripts` stand for the released ones in tests.

    Raises `FailedPrecondition` where a newer program has brought the database further.
    """
    wanted = SCHEMA if scripts is None else len(scripts)
    found = db.schema(conn)
    if found > wanted:
        raise FailedPrecondition(
            f"the database has schema {found}, this program knows schemas up to {wanted}",
            place=str(path),
            hint="a newer Lodestep has used this home: install that one, or restore the copy made before the upgrade",
        )
    if found == wanted:
        return
    if found > 0:
        db.copy(conn, path.with_name(f"{path.name}.schema-{found}"))
    _apply(conn, (scripts or released())[found:], wanted)
    db.sync_folder(path.parent)


def released() -> list[str]:
    """The scripts of this program, in order."""
    return [path.read_text() for path in sorted(_FOLDER.glob("[0-9]*.sql"))]


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one."""
    pending = ""
    for line in script.splitlines(keepends=True):
        if not pending and (not line.strip() or line.startswith("--")):
            continue
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if pending.strip():
        raise ValueError(f"a migration ends within a statement: {pending.strip()[:80]!r}")


def _apply(conn: Connection, scripts: Sequence[str], wanted: int) -> None:
    db.sync_fully(conn, full=True)
    db.begin(conn)
    try:
        for script in scripts:
            for statement in statements(script):
                conn.execute(statement)
        db.set_schema(conn, wanted)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
