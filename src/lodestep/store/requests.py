"""The answers that requests with an idempotency key were given, so that a repetition gets the same and does nothing.

`put` belongs into the same transaction as the effect of the request.
"""

from lodestep.errors import InvalidInput
from lodestep.store import shape
from lodestep.store.db import Connection
from lodestep.store.rows import RequestRow

_REQUEST = shape.Shape("request", RequestRow, renamed={"key": "request_key"})
_FIND = f"SELECT {_REQUEST.select} FROM request WHERE request_key = :key AND scope = :scope"
_SWEEP = "DELETE FROM request WHERE created_ms < :before_ms"


def find(conn: Connection, key: str, scope: str, *, digest: str | None = None) -> RequestRow | None:
    """The answer that was given to the key in the scope (method and path), if any.

    Raises `InvalidInput` where `digest` is given and the earlier request had another body.
    """
    record = conn.execute(_FIND, {"key": key, "scope": scope}).fetchone()
    if record is None:
        return None
    found = _REQUEST.one(record)
    if digest is not None and digest != found.digest:
        raise InvalidInput(
            f"the idempotency key {key!r} was used for another request to {scope}",
            hint="use a fresh key for each request, the same only to repeat it",
        )
    return found


def put(
    conn: Connection,
    key: str,
    scope: str,
    *,
    digest: str,
    status: int,
    headers: dict[str, str],
    body: bytes,
    created_ms: int,
) -> None:
    """Remember an answer. Raises `AlreadyExists` where the key has one."""
    row = RequestRow(key, scope, digest, status, headers, body, created_ms)
    conn.execute(_REQUEST.insert, _REQUEST.values(row))


def sweep(conn: Connection, before_ms: int) -> int:
    """Forget answers that were given before `before_ms`. Returns how many."""
    return conn.execute(_SWEEP, {"before_ms": before_ms}).rowcount
