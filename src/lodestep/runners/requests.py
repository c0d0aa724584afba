"""What a step host is asked: a launch spec as a message. Secrets are in it; it goes over a socket, never to a disk."""

import os
from typing import Any

from lodestep.core.launch import LaunchSpec
from lodestep.runners import programs
from lodestep.runners.settle import local_path
from lodestep.runtime.recognize import PythonStep

PYTHON = "python"  # what a Python step needs of its image


def build(spec: LaunchSpec, step: PythonStep | None, environment: dict[str, str]) -> dict[str, Any]:
    """The message that launches an attempt. `environment` is that of every step on its stand-in."""
    limits = spec.resources
    env = {
        **environment,
        **programs.threads(limits.cpu_limit),
        "LODESTEP_RUN": spec.run_id,
        # The same in each attempt: a key for side effects that must happen once.
        "LODESTEP_TASK": spec.task_id,
        **spec.env,
        **spec.secret_env,
    }
    request: dict[str, Any] = {
        "attempt_id": spec.attempt_id,
        "directory": spec.directory,
        "title": spec.task_path,
        "env": env,
        "folders": _folders(spec),
        "timeout_s": spec.timeout_s,
        "grace_s": spec.grace_s,
        "log_bytes": spec.log_bytes,
        "memory_limit_bytes": limits.memory_limit_bytes,
        "cpu_limit": limits.cpu_limit,
        "mounts": [
            {"kind": str(each.kind), "target": each.target, "source": each.source, "read_only": each.read_only}
            for each in spec.mounts
        ],
    }
    if step is None:
        request["argv"] = programs.as_here(spec.image, spec.command)
        if any("pip install" in word for word in spec.command):
            _keep_packages_here(env, spec.directory)
    else:
        request["python"] = vars(step)
    return request


def _keep_packages_here(env: dict[str, str], directory: str) -> None:
    """What a command installs by itself, as it would into its container, is to be the attempt's, not the server's."""
    packages = os.path.join(directory, "packages")
    env["PIP_TARGET"] = packages
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (packages, env.get("PYTHONPATH", ""))))
    env["PATH"] = os.pathsep.join((os.path.join(packages, "bin"), env["PATH"]))


def _folders(spec: LaunchSpec) -> list[str]:
    """Folders that must be there when the step begins: those of its outputs."""
    own = os.path.join(spec.directory, "outputs")
    files = [target.file for target in spec.output_parameters.values()]
    files += [local_path(artifact.uri) for artifact in spec.output_artifacts.values()]
    files.append(spec.executor_output_file)
    return sorted({os.path.dirname(file) for file in files if file} - {own, ""})
