"""`/healthz`, the first thing that every client asks."""

from starlette.requests import Request
from starlette.responses import Response

from lodestep import __version__
from lodestep.api.http import Context, answer


async def healthz(_context: Context, _request: Request) -> Response:
    """Clients that read `multi_user` go on without namespaces; `pipeline_store` tells them that all filters work."""
    return answer({"commit_sha": "", "tag_name": __version__, "multi_user": False, "pipeline_store": "database"})
