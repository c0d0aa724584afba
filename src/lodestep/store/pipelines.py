"""Pipelines, and the versions of each."""

import sqlite3
from collections.abc import Iterator

from lodestep import jsonio
from lodestep.errors import AlreadyExists, FailedPrecondition, NotFound
from lodestep.store import db, listing, shape, specs
from lodestep.store.db import Connection
from lodestep.store.rows import PipelineRow, Problem, VersionRow

_PIPELINE = shape.Shape("pipeline", PipelineRow)
_VERSION = shape.Shape("pipeline_version", VersionRow)
_WITH_SPEC = "LEFT JOIN spec ON spec.digest = pipeline_version.spec_digest"

_BY_ID = f"SELECT {_PIPELINE.select} FROM pipeline WHERE id = :id"
_BY_NAME = f"SELECT {_PIPELINE.select} FROM pipeline WHERE namespace = :namespace AND name = :name"
_CHANGE = "UPDATE pipeline SET display_name = :display_name, tags = :tags WHERE id = :id"
_DELETE = "DELETE FROM pipeline WHERE id = :id"
_VERSION_BY_ID = f"SELECT {_VERSION.select}, spec.canonical FROM pipeline_version {_WITH_SPEC} WHERE id = :id"
_NEWEST_VERSION = f"""
    SELECT {_VERSION.select}, spec.canonical FROM pipeline_version {_WITH_SPEC}
    WHERE pipeline_id = :pipeline_id ORDER BY pipeline_version.created_ms DESC, pipeline_version.id DESC LIMIT 1
"""
_VERSION_BY_NAME = f"""
    SELECT {_VERSION.select}, spec.canonical FROM pipeline_version {_WITH_SPEC}
    WHERE pipeline_id = :pipeline_id AND name = :name
"""
_CHANGE_VERSION = "UPDATE pipeline_version SET display_name = :display_name, tags = :tags WHERE id = :id"
_SPEC_DIGEST = "SELECT spec_digest FROM pipeline_version WHERE id = :id"
_DELETE_VERSION = "DELETE FROM pipeline_version WHERE id = :id"
_VERSIONS_OF = "SELECT id FROM pipeline_version WHERE pipeline_id = :pipeline_id"

FIELDS = {
    "pipeline_id": "id",
    "id": "id",
    "name": "name",
    "display_name": "display_name",
    "created_at": "created_ms",
    "description": "description",
    "namespace": "namespace",
}
VERSION_FIELDS = {
    "pipeline_version_id": "id",
    "id": "id",
    "name": "name",
    "display_name": "display_name",
    "created_at": "created_ms",
    "description": "description",
}
_LISTING = listing.Listing(_PIPELINE, FIELDS, tags="tags")
_VERSION_LISTING = listing.Listing(_VERSION, VERSION_FIELDS, tags="tags", join=_WITH_SPEC, joined="spec.canonical")


def insert(conn: Connection, row: PipelineRow) -> None:
    """Raises `AlreadyExists` where the namespace has one of this name."""
    try:
        conn.execute(_PIPELINE.insert, _PIPELINE.values(row))
    except sqlite3.IntegrityError as error:
        if not db.is_duplicate(error):
            raise
        where = f" in namespace {row.namespace!r}" if row.namespace else ""
        raise AlreadyExists(
            f"a pipeline with the name {row.name!r} exists{where}",
            hint="choose another name, or upload a version of that pipeline",
        ) from error


def get(conn: Connection, pipeline_id: str, *, salvage: bool = False) -> PipelineRow | None:
    """Raises `Corrupt` where it cannot be read, unless what can be is to be had for `salvage`."""
    return _PIPELINE.find(conn, _BY_ID, {"id": pipeline_id}, salvage=salvage)


def by_name(conn: Connection, name: str, namespace: str = "", *, salvage: bool = False) -> PipelineRow | None:
    return _PIPELINE.find(conn, _BY_NAME, {"name": name, "namespace": namespace}, salvage=salvage)


def page(
    conn: Connection, query: listing.Query, *, namespace: str | None = None
) -> tuple[list[PipelineRow], int, listing.Cursor | None]:
    """A page of a list: (rows, total size, where the next page begins)."""
    return listing.page(conn, _LISTING, query, scope={"namespace": namespace})


def update(conn: Connection, pipeline_id: str, *, display_name: str, tags: dict[str, str]) -> None:
    """Raises `NotFound`."""
    given = {"id": pipeline_id, "display_name": display_name, "tags": jsonio.encode_text(tags)}
    if conn.execute(_CHANGE, given).rowcount == 0:
        raise NotFound(f"pipeline {pipeline_id!r} does not exist")


def delete(conn: Connection, pipeline_id: str, *, cascade: bool = False) -> None:
    """Raises `NotFound`, or `FailedPrecondition` where it has versions and `cascade` does not include them."""
    versions = conn.execute(_VERSIONS_OF, {"pipeline_id": pipeline_id}).fetchall()
    if versions and not cascade:
        raise FailedPrecondition(
            f"pipeline {pipeline_id!r} has {len(versions)} version{'s' if len(versions) > 1 else ''}",
            hint="delete its versions first, or say cascade=true",
        )
    for (version_id,) in versions:
        delete_version(conn, version_id)
    if conn.execute(_DELETE, {"id": pipeline_id}).rowcount == 0:
        raise NotFound(f"pipeline {pipeline_id!r} does not exist")


def insert_version(conn: Connection, row: VersionRow) -> None:
    """Its pipeline and its spec are there already. Raises `AlreadyExists` where the pipeline has one of this name."""
    try:
        conn.execute(_VERSION.insert, _VERSION.values(row))
    except sqlite3.IntegrityError as error:
        if not db.is_duplicate(error):
            raise
        raise AlreadyExists(
            f"pipeline {row.pipeline_id!r} has a version with the name {row.name!r}", hint="choose another name"
        ) from error


def get_version(conn: Connection, version_id: str, *, salvage: bool = False) -> VersionRow | None:
    """The version with its spec. Raises `Corrupt` as `get` does."""
    return _VERSION.find(conn, _VERSION_BY_ID, {"id": version_id}, salvage=salvage)


def newest_version(conn: Connection, pipeline_id: str) -> VersionRow | None:
    """The version that a pipeline stands for where none is named, with its spec."""
    return _VERSION.find(conn, _NEWEST_VERSION, {"pipeline_id": pipeline_id})


def version_by_name(conn: Connection, pipeline_id: str, name: str) -> VersionRow | None:
    return _VERSION.find(conn, _VERSION_BY_NAME, {"pipeline_id": pipeline_id, "name": name})


def page_of_versions(
    conn: Connection, pipeline_id: str, query: listing.Query, *, with_specs: bool = False
) -> tuple[list[VersionRow], int, listing.Cursor | None]:
    """A page of a list: (rows, total size, where the next page begins)."""
    return listing.page(conn, _VERSION_LISTING, query, scope={"pipeline_id": pipeline_id}, joined=with_specs)


def update_version(conn: Connection, version_id: str, *, display_name: str, tags: dict[str, str]) -> None:
    """Raises `NotFound`."""
    given = {"id": version_id, "display_name": display_name, "tags": jsonio.encode_text(tags)}
    if conn.execute(_CHANGE_VERSION, given).rowcount == 0:
        raise NotFound(f"pipeline version {version_id!r} does not exist")


def delete_version(conn: Connection, version_id: str) -> None:
    """Raises `NotFound`. Runs of it keep its spec."""
    found = conn.execute(_SPEC_DIGEST, {"id": version_id}).fetchone()
    if found is None:
        raise NotFound(f"pipeline version {version_id!r} does not exist")
    conn.execute(_DELETE_VERSION, {"id": version_id})
    specs.remove_unused(conn, found[0])


def damaged(conn: Connection) -> Iterator[Problem]:
    """Rows that cannot be read."""
    yield from _PIPELINE.damaged(conn)
    yield from _VERSION.damaged(conn)
