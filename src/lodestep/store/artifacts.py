"""Artifacts, and which tasks took or made each. Only what is known of them: their bytes are elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lodestep.core.model import ArtifactValue
from lodestep.store import listing, shape
from lodestep.store.db import Connection
from lodestep.store.rows import ArtifactRow, ArtifactTaskRow, Problem

_ARTIFACT = shape.Shape("artifact", ArtifactRow, checks={"value": ArtifactValue}, renamed={"key": "key_name"})
_LINK = shape.Shape("artifact_task", ArtifactTaskRow, renamed={"key": "key_name"})

_IS_KNOWN = "SELECT 1 FROM artifact WHERE id = :id"
_UNLINK_TASK = "DELETE FROM artifact_task WHERE task_id = :task_id AND kind = :kind"
_BY_ID = f"SELECT {_ARTIFACT.select} FROM artifact WHERE id = :id"
_BY_URI = f"SELECT {_ARTIFACT.select} FROM artifact WHERE uri = :uri ORDER BY created_ms, id"
_OF_RUN = f"""
    SELECT DISTINCT {_ARTIFACT.select} FROM artifact_task JOIN artifact ON artifact.id = artifact_task.artifact_id
    WHERE artifact_task.run_id = :run_id ORDER BY artifact.created_ms, artifact.id
"""
_LINKS_OF_RUN = (
    f"SELECT {_LINK.select} FROM artifact_task WHERE run_id = :run_id ORDER BY task_id, kind, key_name, position"
)
_LINKS_OF_ARTIFACT = f"SELECT {_LINK.select} FROM artifact_task WHERE artifact_id = :artifact_id ORDER BY task_id, kind"
_LINKED_TO_RUN = "SELECT DISTINCT artifact_id FROM artifact_task WHERE run_id = :run_id"
_UNLINK_RUN = "DELETE FROM artifact_task WHERE run_id = :run_id"
_REMOVE_IF_UNLINKED = """
    DELETE FROM artifact WHERE id = :id
    AND NOT EXISTS (SELECT 1 FROM artifact_task WHERE artifact_id = :id)
"""

FIELDS = {
    "artifact_id": "id",
    "id": "id",
    "name": "name",
    "type": "type",
    "uri": "uri",
    "created_at": "created_ms",
    "namespace": "namespace",
    "run_id": "run_id",
}
_LISTING = listing.Listing(_ARTIFACT, FIELDS)


def record(
    conn: Connection,
    run_id: str,
    task_id: str,
    *,
    inputs: Mapping[str, list[ArtifactValue]] | None = None,
    outputs: Mapping[str, list[ArtifactValue]] | None = None,
    namespace: str = "",
    at_ms: int = 0,
) -> None:
    """Keep what a task took or made, in place of what was kept of it before. Each artifact has its id already.

    An artifact that is known stays as it is: the outputs of a task that was taken from the cache are those of an
    earlier run.
    """
    for kind, links in (("INPUT", inputs), ("OUTPUT", outputs)):
        if links is None:
            continue
        conn.execute(_UNLINK_TASK, {"task_id": task_id, "kind": kind})
        for key, values in links.items():
            for position, value in enumerate(values):
                if not value.id:
                    continue  # a value that was passed in by its URI alone
                _keep(conn, value, run_id=run_id, task_id=task_id, key=key, namespace=namespace, at_ms=at_ms)
                link = ArtifactTaskRow(value.id, task_id, run_id, kind, key, position)
                conn.execute(_LINK.insert, _LINK.values(link))


def get(conn: Connection, artifact_id: str, *, salvage: bool = False) -> ArtifactRow | None:
    """Raises `Corrupt` where it cannot be read, unless what can be is to be had for `salvage`."""
    return _ARTIFACT.find(conn, _BY_ID, {"id": artifact_id}, salvage=salvage)


def by_uri(conn: Connection, uri: str) -> list[ArtifactRow]:
    return _ARTIFACT.show(conn, _BY_URI, {"uri": uri})


def of_run(conn: Connection, run_id: str) -> list[ArtifactRow]:
    """Every artifact that a task of the run took or made."""
    return _ARTIFACT.show(conn, _OF_RUN, {"run_id": run_id})


def page(
    conn: Connection, query: listing.Query, *, namespace: str | None = None, run_id: str | None = None
) -> tuple[list[ArtifactRow], int, listing.Cursor | None]:
    """A page of a list: (rows, total size, where the next page begins). `run_id` is that of the run that made them."""
    return listing.page(conn, _LISTING, query, scope={"namespace": namespace, "run_id": run_id})


def links_of_run(conn: Connection, run_id: str) -> list[ArtifactTaskRow]:
    return _LINK.show(conn, _LINKS_OF_RUN, {"run_id": run_id})


def links_of(conn: Connection, artifact_id: str) -> list[ArtifactTaskRow]:
    """The tasks that made or took an artifact: its lineage, one step each way."""
    return _LINK.show(conn, _LINKS_OF_ARTIFACT, {"artifact_id": artifact_id})


def delete(conn: Connection, run_id: str) -> None:
    """Forget the links of a run, and the artifacts that no other run has a link to."""
    linked = conn.execute(_LINKED_TO_RUN, {"run_id": run_id}).fetchall()
    conn.execute(_UNLINK_RUN, {"run_id": run_id})
    conn.executemany(_REMOVE_IF_UNLINKED, [{"id": artifact_id} for (artifact_id,) in linked])


def _keep(
    conn: Connection, value: ArtifactValue, *, run_id: str, task_id: str, key: str, namespace: str, at_ms: int
) -> None:
    if conn.execute(_IS_KNOWN, {"id": value.id}).fetchone():
        return
    row: dict[str, Any] = {
        "id": value.id,
        "run_id": run_id,
        "task_id": value.producer_task_id or task_id,
        "key": value.producer_key or key,
        "name": value.name,
        "type": value.type,
        "uri": value.uri,
        "digest": value.digest,
        "size": value.size,
        "namespace": namespace,
        "created_ms": at_ms,
        "value": msgspec.json.encode(value),
    }
    conn.execute(_ARTIFACT.insert, row)


def damaged(conn: Connection) -> Iterator[Problem]:
    """Rows that cannot be read."""
    yield from _ARTIFACT.damaged(conn)
