"""Options that several commands share."""

import click

home_option = click.option(
    "--home",
    metavar="DIR",
    help="Folder that holds everything.  [default: $LODESTEP_HOME or ~/.lodestep]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
