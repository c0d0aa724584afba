"""Events that were accepted for a run and not yet decided on."""

from lodestep.store.db import Connection

_PUT = "INSERT INTO inbox (run_id, body) VALUES (:run_id, :body)"
_ALL = "SELECT id, run_id, body FROM inbox ORDER BY id"
_REMOVE = "DELETE FROM inbox WHERE id = :id"
_DELETE = "DELETE FROM inbox WHERE run_id = :run_id"


def put(conn: Connection, run_id: str, event: bytes) -> None:
    conn.execute(_PUT, {"run_id": run_id, "body": event})


def take_all(conn: Connection) -> list[tuple[int, str, bytes]]:
    """Everything that waits, oldest first: (id, run id, event). It stays until `remove`."""
    return list(conn.execute(_ALL))


def remove(conn: Connection, ids: list[int]) -> None:
    conn.executemany(_REMOVE, [{"id": number} for number in ids])


def delete(conn: Connection, run_id: str) -> None:
    conn.execute(_DELETE, {"run_id": run_id})
