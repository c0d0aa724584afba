"""`lodestep runs`: the list."""

import time

import click

from lodestep.cli.options import home_option, json_option

_STATES = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELING", "CANCELED", "SKIPPED", "PAUSED"]


@click.command()
@click.option("--experiment", "-e", help="Only those of this experiment.")
@click.option("--state", "-s", type=click.Choice(_STATES, case_sensitive=False), help="Only those in this state.")
@click.option("--limit", "-l", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@home_option
@json_option
def runs(*, experiment: str | None, state: str | None, limit: int, home: str | None, as_json: bool) -> None:
    """List runs, newest first."""
    from lodestep.cli.session import session
    from lodestep.errors import NotFound

    with session(home) as here:
        names = here.client.experiment_names()
        experiment_id = ""
        if experiment:
            ids = [key for key, name in names.items() if name == experiment]
            if not ids:
                raise NotFound(f"no experiment {experiment!r}", hint=f"there are: {', '.join(names.values())}")
            experiment_id = ids[0]
        predicates = [{"operation": "EQUALS", "key": "state", "string_value": state.upper()}] if state else None
        rows = here.client.runs(limit=limit, experiment_id=experiment_id, predicates=predicates)
    if as_json:
        import json

        import msgspec

        listed = [{**msgspec.to_builtins(row), "experiment": names.get(row.experiment_id, "")} for row in rows]
        click.echo(json.dumps(listed, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lodestep.cli import draw, screen, words

    console = screen.out()
    if not rows:
        screen.err().print("no runs yet: `lodestep run FILE` makes one" if not (state or experiment) else "no such run")
        return
    style = draw.Style(unicode=draw.speaks_unicode(console))
    now_ms = time.time_ns() // 1_000_000
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("run", style="cyan", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("experiment", style="dim")
    table.add_column("began", no_wrap=True, style="dim")
    table.add_column("took", justify="right", no_wrap=True)
    for row in rows:
        look = words.look(row.state)
        began_ms = words.moment_ms(row.created_at)
        ended_ms = words.moment_ms(row.finished_at) if row.state in draw.RUN_ENDED else 0
        table.add_row(
            words.short_id(row.run_id),
            draw.symbol(row.state, style).append(f" {look.word}", style=look.style),
            Text(row.display_name),
            names.get(row.experiment_id, ""),
            words.ago((now_ms - began_ms) / 1000),
            words.span(began_ms, ended_ms, now_ms),
        )
    console.print(table)
