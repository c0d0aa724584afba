"""The program `lodestep`: its commands, and what becomes of their errors.

Exit codes: 0 done, 1 the run failed or something is not there, 2 wrong usage or input, 70 our bug, 130 interrupted.
Nothing but click may be imported here: `lodestep --help` is a budget.
"""

import os
import sys

import click

from lodestep import __version__
from lodestep.cli.lazy import Entry, LazyGroup
from lodestep.errors import LodestepError

INTERRUPTED = 130

_SECTIONS = {
    "Run": {
        "up": Entry("lodestep.cli.up", "up", "Start the server."),
        "run": Entry("lodestep.cli.run", "run", "Run a pipeline and watch it."),
    },
    "Look": {
        "runs": Entry("lodestep.cli.runs", "runs", "List runs, newest first."),
        "show": Entry("lodestep.cli.show", "show", "Show one run: its tasks, outputs and failures."),
        "logs": Entry("lodestep.cli.logs", "logs", "Print what the steps of a run wrote."),
    },
    "Act": {
        "retry": Entry("lodestep.cli.control", "retry", "Run again what failed in a run."),
        "terminate": Entry("lodestep.cli.control", "terminate", "End a run."),
    },
    "Home": {
        "secret": Entry("lodestep.cli.secret", "secret", "Set, list and delete secrets."),
        "configmap": Entry("lodestep.cli.configmap", "configmap", "Set, list and delete config maps."),
        "doctor": Entry("lodestep.cli.doctor", "doctor", "Check this machine and this home."),
        "version": Entry("lodestep.cli.version", "version", "Print the version."),
    },
}


@click.group(
    cls=LazyGroup,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Docs: the folder docs/ of the project. Settings: LODESTEP_HOME, LODESTEP_HOST, LODESTEP_PORT.",
)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Kubeflow Pipelines without the cluster."""


def run(args: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code; errors that are not bugs end in a sentence on stderr."""
    try:
        code = cli.main(args, prog_name="lodestep", standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except LodestepError as error:
        tell(error)
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe has seen enough, as in `lodestep logs … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0


def tell(error: LodestepError) -> None:
    """An error for a person: what and where, then what to do."""
    place = f"{error.place}: " if error.place else ""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {place}{error.message}", err=True)
    for line in error.hint.splitlines():
        click.echo(f"       {line}", err=True)
