"""Python components by their launch command, as the compilers of Kubeflow Pipelines 2.x write it.

    sh -c PIP_SCRIPT  sh -ec PROGRAM  SOURCE  --executor_input JSON --function_to_execute NAME

Keyed on structure, so that the small differences between releases do not matter; whatever is not surely such a command
is answered with None and runs as it stands.
"""

import re
import shlex

_EXECUTOR = re.compile(r"python3?\s+-m\s+kfp\.dsl\.executor_main\b|python3?\s+-m\s+kfp\.components\.executor_main\b")
_INSTALL = re.compile(r"python3?\s+-m\s+pip\s+install\b(?P<words>(?:'[^']*'|\"[^\"]*\"|[^&|;\n'\"])*)")
_SDK = re.compile(r"kfp(?:\[[^\]]*\])?(?:\s*(?:==|>=|<=|~=|<|>|@).*)?", re.DOTALL)
_TYPING = re.compile(r"typing-extensions\b.*", re.DOTALL)
_VALUED = {"--index-url": "index", "-i": "index", "--extra-index-url": "index", "--trusted-host": "trusted"}
_IGNORED = {"--quiet", "-q", "--no-warn-script-location", "--no-deps", "--upgrade", "--user", "--disable-pip-version-check"}


class PythonStep:
    """A call of a Python function that stands in a source text."""

    def __init__(self, source, function, executor_input):
        self.source = source
        self.function = function
        self.executor_input = executor_input
        self.packages = []
        self.index_urls = []
        self.trusted_hosts = []

    @property
    def wants_sdk(self):
        """Does the user ask for the SDK itself, or for a part of it?"""
        return any(re.match(r"kfp\b|kfp-", package) for package in self.packages)


def recognize(argv):
    """The Python step that a command line starts, or None."""
    parts = _parts(argv)
    if parts is None:
        return None
    script, source, arguments = parts
    options = _options(arguments)
    if options is None:
        return None
    step = PythonStep(source, options["--function_to_execute"], options["--executor_input"])
    for found in _INSTALL.finditer(script):
        if not _installs(found["words"], step):
            return None
    return step


def _parts(argv):
    """(pip script, source, arguments) of a lightweight component."""
    if len(argv) >= 7 and argv[0] == "sh" and argv[1] == "-c" and argv[3] == "sh" and argv[4] == "-ec":
        script, program, source, arguments = argv[2], argv[5], argv[6], argv[7:]
    elif len(argv) >= 4 and argv[0] == "sh" and argv[1] == "-ec":  # nothing to install
        script, program, source, arguments = "", argv[2], argv[3], argv[4:]
    else:
        return None
    if not _EXECUTOR.search(program) or "ephemeral_component.py" not in program or "def " not in source:
        return None
    if script and '"$0" "$@"' not in script:
        return None
    return script, source, arguments


def _options(arguments):
    """The two options that an executor has; None if there is anything else."""
    options = dict(zip(arguments[::2], arguments[1::2]))
    if len(arguments) != 4 or set(options) != {"--executor_input", "--function_to_execute"}:
        return None
    return options


def _installs(words, step):
    """Take in one `pip install`. False if it says something that is not understood."""
    try:
        items = shlex.split(words)
    except ValueError:
        return False
    found = []
    waiting = ""
    for item in items:
        name, _, value = item.partition("=")
        if waiting:
            _value(step, waiting, item)
            waiting = ""
        elif item in _VALUED:
            waiting = _VALUED[item]
        elif name in _VALUED and value:
            _value(step, _VALUED[name], value)
        elif item in _IGNORED:
            continue
        elif item.startswith("-"):
            return False
        else:
            found.append(item)
    sdk_alone = "--no-deps" in items and all(_SDK.fullmatch(item) or _TYPING.fullmatch(item) for item in found)
    if not sdk_alone:  # what the compiler itself adds is here already
        step.packages += [item for item in found if item not in step.packages]
    return True


def _value(step, kind, value):
    target = step.index_urls if kind == "index" else step.trusted_hosts
    if value not in target:
        target.append(value)
