"""`lodestep doctor`."""

from collections.abc import Sequence
from typing import Protocol

import click

from lodestep.cli.options import home_option, json_option


class Report(Protocol):
    """See `checks.Report`, which is imported late."""

    @property
    def what(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def found(self) -> str: ...
    @property
    def advice(self) -> str: ...


@click.command()
@home_option
@json_option
def doctor(*, home: str | None, as_json: bool) -> int:
    """Check this machine and this home.

    Changes nothing but for files of its own that it removes. Exit code 1 if something fails.
    """
    from lodestep.cli import checks
    from lodestep.cli import home as homes

    reports = checks.all_of(homes.settings(home))
    if as_json:
        import json

        import msgspec

        click.echo(json.dumps([msgspec.to_builtins(report) for report in reports]))
    else:
        _print(reports)
    return 1 if any(report.level == "fail" for report in reports) else 0


def _print(reports: Sequence[Report]) -> None:
    marks = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
    width = max(len(report.what) for report in reports)
    for report in reports:
        mark, colour = marks[report.level]
        click.echo(f"{click.style(mark, fg=colour, bold=True)} {report.what.ljust(width)}  {report.found}")
        if report.advice:
            click.echo(f"  {' ' * width}  {click.style(report.advice, fg=colour)}")
