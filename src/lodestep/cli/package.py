"""The FILE of `lodestep run`: a compiled pipeline, or a Python file with one, as a document.

Python files are compiled in a process of their own, with the interpreter of this environment: what they import, print
or break stays there.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lodestep.errors import InvalidInput, NotFound
from lodestep.spec.document import PipelineDocument
from lodestep.spec.load import read_upload

_COMPILED = (".yaml", ".yml", ".json", ".zip", ".tar.gz", ".tgz")


def read(path: Path, *, function: str | None = None) -> PipelineDocument:
    """The pipeline in `path`. `function` chooses among several of a Python file."""
    if path.is_dir():
        raise InvalidInput(f"{str(path)!r} is a folder: expected a file with a pipeline")
    if not path.is_file():
        raise NotFound(f"no file {str(path)!r}", hint=_near(path))
    if path.suffix == ".py":
        return _compiled(path, function)
    if function:
        raise InvalidInput(f"--function is for Python files; {path.name} is compiled already")
    if not path.name.lower().endswith(_COMPILED):
        raise InvalidInput(f"{path.name!r}: expected a Python file or one of {', '.join(_COMPILED)}")
    try:
        return read_upload(path.read_bytes(), filename=path.name)
    except InvalidInput as error:
        error.place = f"{path}: {error.place}" if error.place else str(path)
        raise


def _compiled(path: Path, function: str | None) -> PipelineDocument:
    with tempfile.TemporaryDirectory(prefix="lodestep-") as folder:
        answer = _compile(path, function, Path(folder))
        if "error" in answer:
            raise InvalidInput(answer["error"], place=answer.get("place", ""), hint=answer.get("hint", ""))
        return read_upload((Path(folder) / "pipeline.yaml").read_bytes(), filename=f"{path.stem}.yaml")


def _compile(path: Path, function: str | None, folder: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("compiling.py")
    warnings = ["-W", "ignore::FutureWarning", "-W", "ignore::DeprecationWarning", "-W", "ignore::SyntaxWarning"]
    ended = subprocess.run(
        [sys.executable, *warnings, str(script), str(path.resolve()), str(folder), function or ""],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # what the file prints must not mix with our results
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        return json.loads((folder / "answer.json").read_text())
    except (OSError, ValueError):
        return {"error": f"compiling ended with code {ended.returncode} and no answer", "place": str(path)}


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} is not there either"
    from difflib import get_close_matches

    near = get_close_matches(path.name, [item.name for item in folder.iterdir()], n=1)
    return f"did you mean {str(folder / near[0])!r}?" if near else ""
