"""`lodestep terminate RUN` and `lodestep retry RUN`."""

import json

import click

from lodestep.cli.options import home_option, json_option


@click.command()
@click.argument("run")
@home_option
@json_option
def terminate(*, run: str, home: str | None, as_json: bool) -> None:
    """End a run.

    Its steps get SIGTERM, and SIGKILL when they do not heed it. RUN is an id, the beginning of one, a name, or
    `latest`.
    """
    from lodestep.cli import choose
    from lodestep.cli.session import session

    with session(home) as here:
        found = choose.run(here.client, run)
        here.client.terminate(found.run_id)
    _say(found.run_id, found.display_name, "is being ended", "CANCELING", as_json=as_json)


@click.command()
@click.argument("run")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch it to its end.")
@home_option
@json_option
def retry(*, run: str, wait: bool, home: str | None, as_json: bool) -> int:
    """Run again what failed in a run.

    What succeeded is kept. RUN is an id, the beginning of one, a name, or `latest`.
    """
    from lodestep.cli import choose, watch
    from lodestep.cli.session import session

    with session(home) as here:
        found = choose.run(here.client, run)
        here.client.retry(found.run_id)
        if wait or here.own:
            return watch.to_the_end(here, here.client.run(found.run_id), as_json=as_json)
    _say(found.run_id, found.display_name, "runs again", "RUNNING", as_json=as_json)
    return 0


def _say(run_id: str, name: str, what: str, state: str, *, as_json: bool) -> None:
    click.echo(json.dumps({"run_id": run_id, "state": state}) if as_json else f"run {run_id} ({name}) {what}")
