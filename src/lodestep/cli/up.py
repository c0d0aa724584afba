"""`lodestep up`: the server in the foreground. Does not know how the server is built: see `lodestep.server`."""

import json
import os
import sys

import click

from lodestep import __version__, config
from lodestep.cli import home as homes
from lodestep.cli.options import home_option, json_option


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for any free one.  [default: 8888]")
@home_option
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@json_option
def up(*, host: str | None, port: int | None, home: str | None, no_browser: bool, as_json: bool) -> int:
    """Start the server.

    It answers the official Kubeflow Pipelines client, runs what is submitted, and keeps everything in its home folder.
    SIGTERM or Ctrl-C ends it politely; steps that run live on and are taken up by the next start.
    """
    settings = homes.settings(home, host=host, port=port)
    _refuse_a_second(settings)
    homes.make(settings)

    def ready(url: str) -> None:
        if as_json:
            click.echo(json.dumps({"url": url, "pid": os.getpid(), "home": settings.home}))
        else:
            _welcome(url, settings.home)
            if not no_browser and _someone_sits_here():
                _open_browser(url)
        sys.stdout.flush()

    from lodestep import log, server

    log.to_stderr()
    return server.serve(settings, on_ready=ready)


def _refuse_a_second(settings: config.Settings) -> None:
    """Name the server that has this home, before its port or its lock is met, which would say less.

    Imported only where a server has left its name: a client of HTTP has no business in the start of a server.
    """
    if not (settings.home_path / "server.json").exists():
        return
    from lodestep.cli.session import running
    from lodestep.errors import FailedPrecondition

    if found := running(settings):
        raise FailedPrecondition(
            f"a server of this home runs already: process {found.pid} at {found.url}",
            place=settings.home,
            hint=f"use it, end it with `kill {found.pid}`, or choose another home with --home",
        )


def _welcome(url: str, home: str) -> None:
    def line(label: str, text: str) -> None:
        click.echo(f"  {click.style(label.ljust(10), dim=True)}{text}")

    click.echo()
    click.echo(f"  {click.style('Lodestep', bold=True)} {__version__} is up")
    click.echo()
    line("Page", click.style(url, fg="cyan", bold=True))
    line("Home", home)
    line("Python", f'kfp.Client(host="{url}")')
    line("Shell", "lodestep run pipeline.py")
    click.echo()
    click.echo(click.style("  Ctrl-C ends the server. Steps that run live on; the next start takes them up.", dim=True))
    click.echo()


def _someone_sits_here() -> bool:
    terminal = sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("SSH_CONNECTION")
    display = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(terminal and display)


def _open_browser(url: str) -> None:
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
