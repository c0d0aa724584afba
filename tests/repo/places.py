"""Where things are, and which files belong to the project."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lodestep"
_NOT_OURS = {".git", ".venv", ".demo", "__pycache__", "node_modules", "dist", "build"}


def tracked(*suffixes: str) -> list[Path]:
    """The project's files with these endings (all if none is given). Caches and environments are left out."""
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in _NOT_OURS and not name.endswith((".egg-info", "_cache")) and name != ".hypothesis"
        ]
        found += [Path(folder, name) for name in names if not suffixes or name.endswith(suffixes)]
    assert found, "no file of the project was found"
    return sorted(found)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
