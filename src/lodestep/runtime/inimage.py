"""Components whose source stands in a file of their image, found by the `kfp_config.ini` that came with it.

`kfp component build` writes that file into the folder of the components. An image is never pulled here; what stands in
for it is a virtual environment, so the file is looked for in it and in the folder that it lies in, which is the project
mostly. An environment of packages lies on another one, which stands in for the image.
"""

from __future__ import annotations

import json
import os
import sys

_FILE = "kfp_config.ini"
_SECTION = "Components"


class NotHere(Exception):
    """The component is not on this machine."""


def find(function: str) -> str:
    """The path of the file that holds a component's function. Raises `NotHere` in words."""
    prefix = _prefix()
    folders = [os.getcwd(), prefix, os.path.dirname(prefix)]
    for folder in folders:
        path = _named(folder, function)
        if path:
            return path
    raise NotHere(
        f"the source of the component {function!r} is inside its image, which is not pulled here: no {_FILE} in"
        f" {' or '.join(folders[1:])} names it. Map the image to a virtual environment in the folder where"
        " `kfp component build` was run, with [runner.images] in lodestep.toml"
    )


def _prefix() -> str:
    """The folder of the environment that stands in for the image."""
    try:
        with open(os.path.join(sys.prefix, "lodestep.json"), encoding="utf-8") as file:
            return os.path.dirname(os.path.dirname(json.load(file)["base"]))
    except (OSError, ValueError, LookupError, TypeError):  # this one
        return sys.prefix


def _named(folder: str, function: str) -> str:
    import configparser  # late: hardly any host needs it

    parser = configparser.ConfigParser()
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - names keep their case
    try:
        parser.read(os.path.join(folder, _FILE), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise NotHere(f"{os.path.join(folder, _FILE)} cannot be read: {error}") from error
    named = parser.get(_SECTION, function, fallback="")
    return os.path.join(folder, named) if named.endswith(".py") else ""
