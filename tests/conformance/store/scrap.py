"""A table of the tests' own, which asks nothing of its rows: for what the writer does with any statement."""

from lodestep.store.db import Connection

_MAKE = "CREATE TABLE IF NOT EXISTS scrap (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, body BLOB)"
_IS_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'scrap'"


def put(conn: Connection, run_id: str, body: bytes) -> None:
    if not conn.execute(_IS_THERE).fetchone():
        conn.execute(_MAKE)
    conn.execute("INSERT INTO scrap (run_id, body) VALUES (?, ?)", (run_id, body))


def take_all(conn: Connection) -> list[tuple[int, str, bytes]]:
    """Every row, oldest first."""
    if not conn.execute(_IS_THERE).fetchone():
        return []
    return list(conn.execute("SELECT id, run_id, body FROM scrap ORDER BY id"))
