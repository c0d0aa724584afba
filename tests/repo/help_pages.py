"""`python -m tests.repo.help_pages` writes docs/cli.md from the commands' own help."""

import sys

import click

from lodestep.cli.lazy import LazyGroup
from lodestep.cli.root import cli
from tests.repo.places import ROOT

PATH = ROOT / "docs" / "cli.md"
_HEAD = """\
# Command line

This page is written from the commands' own `--help`: `python -m tests.repo.help_pages`. A test keeps it true.

Every command takes `--json` and then prints JSON, and JSON alone, on standard output. Errors, progress of `--json`
commands and hints go to standard error. Colour follows `NO_COLOR` and `FORCE_COLOR`, width follows `COLUMNS`.

| exit code | meaning |
| --- | --- |
| 0 | done; of `run`, `retry` and `show --follow`: the run succeeded |
| 1 | the run failed or was cancelled; something is not there; the server refused or cannot be reached |
| 2 | wrong usage, or wrong input |
| 70 | a bug of Lodestep |
| 130 | Ctrl-C |

Shell completion: `eval "$(_LODESTEP_COMPLETE=bash_source lodestep)"` (also `zsh_source`, `fish_source`).
"""


def page() -> str:
    parts = [_HEAD]
    for name, command in commands():
        title = f"lodestep {name}".strip()
        parts.append(f"## {title}\n\n```text\n{help_text(title, command)}\n```\n")
    return "\n".join(parts)


def commands() -> list[tuple[str, click.Command]]:
    """Every command with its name, "" for the program itself."""
    assert isinstance(cli, LazyGroup)
    found: list[tuple[str, click.Command]] = [("", cli)]
    with click.Context(cli) as ctx:
        for name in cli.list_commands(ctx):
            command = cli.get_command(ctx, name)
            assert command is not None
            found.append((name, command))
            if isinstance(command, click.Group):
                found += [(f"{name} {inner}", command.commands[inner]) for inner in command.commands]
    return found


def help_text(title: str, command: click.Command) -> str:
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "terminal_width": 100}
    with click.Context(command, info_name=title, **settings) as context:
        return command.get_help(context).strip()


if __name__ == "__main__":
    PATH.write_text(page())
    sys.exit(0)
