"""The number that every change of a run or a task is given: what feeds and live pages go on from."""

from lodestep.store.db import Connection

_COUNT_UP = "UPDATE counter SET value = value + 1 WHERE name = 'rev'"
_NEWEST = "SELECT value FROM counter WHERE name = 'rev'"


def following(conn: Connection) -> int:
    """A new revision, greater than all before. For the writer."""
    conn.execute(_COUNT_UP)
    return newest(conn)


def newest(conn: Connection) -> int:
    """The newest revision that was given."""
    return int(conn.execute(_NEWEST).fetchone()[0])
