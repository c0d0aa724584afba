"""The database itself: SQLite in WAL mode. How it is opened, how it syncs, what its errors mean.

All that another database would need differently stands here and in `migrations/`; the statements of the other modules
keep to what SQLite, PostgreSQL and MySQL have in common (see docs/decisions/0002). Nobody but the writer opens a
connection that can write, so "database is locked" cannot happen.

Never open the database file by other means within the process: closing any descriptor of it drops SQLite's locks.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lodestep.errors import AlreadyExists, InvariantError, LodestepError, Unavailable

Connection = sqlite3.Connection

FILE = "lodestep.db"
_BUSY_S = 10.0  # for the moment in which another process recovers or closes the file; nobody else ever writes
_STATEMENTS = 512
_BULKS = (64, 16, 4, 1)  # rows a statement; 64 rows of the widest table stay below 999 parameters

# Extended result codes: the disk did not confirm that what was written is there.
_SYNC_CODES = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE})
_DISK_CODES = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_PROTOCOL,
    }
)


class Corrupt(InvariantError):
    """Something stored cannot be read. Names the table and the id, or the file."""


def open_writer(path: Path) -> Connection:
    """The one connection that writes. Makes the file where there is none.

    Raises `Unavailable` where the folder cannot hold such a database, `Corrupt` where the file is none.
    """
    try:
        conn = _connect(str(path))
    except sqlite3.Error as error:
        raise translate(error, place=str(path)) from error
    try:
        mode = conn.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
        conn.execute("PRAGMA temp_store = MEMORY")
        conn.execute("PRAGMA cache_size = -16384")
        conn.execute("PRAGMA journal_size_limit = 67108864")
        # The writer does that itself: an error of the disk in an automatic checkpoint would be told to nobody.
        conn.execute("PRAGMA wal_autocheckpoint = 0")
    except sqlite3.Error as error:
        conn.close()
        raise translate(error, place=str(path)) from error
    if mode != "wal":
        conn.close()
        raise Unavailable(
            f"the database cannot keep a write-ahead log here: its journal mode is {mode}",
            place=str(path),
            hint="choose a home on a local disk",
        )
    return conn


def open_reader(path: Path) -> Connection:
    """A connection that cannot write. Raises `Unavailable` where there is no database."""
    try:
        conn = _connect(f"file:{quote(str(path))}?mode=ro")
    except sqlite3.Error as error:
        raise translate(error, place=str(path)) from error
    conn.execute("PRAGMA query_only = ON")
    conn.execute("PRAGMA temp_store = MEMORY")
    conn.execute("PRAGMA cache_size = -4096")
    return conn


def _connect(name: str) -> Connection:
    return sqlite3.connect(
        name,
        uri=name.startswith("file:"),
        timeout=_BUSY_S,
        isolation_level=None,  # transactions begin where we say so, not behind our back
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )


def sync_fully(conn: Connection, *, full: bool) -> None:
    """Whether the next commits wait for the disk. A commit that does makes all earlier ones durable too."""
    conn.execute("PRAGMA synchronous = FULL" if full else "PRAGMA synchronous = NORMAL")


def checkpoint(conn: Connection) -> None:
    """Bring what the write-ahead log holds into the file, as far as no reader needs it. Waits for nobody."""
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


def begin(conn: Connection) -> None:
    """Begin a transaction that writes, and have the right to at once."""
    conn.execute("BEGIN IMMEDIATE")


def schema(conn: Connection) -> int:
    """The number of the last migration that was applied; 0 is an empty database."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def set_schema(conn: Connection, number: int) -> None:
    """Part of the transaction that it is called in."""
    conn.execute(f"PRAGMA user_version = {int(number)}")


def copy(conn: Connection, target: Path) -> None:
    """A consistent copy of the database, whole and on disk before it has its name."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    made = sqlite3.connect(partial, isolation_level=None)
    try:
        made.execute("PRAGMA synchronous = FULL")
        conn.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # one file, no log beside it
    finally:
        made.close()
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_faults(conn: Connection, most: int) -> list[str]:
    """What is wrong with the file itself."""
    return [str(row[0]) for row in conn.execute(f"PRAGMA integrity_check({int(most)})") if row[0] != "ok"]


def foreign_key_faults(conn: Connection, most: int) -> list[tuple[str, str, str]]:
    """Rows that refer to nothing: (table, row number, table that is referred to)."""
    found = conn.execute("PRAGMA foreign_key_check").fetchmany(most)
    return [(str(table), str(number), str(parent)) for table, number, parent, _ in found]


class Rows:
    """Inserts rows, or changes those that have the same `key`, many by one statement.

    Each statement gives up the interpreter's lock, and a thread that computes hands it back only after the switch
    interval (5 ms by default). Row by row, 2,000 rows beside a busy event loop took 10 s instead of 30 ms.
    """

    def __init__(self, table: str, columns: tuple[str, ...], *, key: str = "") -> None:
        changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
        end = f" ON CONFLICT ({key}) DO UPDATE SET {changes}" if key else ""
        one = f"({', '.join('?' * len(columns))})"
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        self._texts = [(size, start + ", ".join([one] * size) + end) for size in _BULKS]

    def write(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        done = 0
        for size, text in self._texts:
            while len(rows) - done >= size:
                conn.execute(text, tuple(chain.from_iterable(rows[done : done + size])))
                done += size


def fetch(conn: Connection, text: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query. Text that is no UTF-8 comes as bytes, so that one bad row does not hide the others."""
    try:
        return conn.execute(text, given).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    conn.text_factory = _text_or_bytes
    try:
        return conn.execute(text, given).fetchall()
    finally:
        conn.text_factory = str


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def has_tag(column: str, key: str, value: str) -> str:
    """The condition that the JSON object in `column` has the text bound as `value` at the key bound as `key`."""
    return (
        f"EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({column}) THEN {column} ELSE '{{}}' END) AS tag"
        f" WHERE tag.key = :{key} AND tag.value = :{value})"
    )


def is_sync_failure(error: BaseException) -> bool:
    """The disk did not confirm a write: what it holds now is not known, so it must not be tried again."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) in _SYNC_CODES


def is_disk_failure(error: BaseException) -> bool:
    """The transaction failed for the disk's sake, not for that of the unit that ran."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_CODES
    return isinstance(error, OSError)


def is_duplicate(error: sqlite3.IntegrityError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def translate(error: sqlite3.Error | OSError, *, place: str = "") -> LodestepError:
    """What an error of the database means to a caller."""
    if isinstance(error, sqlite3.IntegrityError):
        if is_duplicate(error):
            return AlreadyExists(f"a row with the same key exists: {error}", place=place)
        return InvariantError(f"the database refused a change: {error}", place=place)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(
            f"the database file is damaged: {error}", place=place, hint="run `lodestep doctor`, or restore a backup"
        )
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == 28:
        return Unavailable("the disk is full: nothing was written", place=place, hint="free space and try again")
    if is_disk_failure(error):
        return Unavailable(f"the database cannot be used: {error}", place=place, hint="look at the disk and try again")
    return InvariantError(f"a statement failed: {error}", place=place)
