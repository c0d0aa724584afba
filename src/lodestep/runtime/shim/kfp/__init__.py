"""The part of `kfp` that exists inside a step. Anything else comes from an installed SDK, where there is one."""

import importlib

__version__ = "2.17.0"  # the release whose run-time part this follows
TYPE_CHECK = True


def __getattr__(name):
    """Parts of the SDK, by a name of this module: there if one is installed."""
    if name.startswith("_"):
        raise AttributeError("module 'kfp' has no attribute %r" % name)
    try:
        module = importlib.import_module("kfp." + ("client" if name == "Client" else name))
    except ImportError as error:
        raise AttributeError(str(error)) from None
    return getattr(module, name) if name == "Client" else module
