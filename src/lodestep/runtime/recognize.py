"""Python components by their launch command, as the compilers of Kubeflow Pipelines 2.x write it.

    [sh -c PIP_SCRIPT]  sh -ec PROGRAM SOURCE            --executor_input JSON --function_to_execute NAME
    [sh -c PIP_SCRIPT]  python3 -m kfp.dsl.executor_main --executor_input JSON --function_to_execute NAME

The first form carries its source; notebook components have it too. The second is a component that stands in a file of
its image. Both scripts are read whole: if there is anything in them that the compilers do not write, the answer is
None, and the command runs as it stands. Runs nothing and looks at nothing but its argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from . import pipwords, sdk

_OLD_MODULE = "kfp.components.executor_main"  # of releases before 2.1
_MODULES = ("kfp.dsl.executor_main", _OLD_MODULE)
_SHELLS = ("sh", "/bin/sh")
_INPUT = "--executor_input"
_PYTHONS = ("python3", "python")
_PROGRAM = re.compile(
    r"program_path=\$\(mktemp -d\) "
    r'printf "%s" "\$0" > "\$program_path/ephemeral_component\.py" '
    r"(?:_KFP_RUNTIME=true )?python3? -m (?P<module>[\w.]+) "
    r'--component_module_path "\$program_path/ephemeral_component\.py" "\$@"'
)


@dataclass
class PythonStep:
    """A call of a Python function.

    `packages` are words of a `pip install`: requirements, and options such as `--pre`. The SDK that compilers add by
    themselves is not among them, for steps have a run-time part of their own; `needs_sdk` says that the source names
    more of the SDK than that part has.
    """

    function: str
    executor_input: str
    source: str | None  # None: in a file of its image, found by `kfp_config.ini`
    packages: list[str] = field(default_factory=list)
    index_urls: list[str] = field(default_factory=list)  # the first is the main one
    trusted_hosts: list[str] = field(default_factory=list)
    needs_sdk: bool = False


def recognize(argv: list[str]) -> PythonStep | None:
    """The Python step that a command line starts; None for any other command."""
    if _INPUT not in argv[:-1]:
        return None
    place = argv.index(_INPUT) + 1
    component = _component((*argv[:place], "", *argv[place + 1 :]))
    return component and replace(component, executor_input=argv[place])


@lru_cache(256)
def _component(argv: tuple[str, ...]) -> PythonStep | None:
    """Kept, for it is the same for all steps of a component, and to read its scripts takes long."""
    script, rest = _split(list(argv))
    found = _embedded(rest) or _in_image(rest)
    if found is None:
        return None
    source, module, arguments = found
    options = _options(arguments)
    if options is None:
        return None
    function = options["--function_to_execute"]
    if not function.isidentifier():
        return None
    if source is not None and not re.search(r"^def\s+%s\s*\(" % function, source, re.MULTILINE):
        return None
    step = PythonStep(function, options[_INPUT], source)
    if script and not _take_packages(step, script, is_old=module == _OLD_MODULE):
        return None
    step.needs_sdk = source is not None and sdk.is_needed(source)
    return step


def _split(argv: list[str]) -> tuple[str, list[str]]:
    """The script that installs packages, and the command that it goes on with."""
    if len(argv) > 3 and argv[0] in _SHELLS and argv[1] == "-c":
        return argv[2], argv[3:]
    return "", argv


def _embedded(argv: list[str]) -> tuple[str, str, list[str]] | None:
    """(source, module of the executor, arguments) of a component that carries its source."""
    if len(argv) < 4 or argv[0] not in _SHELLS or argv[1] != "-ec":
        return None
    program = _PROGRAM.fullmatch(" ".join(argv[2].replace("\\\n", " ").split()))
    if program is None or program["module"] not in _MODULES:
        return None
    return argv[3], program["module"], argv[4:]


def _in_image(argv: list[str]) -> tuple[None, str, list[str]] | None:
    """The same of a component whose source is in its image."""
    if len(argv) < 3 or argv[0] not in _PYTHONS or argv[1] != "-m" or argv[2] not in _MODULES:
        return None
    return None, argv[2], argv[3:]


def _options(arguments: list[str]) -> dict[str, str] | None:
    """The two options that an executor is given; None if there is anything else."""
    options = dict(zip(arguments[::2], arguments[1::2]))
    if len(arguments) != 4 or set(options) != {_INPUT, "--function_to_execute"}:
        return None
    return options


def _take_packages(step: PythonStep, script: str, *, is_old: bool) -> bool:
    """Note what the script installs. False if it is not understood."""
    installs = pipwords.installs(script)
    if installs is None:
        return False
    for install in installs:
        install.requirements = _without_sdk(install, step, are_several=len(installs) > 1, is_old=is_old)
        if install.requirements:
            step.packages += [word for word in install.options + install.requirements if word not in step.packages]
        step.index_urls += [url for url in install.index_urls if url not in step.index_urls]
        step.trusted_hosts += [host for host in install.trusted_hosts if host not in step.trusted_hosts]
    return True


def _without_sdk(install: pipwords.Install, step: PythonStep, *, are_several: bool, is_old: bool) -> list[str]:
    """The requirements of one `pip install`, less what the compiler added.

    Releases before 2.1 put the SDK last among the user's packages; later ones install it by a command of its own.
    If the user asks for the SDK alone, the step's own part of it will do, where the source needs nothing else.
    """
    found = install.requirements
    if is_old and found and sdk.is_sdk(found[-1]):
        found = found[:-1]
    if not found or not all(map(sdk.is_sdk, found)):
        return found
    if are_several or "--no-deps" in install.options or (step.source is not None and sdk.is_enough(step.source)):
        return []
    return found
