"""`lodestep show RUN`: one run, whole."""

import time

import click

from lodestep.cli.options import home_option, json_option


@click.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Watch it to its end, as `lodestep run` does.")
@click.option("--all", "everything", is_flag=True, help="Also every iteration of long loops.")
@click.option("--inputs", is_flag=True, help="Also what each step was given.")
@home_option
@json_option
def show(*, run: str, follow: bool, everything: bool, inputs: bool, home: str | None, as_json: bool) -> int:
    """Show one run: its tasks, outputs and failures.

    RUN is an id, the beginning of one, a name (the newest run of that name), or `latest`. With --follow the exit code
    tells how the run ended, as with `lodestep run`.
    """
    from lodestep.cli import choose, draw, screen, watch
    from lodestep.cli.session import session
    from lodestep.cli.tree import Tree

    with session(home) as here:
        found = choose.run(here.client, run)
        if follow and found.state not in draw.RUN_ENDED:
            return watch.to_the_end(here, found, as_json=as_json)
        tree = Tree(here.client.tasks(found.run_id))
    if not as_json:
        console = screen.out()
        now_ms = time.time_ns() // 1_000_000
        style = draw.Style(unicode=draw.speaks_unicode(console), all=everything, inputs=inputs)
        console.print(draw.heading(found, tree, now_ms, style))
        if found.parameters:
            console.print(draw.parameters(found))
        for line in draw.lines(tree, now_ms, style):
            console.print(line, overflow="ellipsis", no_wrap=console.is_terminal)
    watch.tell_end(found, tree, as_json=as_json)
    return 1 if follow and found.state != "SUCCEEDED" else 0
