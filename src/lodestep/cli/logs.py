"""`lodestep logs RUN [TASK]`: what the steps wrote."""

import click

from lodestep.cli.options import home_option, json_option


@click.command()
@click.argument("run")
@click.argument("task", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on as they write, until they end.")
@click.option("--attempt", type=click.IntRange(1), help="Which attempt.  [default: the last]")
@click.option("--timestamps", "-t", is_flag=True, help="Begin each line with its time.")
@home_option
@json_option
def logs(
    *,
    run: str,
    task: str | None,
    follow: bool,
    attempt: int | None,
    timestamps: bool,
    home: str | None,
    as_json: bool,
) -> None:
    """Print what the steps of a run wrote.

    RUN is an id, the beginning of one, a name, or `latest`. TASK is a task's path or name, or that of a group of
    tasks; without it, all steps. With --json, one object a line.
    """
    from lodestep.cli import choose, logtext
    from lodestep.cli.session import session

    with session(home) as here:
        found = choose.run(here.client, run)
        printer = logtext.Printer(as_json=as_json)
        wanted = logtext.Wanted(attempt=attempt or 0, timestamps=timestamps)
        if follow:
            logtext.follow(here.client, found.run_id, task, wanted, printer)
        else:
            logtext.once(here.client, found.run_id, task, wanted, printer)
