"""The event log of each run: the truth that a run's state is rebuilt from. Only ever appended to."""

from lodestep.store import db
from lodestep.store.db import Connection, Corrupt

_LOG = db.Rows("event", ("run_id", "seq", "at_ms", "body"))
_OF_RUN = "SELECT seq, body FROM event WHERE run_id = :run_id AND seq > :after ORDER BY seq"
_COUNT = "SELECT count(*) FROM event WHERE run_id = :run_id"
_DELETE = "DELETE FROM event WHERE run_id = :run_id"


def append(conn: Connection, run_id: str, first_seq: int, bodies: list[bytes], at_ms: int) -> None:
    """Add events, numbered from `first_seq`. Raises `AlreadyExists` where one of the numbers is taken."""
    _LOG.write(conn, [(run_id, seq, at_ms, body) for seq, body in enumerate(bodies, start=first_seq)])


def of_run(conn: Connection, run_id: str, *, after_seq: int = 0) -> list[bytes]:
    """The events in their order. Raises `Corrupt` where one is missing: the others would tell another story."""
    found = db.fetch(conn, _OF_RUN, {"run_id": run_id, "after": after_seq})
    for expected, (seq, _) in enumerate(found, start=after_seq + 1):
        if seq != expected:
            raise Corrupt(f"event {expected} of run {run_id!r} is missing from its log")
    return [body for _, body in found]


def count(conn: Connection, run_id: str) -> int:
    return int(conn.execute(_COUNT, {"run_id": run_id}).fetchone()[0])


def delete(conn: Connection, run_id: str) -> None:
    conn.execute(_DELETE, {"run_id": run_id})
