"""`lodestep run FILE`: compile, check, submit, watch, and say what came out."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from lodestep.cli.options import home_option, json_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--param", "-p", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter. May be repeated.")
@click.option("--params", "text", metavar="JSON", help='All parameters at once: {"name": value, …}.')
@click.option("--experiment", "-e", default="Default", show_default=True, help="Experiment that the run belongs to.")
@click.option("--name", "-n", help="Name of the run.  [default: the pipeline's, with the time]")
@click.option("--function", "-f", help="Which pipeline of a Python file, where it has several.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch it to its end.")
@click.option("--no-cache", is_flag=True, help="Run every step, also those whose outputs are known.")
@home_option
@json_option
def run(
    *,
    file: Path,
    pairs: tuple[str, ...],
    text: str | None,
    experiment: str,
    name: str | None,
    function: str | None,
    wait: bool,
    no_cache: bool,
    home: str | None,
    as_json: bool,
) -> int:
    """Run a pipeline and watch it.

    FILE is a compiled pipeline (YAML, JSON, zip, tar.gz) or a Python file with a function decorated with
    @dsl.pipeline. The running server of the home takes it; where there is none, this command is the server for as long
    as the run takes, and records it in the same home.

    Exit code: 0 the run succeeded, 1 it failed or was cancelled, 2 the input was wrong, 130 Ctrl-C.
    """
    from lodestep.cli import given, package, watch
    from lodestep.cli.session import session
    from lodestep.errors import FailedPrecondition

    if file.suffix == ".py":
        _note(f"compiling {file.name} …")
    document = package.read(file, function=function)
    parameters = given.parameters(document, pairs, text)
    spec: Any = json.loads(document.wire)
    if no_cache:
        _without_cache(spec)
    with session(home) as here:
        if here.own and not wait:
            raise FailedPrecondition(
                "nothing would run it: no server of this home runs",
                place=here.settings.home,
                hint="start one with `lodestep up`, or leave out --no-wait",
            )
        if here.own:
            _note("no server of this home runs: this command is the server until the run has ended")
        _say_what_cannot_run(here.client.preflight(spec))
        submitted = here.client.submit(
            spec,
            name=name or _name(document.display_name or document.name),
            experiment_id=here.client.experiment_id(experiment),
            parameters=parameters,
        )
        if not wait:
            _say_submitted(submitted.run_id, here.client.url, as_json=as_json)
            return 0
        return watch.to_the_end(here, submitted, as_json=as_json)


def _note(text: str) -> None:
    """What goes on, for a person who waits."""
    if sys.stderr.isatty():
        click.echo(click.style(text, dim=True), err=True)


def _name(pipeline: str) -> str:
    from datetime import datetime

    return f"{pipeline} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def _without_cache(spec: Any) -> None:
    """Caching off for every task, in place: the wish of one run, so the document itself is what changes."""
    ir = spec.get("pipeline_spec", spec)
    for component in [ir.get("root", {}), *ir.get("components", {}).values()]:
        for task in component.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}


def _say_what_cannot_run(problems: list[Any]) -> None:
    if not problems:
        return
    click.echo(click.style("This cannot run here; the run fails if it comes to it:", fg="yellow"), err=True)
    for problem in problems:
        click.echo(f"  {click.style(problem.task, bold=True)}: {problem.message}", err=True)


def _say_submitted(run_id: str, url: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "url": url, "state": "PENDING"}))
    else:
        click.echo(f"run {run_id}")
        click.echo(click.style(f"lodestep show {run_id[:8]}   lodestep logs {run_id[:8]} -f", dim=True), err=True)
    sys.stdout.flush()
