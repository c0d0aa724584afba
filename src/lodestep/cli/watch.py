"""Watching a run from a command: progress while it goes on, its results or its failure at the end, an exit code."""

import sys

import click

from lodestep.cli import card, draw, results, screen
from lodestep.cli.client import Client
from lodestep.cli.document import run_document
from lodestep.cli.follow import Follower
from lodestep.cli.progress import TICK_S, LineView, TreeView, View
from lodestep.cli.session import Session, running
from lodestep.cli.tree import Tree
from lodestep.cli.wire import RUN_ENDED, Run

INTERRUPTED = 130
_LINE_TICK_S = 1.0


def to_the_end(here: Session, run: Run, *, as_json: bool) -> int:
    """Show the run until it ends. Ctrl-C lets go of it; where this process is the server, it ends the run first."""
    console = screen.err() if as_json else screen.out()
    tree = Tree()
    view: View = TreeView(console, run, tree) if console.is_terminal else LineView(console, tree)
    tick_s = TICK_S if console.is_terminal else _LINE_TICK_S
    follower = Follower(here.client, run.run_id, again=lambda: _again(here), tick_s=tick_s)
    try:
        with view:
            for news in follower:
                run = news.run or run
                view.update(news)
    except KeyboardInterrupt:
        return _interrupted(here, run)
    tell_end(run, tree, as_json=as_json)
    return 0 if run.state == "SUCCEEDED" else 1


def tell_end(run: Run, tree: Tree, *, as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps(run_document(run, tree), ensure_ascii=False))
        sys.stdout.flush()
        return
    console = screen.out()
    results.show(console, tree)
    failed = tree.first_failure() if run.state == "FAILED" else None
    if failed is not None and console.is_terminal:
        console.print()
        console.print(card.failure_card(failed.task, run.run_id))
    elif failed is not None:
        for line in card.failure_lines(failed.task, run.run_id):
            console.print(line, soft_wrap=True)
    elif run.state == "FAILED":
        console.print(run.error or "the run failed", style="red", soft_wrap=True)


def _again(here: Session) -> Client | None:
    """The server after it has gone away: the home says where the next one is. None while there is none."""
    if here.own:
        return here.client
    found = running(here.settings)
    return Client(found.url, token=here.settings.token) if found else None


def _interrupted(here: Session, run: Run) -> int:
    if not here.own:
        click.echo(f"\nThe run goes on: lodestep show {draw.words.short_id(run.run_id)}", err=True)
        return INTERRUPTED
    if run.state not in RUN_ENDED:
        click.echo(
            "\nEnding the run: its server is this command. Once more Ctrl-C leaves it to the next one.", err=True
        )
        here.client.terminate(run.run_id)
        for news in Follower(here.client, run.run_id, again=lambda: here.client, tick_s=_LINE_TICK_S):
            run = news.run or run
        click.echo(f"{draw.words.look(run.state).word}.", err=True)
    return INTERRUPTED
