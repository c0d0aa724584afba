"""`lodestep version`."""

import json
import platform

import click

from lodestep import __version__
from lodestep.cli.options import json_option


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        click.echo(json.dumps({"lodestep": __version__, "python": platform.python_version()}))
    else:
        click.echo(f"lodestep {__version__} (Python {platform.python_version()})")
