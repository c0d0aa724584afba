"""Compiles the pipeline of a Python file. A program of its own, see `package`: FILE FOLDER [FUNCTION].

Writes FOLDER/pipeline.yaml, and FOLDER/answer.json with what went wrong if something did. Imports nothing of Lodestep:
it is a guest in the process of somebody else's code.
"""

import importlib.util
import json
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


def main(file: str, folder: str, function: str) -> int:
    answer = compile_file(Path(file), Path(folder) / "pipeline.yaml", function)
    (Path(folder) / "answer.json").write_text(json.dumps(answer))
    return 1 if "error" in answer else 0


def compile_file(file: Path, target: Path, function: str) -> dict[str, str]:
    try:
        from kfp import compiler
        from kfp.dsl.graph_component import GraphComponent
    except ImportError as error:
        return {
            "error": f"cannot compile {file.name}: {error}",
            "hint": f"install the SDK here ({sys.executable} -m pip install kfp), or give a compiled pipeline",
        }
    try:
        names = vars(_imported(file))
    except SystemExit as error:
        return {"error": f"importing it ended the interpreter (exit code {error.code})", "place": str(file)}
    except BaseException as error:  # noqa: BLE001 - whatever the user's file raises is told with its line
        return _told(error, file)
    pipelines = {name: thing for name, thing in names.items() if isinstance(thing, GraphComponent)}
    chosen = _chosen(pipelines, function, file)
    if isinstance(chosen, dict):
        return chosen
    try:
        compiler.Compiler().compile(pipelines[chosen], str(target))
    except BaseException as error:  # noqa: BLE001 - see above
        return _told(error, file)
    return {"pipeline": chosen}


def _imported(file: Path) -> ModuleType:
    """The module of `file`, whose own folder comes first on the path, as if it had been started as a program.

    Its name is its stem, so that `if __name__ == "__main__"` blocks stay quiet.
    """
    sys.path[0] = str(file.parent)
    sys.argv = [str(file)]
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _chosen(pipelines: dict[str, Any], function: str, file: Path) -> str | dict[str, str]:
    """The name of the pipeline to compile, or what is wrong."""
    listed = ", ".join(sorted(pipelines))
    if function:
        if function in pipelines:
            return function
        return {
            "error": f"no pipeline {function!r} in {file.name}",
            "place": str(file),
            "hint": f"it has: {listed}" if listed else "it has no function decorated with @dsl.pipeline",
        }
    own = {name: thing for name, thing in pipelines.items() if thing.pipeline_func.__module__ == file.stem}
    candidates = own or pipelines
    distinct = {id(thing): name for name, thing in candidates.items()}
    if len(distinct) == 1:
        return next(iter(distinct.values()))
    if not candidates:
        return {
            "error": f"no pipeline in {file.name}",
            "place": str(file),
            "hint": "decorate a function with @dsl.pipeline (from kfp import dsl)",
        }
    return {
        "error": f"{len(distinct)} pipelines in {file.name}: {', '.join(sorted(candidates))}",
        "place": str(file),
        "hint": "choose one with --function NAME",
    }


def _told(error: BaseException, file: Path) -> dict[str, str]:
    """The error with the last line of the user's own file that led to it."""
    if isinstance(error, SyntaxError):
        return {"error": f"SyntaxError: {error.msg}", "place": f"{error.filename or file}:{error.lineno}"}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    place = f"{file}:{frames[-1].lineno}" if frames else str(file)
    told = {"error": f"{type(error).__name__}: {error}", "place": place}
    if frames and frames[-1].line:
        told["hint"] = f"at: {frames[-1].line}"
    return told


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
