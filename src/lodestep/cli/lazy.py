"""A command group that imports a command only when it is used.

The table holds what `--help` and completion need: the name, where the command is, and its one line. A test keeps the
lines equal to those of the commands themselves.
"""

from typing import Any, NamedTuple

import click


class Entry(NamedTuple):
    module: str
    attribute: str
    line: str


class LazyGroup(click.Group):
    """`sections` maps a heading of the help page to its commands, in the order in which they are shown."""

    def __init__(self, *args: Any, sections: dict[str, dict[str, Entry]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        from importlib import import_module

        return getattr(import_module(entry.module), entry.attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.entries))
        for heading, section in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), entry.line) for name, entry in section.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            raise click.UsageError(_unknown(args[0], list(self.entries)), ctx)
        return super().resolve_command(ctx, args)


def _unknown(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    return f"no command {name!r}" + (f": did you mean {near[0]!r}?" if near else "")
