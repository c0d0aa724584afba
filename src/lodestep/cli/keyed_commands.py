"""The commands `set`, `list` and `delete`, the same for secrets and config maps."""

import json

import click

from lodestep.cli.kinds import Kind
from lodestep.cli.options import home_option, json_option


def group(name: str, kind: Kind) -> click.Group:
    """The command group `lodestep NAME`."""
    made = click.Group(
        name,
        help=f"Set, list and delete {kind.noun}s.\n\n"
        f"They are files in the home's folder {kind.folder}/, one a key, and go to the steps that ask for them.",
    )
    made.add_command(_set(kind))
    made.add_command(_list(kind))
    made.add_command(_delete(kind))
    return made


def _set(kind: Kind) -> click.Command:
    @click.command(
        "set",
        help=f"Set keys of the {kind.noun} NAME, which is made if it is not there.\n\n"
        "A value @FILE is the content of a file, - is standard input, @@TEXT is a text that begins with @.",
    )
    @click.argument("name")
    @click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE...")
    @home_option
    @json_option
    def command(*, name: str, pairs: tuple[str, ...], home: str | None, as_json: bool) -> None:
        from lodestep.cli import home as homes
        from lodestep.cli import keyed

        values = keyed.pairs(pairs)
        folder = keyed.Collection(homes.settings(home).home_path, kind).put(name, values)
        keys = ", ".join(sorted(values))
        told = json.dumps({"name": name, "keys": sorted(values), "folder": str(folder)})
        click.echo(told if as_json else f"{kind.noun} {name}: set {keys}")

    return command


def _list(kind: Kind) -> click.Command:
    @click.command("list", help="List names and keys. Values are not shown.")
    @home_option
    @json_option
    def command(*, home: str | None, as_json: bool) -> None:
        from lodestep.cli import home as homes
        from lodestep.cli import keyed

        listed = keyed.Collection(homes.settings(home).home_path, kind).listed()
        if as_json:
            click.echo(json.dumps(listed))
        elif not listed:
            click.echo(f"no {kind.noun}s", err=True)
        for name, keys in () if as_json else listed.items():
            click.echo(f"{click.style(name, bold=True)}  {', '.join(keys)}")

    return command


def _delete(kind: Kind) -> click.Command:
    @click.command("delete", help=f"Delete the {kind.noun} NAME, or only some keys of it.")
    @click.argument("name")
    @click.argument("keys", nargs=-1)
    @home_option
    @json_option
    def command(*, name: str, keys: tuple[str, ...], home: str | None, as_json: bool) -> None:
        from lodestep.cli import home as homes
        from lodestep.cli import keyed

        keyed.Collection(homes.settings(home).home_path, kind).delete(name, keys)
        told = json.dumps({"name": name, "keys": list(keys), "deleted": True})
        what = f"{', '.join(keys)} of {kind.noun} {name}" if keys else f"{kind.noun} {name}"
        click.echo(told if as_json else f"deleted {what}")

    return command
