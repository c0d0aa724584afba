"""Which `kfp` a step gets: the small run-time part that comes with this package (`shim`), or an installed SDK.

A component's source speaks of `kfp.dsl` mostly, and of that only the names that exist while it runs. For these the
shim serves, and nothing has to be installed or imported. Where the source names more of the SDK (`kfp.Client`,
`kfp.compiler`, `kfp.kubernetes`, …), an SDK that is installed in the step's environment serves it all, the call of the
component included. What is asked for later, by a package that the component imports, is served by an installed SDK
beside the shim. Where none is installed, an import of it says so, and what to do.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

_EXECUTORS = ("kfp.dsl.executor", "kfp.components.executor")  # the second before 2.1
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
_shim: list[ModuleType] = []  # its `kfp.dsl`, once it is imported
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
    sys.meta_path.append(_Beyond())
    _shim.append(sys.modules["kfp.dsl"])


def dsl() -> ModuleType:
    """The shim's `kfp.dsl`, which calls components, whatever has taken its name since."""
    return _shim[0]


def take_installed() -> ModuleType | None:
    """Have an installed SDK take the shim's place. Returns the module of its executor; None where there is no SDK."""
    kept = _modules()
    places = [place for place in sys.path if place == SHIM]
    sys.path[:] = [place for place in sys.path if place != SHIM]
    # The whole of it, as where pipelines are written, if all that it depends on is there; else its part for steps.
    for is_runtime in ("false", "true"):
        for name in _EXECUTORS:
            for module in _modules():
                del sys.modules[module]
            os.environ["_KFP_RUNTIME"] = is_runtime
            try:
                return importlib.import_module(name)
            except ImportError:
                continue
            finally:
                os.environ["_KFP_RUNTIME"] = "true"
    for module in _modules():
        del sys.modules[module]
    sys.path[:0] = places
    sys.modules.update(kept)
    return None


def _modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name == "kfp" or name.startswith("kfp.")}


class _Beyond(MetaPathFinder):
    """Asked last, for what nobody else has found: a part of the SDK that the shim does not have."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("kfp.") or SHIM not in sys.path:
            return None
        if take_installed() is None:
            raise ModuleNotFoundError(
                f"{fullname} is not there inside a step, for the SDK is not installed in the step's environment:"
                " add 'kfp' to packages_to_install of the component, or install it where the server runs",
                name="kfp",
            )
        return spec_from_loader(fullname, _Given(importlib.import_module(fullname)))


class _Given(Loader):
    """Loads a module that is loaded already, so that it becomes a part of the shim's package too."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
