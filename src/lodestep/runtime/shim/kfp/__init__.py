"""The part of `kfp` that exists inside a step. Anything else comes from an installed SDK, where there is one."""

import importlib

__version__ = "2.17.0+lodestep"
TYPE_CHECK = True


def __getattr__(name):
    if name in ("dsl",):
        return importlib.import_module("kfp." + name)
    raise AttributeError(
        "kfp.%s is not there inside a step; if the component needs the whole SDK, add 'kfp' to packages_to_install" % name
    )
