"""The server about itself, and what of a pipeline it could not run."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from lodestep import __version__
from lodestep.api import new_run
from lodestep.api.http import Context, answer, body
from lodestep.api.inputs import PreflightIn
from lodestep.core.states import RUN_TERMINAL
from lodestep.errors import InvalidInput
from lodestep.store import runs


async def status(context: Context, _request: Request) -> Response:
    counts = await context.store.read(runs.counts)
    return answer(
        {
            "version": __version__,
            "home": context.settings.home,
            **context.engine.status(),
            "open_runs": sum(count for state, count in counts.items() if state not in RUN_TERMINAL),
            "runs": counts,
            "store_failure": context.store.failure,
        }
    )


async def preflight(context: Context, request: Request) -> Response:
    """What cannot run here, told before a run is submitted: `{problems: [{task, message}]}`."""
    given = await body(request, PreflightIn)
    if given.pipeline_spec is None:
        raise InvalidInput("there is no pipeline_spec", place="body.pipelineSpec")
    document = await asyncio.to_thread(new_run.checked, given.pipeline_spec)
    problems = [{"task": task, "message": message} for task, message in context.engine.preflight(document)]
    return answer({"problems": problems})
