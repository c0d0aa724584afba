"""Process runners for tests, and Python steps in the form in which a compiler writes them."""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from lodestep import runtime
from lodestep.clock import SystemClock
from lodestep.config import RunnerSettings, Settings
from lodestep.runners.environments import Environments
from lodestep.runners.process import ProcessRunner
from lodestep.runtime import hostlock

_PROGRAM = """
program_path=$(mktemp -d)
printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"
"""

_PIP = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location %s && "$0" "$@"
"""


def process_runner(home: Path, **settings: Any) -> ProcessRunner:
    made = Settings(home=str(home), runner=RunnerSettings(**settings))
    return ProcessRunner(home, made, SystemClock(), Environments(home / "environments", made))


def python_step(source: str, function: str, directory: str, **inputs: Any) -> list[str]:
    """The launch command of a lightweight component that returns a number."""
    outputs = {
        "parameters": {"Output": {"outputFile": f"{directory}/outputs/Output"}},
        "outputFile": f"{directory}/outputs/executor_output.json",
    }
    document = {"inputs": {"parameterValues": inputs}, "outputs": outputs}
    head = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
    options = ["--executor_input", json.dumps(document), "--function_to_execute", function]
    return ["sh", "-ec", _PROGRAM, head + source, *options]


def with_packages(command: list[str], *packages: str) -> list[str]:
    """The same step, of a component with `packages_to_install`."""
    return ["sh", "-c", _PIP % " ".join(f"'{package}'" for package in packages), *command]


def host_pids(home: Path) -> list[int]:
    """The step hosts of a home that live."""
    found: list[int] = []
    for lock in (home / "hosts").glob("*.lock"):
        held = hostlock.holder(str(lock.parent), lock.stem)
        if held is not None and held.is_alive:
            found.append(held.pid)
    return found


def mutated_runtime(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the runtime that is broken in one place. Returns the entry to start hosts with."""
    copy = folder / "runtime"
    shutil.copytree(Path(runtime.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    assert text.count(old) == 1, f"{file} has changed: the mutant no longer fits"
    (copy / file).write_text(text.replace(old, new))
    return copy / "__main__.py"


# as another user

_REPOSITORY = Path(__file__).parents[3]
_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@functools.cache
def ordinary_user() -> tuple[str, ...]:
    """How root starts this interpreter's version as somebody else; nothing where that cannot be."""
    if os.geteuid() != 0 or not shutil.which(_AS_NOBODY[0]):
        return ()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        # It must be able to start itself again, as it does for step hosts.
        again = "import subprocess, sys, lodestep.runners.process; subprocess.check_call([sys.executable, '-c', ''])"
        starts = [*_AS_NOBODY, python, "-c", again]
        if subprocess.run(starts, env=_environment(), cwd=_REPOSITORY, capture_output=True).returncode == 0:
            return (*_AS_NOBODY, python)
    return ()


def module(name: str, *arguments: str, as_other: bool = False) -> bytes:
    """What a module of the tests prints that is run as a program."""
    start = ordinary_user() if as_other else (sys.executable,)
    command = [*start, "-m", name, *arguments]
    ran = subprocess.run(command, env=_environment(), cwd=_REPOSITORY, capture_output=True, timeout=3600)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout


@contextlib.contextmanager
def in_open_folder() -> Generator[Path]:
    """A folder that anybody can write to: those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


def _environment() -> dict[str, str]:
    folders = [str(_REPOSITORY / "src"), *(folder for folder in sys.path if folder)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nowhere"}
