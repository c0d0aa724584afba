"""`/apis/v2beta1/pipelines` and their versions, but for uploads."""

from starlette.requests import Request
from starlette.responses import Response

from lodestep import ids
from lodestep.api import show
from lodestep.api.http import Context, answer, body, change, list_query, nothing, page_answer
from lodestep.api.inputs import PipelineAndVersionIn, PipelineIn, VersionIn
from lodestep.api.naming import check_tags, pipeline_name, version_name
from lodestep.errors import InvalidInput, NotFound
from lodestep.lang.fields import Resource
from lodestep.store import pipelines
from lodestep.store.db import Connection
from lodestep.store.rows import PipelineRow, VersionRow


async def list_(context: Context, request: Request) -> Response:
    namespace = context.settings.namespace
    query = list_query(request, Resource.PIPELINES, namespace)
    rows, total, cursor = await context.store.read(lambda conn: pipelines.page(conn, query, namespace=namespace))
    return page_answer("pipelines", [show.pipeline(row) for row in rows], total, query, cursor)


async def create(context: Context, request: Request) -> Response:
    """A pipeline without a version."""
    row = _new(context, await body(request, PipelineIn))

    def unit(conn: Connection) -> Response:
        pipelines.insert(conn, row)
        return answer(show.pipeline(row))

    return await change(context, request, unit)


async def create_with_version(context: Context, request: Request) -> Response:
    given = await body(request, PipelineAndVersionIn)
    raise _no_fetching(given.pipeline_version.package_url.pipeline_url)


def _new(context: Context, given: PipelineIn) -> PipelineRow:
    name = pipeline_name(given.name or given.display_name)
    tags = given.tags or {}
    check_tags(tags)
    return PipelineRow(
        id=ids.new_id(),
        name=name,
        display_name=pipeline_name(given.display_name or name, place="display_name"),
        description=given.description,
        namespace=context.settings.namespace,
        tags=tags,
        created_ms=context.clock.now_ms(),
    )


async def get(context: Context, request: Request) -> Response:
    row = await context.store.read(lambda conn: existing(conn, request.path_params["pipeline_id"]))
    return answer(show.pipeline(row))


async def get_by_name(context: Context, request: Request) -> Response:
    name, namespace = request.path_params["name"], context.settings.namespace
    row = await context.store.read(lambda conn: pipelines.by_name(conn, name, namespace, salvage=True))
    if row is None:
        raise NotFound(f"pipeline {name!r} does not exist")
    return answer(show.pipeline(row))


async def delete(context: Context, request: Request) -> Response:
    cascade = request.query_params.get("cascade", "").lower() == "true"

    def unit(conn: Connection) -> Response:
        row = existing(conn, request.path_params["pipeline_id"])
        pipelines.delete(conn, row.id, cascade=cascade)
        return nothing()

    return await change(context, request, unit)


async def patch(context: Context, request: Request) -> Response:
    """Changes the display name and the tags; `"tags": {}` clears them."""
    given = await body(request, PipelineIn)

    def unit(conn: Connection) -> Response:
        row = existing(conn, request.path_params["pipeline_id"])
        tags = row.tags if given.tags is None else given.tags
        check_tags(tags)
        name = pipeline_name(given.display_name or row.display_name, place="display_name")
        pipelines.update(conn, row.id, display_name=name, tags=tags)
        return answer(show.pipeline(existing(conn, row.id)))

    return await change(context, request, unit)


# versions


async def list_versions(context: Context, request: Request) -> Response:
    pipeline_id = request.path_params["pipeline_id"]
    query = list_query(request, Resource.VERSIONS, pipeline_id)

    def unit(conn: Connection) -> tuple[list[VersionRow], int, tuple[str | int, str] | None]:
        existing(conn, pipeline_id)
        return pipelines.page_of_versions(conn, pipeline_id, query, with_specs=True)

    rows, total, cursor = await context.store.read(unit)
    return page_answer("pipeline_versions", [show.version(row) for row in rows], total, query, cursor)


async def create_version(context: Context, request: Request) -> Response:
    given = await body(request, VersionIn)
    await context.store.read(lambda conn: existing(conn, request.path_params["pipeline_id"]))
    version_name(given.name or given.display_name or "version")
    raise _no_fetching(given.package_url.pipeline_url)


def _no_fetching(url: str) -> InvalidInput:
    if not url:
        return InvalidInput("there is no package: expected package_url.pipeline_url", hint="or upload the file itself")
    return InvalidInput(
        f"{url!r} is not fetched: this server fetches nothing from other places",
        hint="download the file and upload it: POST /apis/v2beta1/pipelines/upload",
    )


async def get_version(context: Context, request: Request) -> Response:
    """By the version's id alone: the reference does not look at the pipeline's."""
    row = await context.store.read(lambda conn: existing_version(conn, request.path_params["version_id"]))
    return answer(show.version(row))


async def delete_version(context: Context, request: Request) -> Response:
    def unit(conn: Connection) -> Response:
        row = existing_version(conn, request.path_params["version_id"])
        pipelines.delete_version(conn, row.id)
        return nothing()

    return await change(context, request, unit)


async def patch_version(context: Context, request: Request) -> Response:
    given = await body(request, VersionIn)

    def unit(conn: Connection) -> Response:
        row = existing_version(conn, request.path_params["version_id"])
        tags = row.tags if given.tags is None else given.tags
        check_tags(tags)
        name = version_name(given.display_name or row.display_name, place="display_name")
        pipelines.update_version(conn, row.id, display_name=name, tags=tags)
        return answer(show.version(existing_version(conn, row.id)))

    return await change(context, request, unit)


def existing(conn: Connection, pipeline_id: str) -> PipelineRow:
    row = pipelines.get(conn, pipeline_id, salvage=True)
    if row is None:
        raise NotFound(f"pipeline {pipeline_id!r} does not exist")
    return row


def existing_version(conn: Connection, version_id: str) -> VersionRow:
    row = pipelines.get_version(conn, version_id, salvage=True)
    if row is None:
        raise NotFound(f"pipeline version {version_id!r} does not exist")
    return row
