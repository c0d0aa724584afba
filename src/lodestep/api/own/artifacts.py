"""Artifacts: what is known of them, and their bytes."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from lodestep import jsonio
from lodestep.api import runs
from lodestep.api.http import Context, answer, list_query, page_answer
from lodestep.api.own import tarball
from lodestep.artifacts.local import local_path
from lodestep.clock import rfc3339
from lodestep.core.model import ArtifactValue
from lodestep.errors import InvalidInput, NotFound
from lodestep.lang.fields import Resource
from lodestep.store import artifacts
from lodestep.store.db import Connection
from lodestep.store.rows import ArtifactRow

_ID = re.compile(r"[0-9A-Za-z-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
# Whatever the bytes are, a browser stores them and shows nothing of them.
_HEADERS = {"content-security-policy": "sandbox; default-src 'none'", "x-content-type-options": "nosniff"}


async def list_(context: Context, request: Request) -> Response:
    """All artifacts, page by page; or, with `run_id`, those that the run's tasks took or made."""
    if run_id := request.query_params.get("run_id", ""):
        return await _of_run(context, run_id)
    query = list_query(request, Resource.ARTIFACTS, "")
    rows, total, cursor = await context.store.read(lambda conn: artifacts.page(conn, query))
    return page_answer("artifacts", [_shown(row) for row in rows], total, query, cursor)


async def _of_run(context: Context, run_id: str) -> Response:
    def unit(conn: Connection) -> list[ArtifactRow]:
        runs.existing(conn, run_id)
        return artifacts.of_run(conn, run_id)

    rows = await context.store.read(unit)
    return answer({"artifacts": [_shown(row) for row in rows]})


async def get(context: Context, request: Request) -> Response:
    return answer(_shown(await _existing(context, request.path_params["id"])))


async def download(context: Context, request: Request) -> Response:
    """The bytes: of a file as it is, of a folder as a tar stream."""
    row = await _existing(context, request.path_params["id"])
    path = await asyncio.to_thread(local_path, row.uri, served_roots(context, row))
    name = _UNSAFE.sub("-", Path(path).name or row.name) or "artifact"
    if path.is_dir():
        headers = {**_HEADERS, "content-disposition": f'attachment; filename="{name}.tar"'}
        return StreamingResponse(tarball.stream(path), media_type="application/x-tar", headers=headers)
    if not path.is_file():
        raise NotFound(f"the bytes of artifact {row.id!r} are gone: {row.uri}")
    return FileResponse(
        path,
        media_type="application/octet-stream",
        headers={**_HEADERS, "content-disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"},
    )


def served_roots(context: Context, row: ArtifactRow) -> list[Path]:
    """The folders that are served from: the home's own, and those that the settings name."""
    home = context.settings.home_path
    roots = [home / "artifacts", home / "volumes", *map(Path, context.settings.artifact_roots)]
    if _ID.fullmatch(row.run_id):  # a damaged row must not name a folder of its own
        roots.append(home / "runs" / row.run_id / "workspace")
    return roots


async def _existing(context: Context, artifact_id: str) -> ArtifactRow:
    row = await context.store.read(lambda conn: artifacts.get(conn, artifact_id, salvage=True))
    if row is None:
        raise NotFound(f"artifact {artifact_id!r} does not exist")
    return row


def _shown(row: ArtifactRow) -> dict[str, Any]:
    try:
        metadata = jsonio.decode_as(row.value, ArtifactValue).metadata
    except InvalidInput:
        metadata = {}  # a damaged row: its other columns are shown, and `error` says so
    shown: dict[str, Any] = {
        "artifact_id": row.id,
        "name": row.name,
        "type": row.type,
        "uri": row.uri,
        "metadata": metadata,
        "created_at": rfc3339(row.created_ms),
        "run_id": row.run_id,
        "producer_task_id": row.task_id,
        "producer_key": row.key,
    }
    if row.size >= 0:
        shown["size"] = row.size
    if row.digest:
        shown["digest"] = row.digest
    if row.error:
        shown["error"] = row.error
    return shown
