"""Start of a step host: `python -I …/lodestep/runtime/__main__.py --folder HOME/hosts --name NAME --ready DESCRIPTOR`.

Makes this folder importable as `lodestep_runtime` without putting anything else on the module path. Forks once before
anything else, so that the host is nobody's child: the server that starts it may end, or live on, without a zombie.
"""

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from typing import cast


def _load() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    entry = os.path.join(folder, "__init__.py")
    # There is a loader for every existing Python file.
    spec = cast(
        ModuleSpec,
        importlib.util.spec_from_file_location("lodestep_runtime", entry, submodule_search_locations=[folder]),
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["lodestep_runtime"] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)
    _load()
    from lodestep_runtime import host  # pyright: ignore[reportMissingImports] - made just now

    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    sys.exit(host.main(options["--folder"], options["--name"], int(options["--ready"])))
