"""`/pipelines/upload` and `/pipelines/upload_version`: a file, counted and checked before anything is kept."""

import asyncio
from pathlib import PurePosixPath

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lodestep import failpoint, ids, jsonio
from lodestep.api import pipelines as resource
from lodestep.api import show
from lodestep.api.http import Context, answer, change
from lodestep.api.naming import check_tags, pipeline_name, version_name
from lodestep.core import plan
from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec import load
from lodestep.spec.document import PipelineDocument
from lodestep.store import pipelines, specs
from lodestep.store.db import Connection
from lodestep.store.rows import PipelineRow, VersionRow

_FIELD = "uploadfile"
_ENDINGS = (".yaml", ".yml", ".json", ".zip", ".tar.gz", ".tgz", ".gz")


async def upload(context: Context, request: Request) -> Response:
    """A new pipeline, and its first version under the same name."""
    data, filename = await _file(context, request)
    document = await _checked(data, filename)
    given = request.query_params
    name = pipeline_name(given.get("name") or given.get("display_name") or _from_filename(filename) or document.name)
    tags = _tags(given.get("tags", ""))
    now_ms = context.clock.now_ms()
    row = PipelineRow(
        id=ids.new_id(),
        name=name,
        display_name=pipeline_name(given.get("display_name") or name, place="display_name"),
        description=given.get("description") or document.description,
        namespace=context.settings.namespace,
        tags=tags,
        created_ms=now_ms,
    )
    version = VersionRow(
        id=ids.new_id(),
        pipeline_id=row.id,
        name=name[:127],
        display_name=row.display_name,
        description=row.description,
        code_source_url=given.get("code_source_url", ""),
        spec_digest=document.digest,
        tags=tags,
        created_ms=now_ms,
    )

    def unit(conn: Connection) -> Response:
        specs.put(conn, document.digest, document.canonical, now_ms)
        pipelines.insert(conn, row)
        pipelines.insert_version(conn, version)
        return answer(show.pipeline(row))

    failpoint.hit("upload.before-commit")
    made = await change(context, request, unit, content=data)
    failpoint.hit("upload.after-commit")
    return made


async def upload_version(context: Context, request: Request) -> Response:
    data, filename = await _file(context, request)
    document = await _checked(data, filename)
    given = request.query_params
    pipeline_id = given.get("pipelineid", "")
    if not pipeline_id:
        raise InvalidInput("the query has no pipelineid: expected the id of the pipeline")
    name = version_name(given.get("name") or given.get("display_name") or _from_filename(filename) or document.name)
    tags = _tags(given.get("tags", ""))
    now_ms = context.clock.now_ms()
    version = VersionRow(
        id=ids.new_id(),
        pipeline_id=pipeline_id,
        name=name,
        display_name=version_name(given.get("display_name") or name, place="display_name"),
        description=given.get("description") or document.description,
        code_source_url=given.get("code_source_url", ""),
        spec_digest=document.digest,
        tags=tags,
        created_ms=now_ms,
    )

    def unit(conn: Connection) -> Response:
        resource.existing(conn, pipeline_id)
        specs.put(conn, document.digest, document.canonical, now_ms)
        pipelines.insert_version(conn, version)
        return answer(show.version(resource.existing_version(conn, version.id)))

    return await change(context, request, unit, content=data)


async def _file(context: Context, request: Request) -> tuple[bytes, str]:
    limit = context.settings.limits.upload_bytes
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise InvalidInput(f"expected a multipart form with the field {_FIELD!r}")
    await request.body()  # counted by the guard; kept, so that an idempotency key can cover it
    try:
        async with request.form(max_files=2, max_fields=20) as form:
            file = form.get(_FIELD)
            if not isinstance(file, UploadFile):
                raise InvalidInput(f"the form has no file {_FIELD!r}")
            if file.size is not None and file.size > limit:
                raise TooLarge(f"the file has {file.size} bytes: at most {limit}")
            return await file.read(), file.filename or ""
    except HTTPException as error:
        raise InvalidInput(f"the form cannot be read: {str(error.detail).lower()}") from error


async def _checked(data: bytes, filename: str) -> PipelineDocument:
    """Read off the event loop: a large file takes its time."""

    def read() -> PipelineDocument:
        document = load.read_upload(data, filename=filename)
        plan.build(document)  # conditions are compiled here
        return document

    return await asyncio.to_thread(read)


def _from_filename(filename: str) -> str:
    name = PurePosixPath(filename.replace("\\", "/")).name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _tags(text: str) -> dict[str, str]:
    if not text:
        return {}
    found = jsonio.decode(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidInput("tags are no JSON object of texts", place="tags")
    check_tags(found)
    return found
