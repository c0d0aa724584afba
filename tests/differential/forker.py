"""Runs components, each in a fork of this process: with the SDK's own executor, or with ours.

    python forker.py real|ours < calls        (a JSON object a line: see `Call` in `running.py`)

Answers each line with the exit code. A real interpreter's end follows each component that the SDK runs.
"""

import json
import os
import runpy
import sys
from typing import Any


def settle(call: dict[str, Any]) -> None:
    """The streams, the folder and the environment of a component."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        descriptor = os.open(os.path.join(call["log"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.update(call["env"])
    os.chdir(call["work"])


def run_real(call: dict[str, Any]) -> None:
    """As the launch command does it. Returns into the end of this (forked) interpreter."""
    settle(call)
    path = os.path.join(call["log"], "ephemeral_component.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(call["source"])
    sys.path.insert(0, call["work"])  # `python -m` does that
    sys.argv = ["executor_main", "--component_module_path", path]
    sys.argv += ["--executor_input", call["executor_input"], "--function_to_execute", call["function"]]
    runpy.run_module("kfp.dsl.executor_main", run_name="__main__", alter_sys=True)


def run_ours(call: dict[str, Any]) -> None:
    """As a step host's child does it."""
    from lodestep.runtime import pyexec

    settle(call)
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(
            sys, name, os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
        )
    code = 126
    try:
        code = pyexec.run(call)
    finally:
        os._exit(code)


def main() -> None:
    kind = sys.argv[1]
    os.environ["_KFP_RUNTIME"] = "true"
    if kind == "real":
        __import__("kfp.dsl.executor")
    else:
        from lodestep.runtime import pyexec

        pyexec.warm()
    for line in sys.stdin:
        call = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            return run_real(call) if kind == "real" else run_ours(call)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


main()
