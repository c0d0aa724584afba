"""Which `kfp` a step gets: the small run-time part that comes with this package (`shim`), or an installed SDK.

A component's source speaks of `kfp.dsl` mostly, and of that only the names that exist while it runs. For these the
shim serves, and nothing has to be installed or imported. Where the source names more of the SDK (`kfp.Client`,
`kfp.compiler`, `kfp.kubernetes`, …), an SDK that is installed in the step's environment serves it all, the call of the
component included. Where none is installed, the shim says so at the place that needs it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType

SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim")

# `kfp`, `kfp==2.9.0`, `kfp>=2,<3`, `kfp @ https://…`: with extras it is asked for on purpose.
_NAMED = re.compile(r"kfp\s*(?:(?:===?|~=|!=|<=?|>=?|@|;).*)?", re.DOTALL | re.IGNORECASE)
_ARCHIVE = re.compile(r"(?:.*/)?kfp-\d[^/]*\.(?:whl|tar\.gz|zip)(?:#.*)?")
_REPOSITORY = re.compile(r"(?:git\+)?\S*(?:#(?:\S*&)?(?:egg=kfp\b|subdirectory=sdk/python\b)\S*|/sdk/python/?)")
_TYPING = re.compile(r"typing-extensions\b.*", re.DOTALL)

_BEYOND = re.compile(
    r"^[ \t]*(?:import[ \t]+kfp\.(?!dsl\b)\w|from[ \t]+kfp\.(?!dsl\b)[\w.]+[ \t]+import\b"
    r"|from[ \t]+kfp[ \t]+import[ \t(]+(?!\(?[ \t]*dsl\b[ \t]*(?:#.*|\)|;|as\b.*)?$)\w"
    r"|from[ \t]+kfp\.dsl\.(?!types\b)\w+[ \t]+import\b)"
    r"|\bkfp\.(?:Client|client|compiler|components|kubeflow_client|kubernetes|local|registry)\b",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)[\w.]*[ \t]+import\b|import[ \t]+([\w., \t]+))", re.MULTILINE)


def is_sdk(requirement: str) -> bool:
    """Does a pip requirement ask for the SDK and nothing else?"""
    return any(pattern.fullmatch(requirement.strip()) for pattern in (_NAMED, _ARCHIVE, _REPOSITORY, _TYPING))


def is_needed(source: str) -> bool:
    """Does the source name a part of the SDK that the shim does not have?"""
    return _BEYOND.search(source) is not None


def is_enough(source: str) -> bool:
    """Is the shim, with the standard library, all that the source imports?"""
    known = getattr(sys, "stdlib_module_names", None)  # since 3.10
    if known is None or is_needed(source):
        return False
    for one, several in _IMPORT.findall(source):
        for name in [one] if one else several.split(","):
            if name.strip().partition(" ")[0].partition(".")[0] not in known | {"kfp"}:
                return False
    return True


def warm() -> None:
    """Import the shim, once, before the first fork."""
    sys.path.insert(0, SHIM)
    os.environ["_KFP_RUNTIME"] = "true"
    importlib.import_module("kfp.dsl.types.type_annotations")


def take_installed() -> ModuleType | None:
    """Have an installed SDK take the shim's place. Returns the module of its executor; None where there is no SDK."""
    kept = {name: module for name, module in sys.modules.items() if name == "kfp" or name.startswith("kfp.")}
    for name in kept:
        del sys.modules[name]
    places = [place for place in sys.path if place == SHIM]
    sys.path[:] = [place for place in sys.path if place != SHIM]
    try:
        return importlib.import_module("kfp.dsl.executor")
    except ImportError:
        for name in [name for name in sys.modules if name == "kfp" or name.startswith("kfp.")]:
            del sys.modules[name]
        sys.path[:0] = places
        sys.modules.update(kept)
        return None
