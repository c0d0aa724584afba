"""Pipeline documents by digest: each is kept once, however many versions and runs use it."""

from lodestep.store import db
from lodestep.store.db import Connection

_IS_KNOWN = "SELECT 1 FROM spec WHERE digest = :digest"
_ADD = "INSERT INTO spec (digest, canonical, created_ms) VALUES (:digest, :canonical, :created_ms)"
_CANONICAL = "SELECT canonical FROM spec WHERE digest = :digest"
_REMOVE_IF_UNUSED = """
    DELETE FROM spec WHERE digest = :digest
    AND NOT EXISTS (SELECT 1 FROM run WHERE spec_digest = :digest)
    AND NOT EXISTS (SELECT 1 FROM pipeline_version WHERE spec_digest = :digest)
"""


def put(conn: Connection, digest: str, canonical: bytes, created_ms: int = 0) -> None:
    """Keep a document. Does nothing where it is kept already."""
    if conn.execute(_IS_KNOWN, {"digest": digest}).fetchone() is None:
        conn.execute(_ADD, {"digest": digest, "canonical": canonical, "created_ms": created_ms})


def get(conn: Connection, digest: str) -> bytes | None:
    found = db.fetch(conn, _CANONICAL, {"digest": digest})
    if not found:
        return None
    stored = found[0][0]
    return stored if isinstance(stored, bytes) else str(stored).encode()  # a foreign hand may have left anything


def remove_unused(conn: Connection, digest: str) -> None:
    """Forget a document that no run and no version uses any more."""
    conn.execute(_REMOVE_IF_UNUSED, {"digest": digest})
