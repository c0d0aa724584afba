"""Run a Python component in this process: a forked child of a warm step host, where everything is imported already.

Loads the component, calls its function by the contract of Kubeflow Pipelines (`contract`), and turns its end into an
exit code: a value into 0, `sys.exit` into its own, an exception into 1 and words on stderr and in `error.json`. Which
`kfp` it gets is the business of `sdk`.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.machinery
import importlib.util
import json
import linecache
import logging
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from . import blame, contract, inimage, sdk
from .outcome import ERROR, write_json

_MODULE = "ephemeral_component"
# Most of what components import first, so that each step does not pay for it anew.
_WARM = ("csv", "dataclasses", "datetime", "decimal", "glob", "inspect", "pathlib", "random", "shutil", "tempfile")
_NOT_HERE = 126


def warm() -> None:
    """Import and set up what every step needs, once, before the first fork. `sys.stdout` is as steps have it."""
    sdk.warm()
    for name in _WARM:
        importlib.import_module(name)
    _log_from_info()


def run(step: dict[str, Any]) -> int:
    """Run one step; returns its exit code. Its exception is told in words, on stderr and in `error.json`."""
    path = os.path.join(step["directory"], "work", _MODULE + ".py")
    try:
        _call(step, path)
    except SystemExit as error:
        return _exit_code(error)
    except inimage.NotHere as error:
        _tell(step, {"type": "CannotRun", "message": str(error), "traceback": ""})
        return _NOT_HERE
    except BaseException as error:
        _tell(step, blame.tell(error, path, component=step["function"]))
        return 1
    finally:
        _leave()
    return 0


def _call(step: dict[str, Any], path: str) -> None:
    os.environ["_KFP_RUNTIME"] = "true"
    _log_from_info()
    document = json.loads(step["executor_input"])
    name, source = step["function"], step["source"]
    executor = None
    if source is None:
        path = inimage.find(name)
        with open(path, encoding="utf-8") as file:
            source = file.read()
    else:
        with open(path, "w", encoding="utf-8") as file:  # processes that the component starts import it
            file.write(source)
    if step["needs_sdk"] or (step["source"] is None and sdk.is_needed(source)):
        executor = sdk.take_installed()
    function = _function(_load(source, path), name)
    if executor is not None:
        executor.Executor(executor_input=document, function_to_execute=function).execute()
        return
    call = contract.Call(function, document)
    result = function(**call.arguments())
    call.write(result)


def _log_from_info() -> None:
    """As the executor of the SDK does: what a component logs is seen from INFO on, among what it prints."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="[%(asctime)s %(levelname)s] %(message)s")


def _load(source: str, path: str) -> types.ModuleType:
    """The component's module, as an import of the file at `path` would make it, but for the file's being read."""
    name = os.path.basename(path)[: -len(".py")]
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = types.ModuleType(name)
    module.__file__ = path
    module.__loader__ = loader
    module.__spec__ = importlib.util.spec_from_file_location(name, path, loader=loader)
    sys.modules[name] = module  # pickle, dataclasses and get_type_hints look here
    # Not this host's own start, which a process that the component starts must not repeat.
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = [path]
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    # Not by this module's own __future__ imports: they would make texts of the component's annotations.
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    return module


def _function(module: types.ModuleType, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    function = getattr(function, "python_func", function)  # where a decorator has made a component of it
    if not callable(function):
        raise AttributeError(f"the component has no function {name!r}: {module.__file__}")
    return function


# the end


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    _say(str(error.code))
    return 1


def _tell(step: dict[str, Any], told: dict[str, str]) -> None:
    _say(told["traceback"] or told["message"])
    try:
        write_json(step["directory"], ERROR, told)
    except (OSError, ValueError):  # no room, or a text that is none
        pass


def _say(text: str) -> None:
    """On stderr, after what was printed, whatever the component has made of the streams."""
    _flush()
    try:
        os.write(2, text.encode("utf-8", "backslashreplace") + b"\n"[: not text.endswith("\n")])
    except OSError:
        pass


def _leave() -> None:
    """What an interpreter does at its end: wait for threads, run exit functions, flush."""
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()  # neither has a public name
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    except BaseException:
        traceback.print_exc()
    _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or no stream at all
            pass
