"""Components whose source stands in a file of their image, found by the `kfp_config.ini` that came with it.

`kfp component build` writes that file into the folder of the components. An image is never pulled here; what stands in
for it is a virtual environment, so the file is looked for in it and in the folder that it lies in, which is the project
mostly.
"""

from __future__ import annotations

import configparser
import os
import sys

_FILE = "kfp_config.ini"
_SECTION = "Components"


class NotHere(Exception):
    """The component is not on this machine."""


def find(function: str) -> str:
    """The path of the file that holds a component's function. Raises `NotHere` in words."""
    folders = [os.getcwd(), sys.prefix, os.path.dirname(sys.prefix)]
    for folder in folders:
        path = _named(folder, function)
        if path:
            return path
    raise NotHere(
        f"the source of the component {function!r} is inside its image, which is not pulled here: no {_FILE} in"
        f" {' or '.join(folders[1:])} names it. Map the image to a virtual environment in the folder where"
        " `kfp component build` was run, with [runner.images] in lodestep.toml"
    )


def _named(folder: str, function: str) -> str:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] - names keep their case
    try:
        parser.read(os.path.join(folder, _FILE), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise NotHere(f"{os.path.join(folder, _FILE)} cannot be read: {error}") from error
    named = parser.get(_SECTION, function, fallback="")
    return os.path.join(folder, named) if named.endswith(".py") else ""
