"""Run a Python component in this process: a forked child of a warm step host, where everything is imported already.

Reads the executor input, calls the function, writes the executor output: the contract between Kubeflow Pipelines and a
component. `kfp` is our own small package (`shim`), unless the component needs more of it than steps have at run time.
"""

import atexit
import importlib
import inspect
import json
import linecache
import os
import re
import sys
import traceback
import types
import typing

from .attempt import write_json

_SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shim")
_MODULE = "ephemeral_component"
_BEYOND_SHIM = re.compile(
    r"^\s*(?:import\s+kfp\.(?!dsl\b)\w|from\s+kfp\.(?!dsl\b)\w+\S*\s+import|from\s+kfp\s+import\s+(?!dsl\s*$)\w)"
    r"|\bkfp\.(?:Client|client|compiler|components|kubernetes|local|registry)\b",
    re.MULTILINE,
)
_CHIEFS = ("workerpool0", "chief", "master")


def warm():
    """Import what every step needs, once, before the first fork."""
    sys.path.insert(0, _SHIM)
    os.environ["_KFP_RUNTIME"] = "true"
    import kfp.dsl
    import kfp.dsl.types.artifact_types
    import kfp.dsl.types.type_annotations


def run(step):
    """Run one step; returns its exit code. Its exception is told in words, on stderr and in `error.json`."""
    try:
        _call(step)
    except SystemExit as error:
        return _exit_code(error)
    except BaseException as error:
        _report(step["directory"], error)
        return 1
    finally:
        _leave()
    return 0


def _call(step):
    os.environ["_KFP_RUNTIME"] = "true"
    document = json.loads(step["executor_input"])
    path = os.path.join(step["directory"], "work", _MODULE + ".py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(step["source"])
    sys.argv = [path]
    real = step.get("sdk") or _BEYOND_SHIM.search(step["source"])
    if real and _take_real_sdk():
        _call_real(step, document, path)
        return
    module = _load(step["source"], path)
    function = getattr(module, step["function"], None)
    if function is None:
        raise AttributeError("the component has no function %r" % step["function"])
    call = _Call(_undecorated(function), document)
    result = call.function(**call.arguments())
    sys.stdout.flush()
    call.write(result)


def _load(source, path):
    module = types.ModuleType(_MODULE)
    module.__file__ = path
    sys.modules[_MODULE] = module  # pickle, dataclasses and get_type_hints look here
    sys.path.insert(0, os.path.dirname(path))
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def _undecorated(function):
    return getattr(function, "python_func", function)


# the real SDK


def _take_real_sdk():
    """Make an installed `kfp` take the shim's place. False where there is none."""
    kept = {name: module for name, module in sys.modules.items() if name == "kfp" or name.startswith("kfp.")}
    for name in kept:
        del sys.modules[name]
    sys.path.remove(_SHIM)
    try:
        importlib.import_module("kfp.dsl.executor")
    except ImportError:
        sys.path.insert(0, _SHIM)
        sys.modules.update(kept)
        return False
    return True


def _call_real(step, document, path):
    module = _load(step["source"], path)
    executor = importlib.import_module("kfp.dsl.executor")
    function = getattr(module, step["function"])
    executor.Executor(executor_input=document, function_to_execute=function).execute()


# arguments and results


class _Call:
    """One call of a component's function."""

    def __init__(self, function, document):
        import kfp.dsl

        self.dsl = kfp.dsl
        self.function = function
        self._inputs = document.get("inputs", {})
        self._outputs = document.get("outputs", {})
        self._file = self._outputs["outputFile"]
        self.dsl.types.artifact_types.CONTAINER_TASK_ROOT = os.path.dirname(self._file)
        self._hints = self._annotations()
        self._made = {}
        self._parameters = {}

    def _annotations(self):
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except Exception:  # a name that exists for the type checker alone
            hints = dict(getattr(self.function, "__annotations__", {}))
        declared = getattr(self.function, "__annotations__", {})
        # `x: str = None` must not become Optional, nor lose an annotation that is no type (OutputPath('Dataset')).
        return {name: hints.get(name, value) if isinstance(value, str) else value for name, value in declared.items()}

    def arguments(self):
        self._make_outputs()
        arguments = {}
        for name, annotation in self._hints.items():
            if name != "return":
                value = self._argument(name, self.dsl.annotations.without_optional(annotation))
                if value is not _LEFT_OUT:
                    arguments[name] = value
        return arguments

    def _make_outputs(self):
        for name, group in self._outputs.get("artifacts", {}).items():
            described = group.get("artifacts") or [{}]
            annotation = self.dsl.annotations.without_optional(self._hints.get(name))
            artifact = self._artifact(described[0], self.dsl.annotations.artifact_class(annotation))
            self._made[name] = artifact
            if artifact.path:
                os.makedirs(os.path.dirname(artifact.path) or ".", exist_ok=True)

    def _artifact(self, described, fallback):
        title = described.get("type", {}).get("schemaTitle", "")
        kind = self.dsl.types.artifact_types.BY_TITLE.get(title) or fallback or self.dsl.Artifact
        artifact = kind(
            name=described.get("name", ""), uri=described.get("uri", ""), metadata=described.get("metadata") or {}
        )
        if described.get("customPath"):
            artifact.custom_path = described["customPath"]
        return artifact

    def _argument(self, name, annotation):
        kinds = self.dsl.annotations
        if annotation is self.dsl.PipelineTaskFinalStatus:
            return self.dsl.PipelineTaskFinalStatus.from_document(self._parameter(name) or {})
        if annotation is self.dsl.TaskConfig:
            return self.dsl.TaskConfig.from_document(self._parameter(name) or {})
        if isinstance(annotation, self.dsl.OutputPath):
            return self._output_path(name)
        if isinstance(annotation, self.dsl.InputPath):
            given = self._input(name, annotation)
            return given.path if given is not None else None
        if kinds.is_embedded(annotation):
            return self._embedded(kinds.artifact_class(annotation))
        if kinds.is_output(annotation):
            return self._made.get(name)
        if kinds.is_artifact(annotation):
            return self._input(name, annotation)
        value = self._parameter(name)
        if value is None:
            return _LEFT_OUT
        return _modelled(annotation, value)

    def _parameter(self, name):
        return self._inputs.get("parameterValues", {}).get(name)

    def _output_path(self, name):
        parameter = self._outputs.get("parameters", {}).get(name)
        if parameter is None:
            return self._made[name].path
        os.makedirs(os.path.dirname(parameter["outputFile"]), exist_ok=True)
        return parameter["outputFile"]

    def _input(self, name, annotation):
        described = self._inputs.get("artifacts", {}).get(name, {}).get("artifacts")
        kinds = self.dsl.annotations
        fallback = kinds.artifact_class(annotation)
        if kinds.is_list(annotation):
            return [self._artifact(each, fallback) for each in described or []]
        return self._artifact(described[0], fallback) if described else None

    def _embedded(self, kind):
        where = self.function.__globals__
        path = where.get("__KFP_EMBEDDED_ASSET_FILE") or where.get("__KFP_EMBEDDED_ASSET_DIR")
        if not path:
            raise RuntimeError("an EmbeddedInput was declared, but the component carries no embedded artifact")
        artifact = (kind or self.dsl.Artifact)()
        artifact.path = path
        return artifact

    def write(self, result):
        """Write the executor output: returned values, and every output artifact as it is now."""
        self._take_result(result)
        output = {}
        if self._parameters:
            output["parameterValues"] = self._parameters
        if self._made:
            output["artifacts"] = {name: {"artifacts": [_described(each)]} for name, each in self._made.items()}
        cluster = os.environ.get("CLUSTER_SPEC")
        if cluster and json.loads(cluster)["task"]["type"] not in _CHIEFS:
            return  # one of several copies of the step: the chief's word counts
        os.makedirs(os.path.dirname(self._file), exist_ok=True)
        text = json.dumps(output)
        with open(self._file, "w", encoding="utf-8") as file:
            file.write(text)

    def _take_result(self, result):
        if result is None:
            return
        annotation = self._hints.get("return", inspect.Signature.empty)
        fields = getattr(annotation, "_fields", None)
        if fields is None:
            self._take_value("Output", annotation, result)
            return
        if len(fields) != len(result):
            raise TypeError(
                "%s() is declared to return %d values (%s), it returned %d"
                % (self.function.__name__, len(fields), ", ".join(fields), len(result))
            )
        plain = type(result) in (tuple, list)
        for index, name in enumerate(fields):
            self._take_value(name, annotation.__annotations__[name], result[index] if plain else getattr(result, name))

    def _take_value(self, name, annotation, value):
        kinds = self.dsl.annotations
        annotation = kinds.without_optional(annotation)
        if kinds.is_artifact(annotation):
            if isinstance(value, self.dsl.Artifact):
                self._made[name] = value
            else:
                with open(self._made[name].path, "w", encoding="utf-8") as file:
                    file.write(str(value))
            return
        if hasattr(value, "model_dump"):
            self._parameters[name] = value.model_dump(mode="json", by_alias=True)
            return
        expected = typing.get_origin(annotation) or annotation
        accepted = (int, float) if expected is float else expected
        if isinstance(accepted, (type, tuple)) and not isinstance(value, accepted):
            raise TypeError(
                "%s(): output %r is declared as %s, the returned value is a %s: %.80r"
                % (self.function.__name__, name, getattr(expected, "__name__", expected), type(value).__name__, value)
            )
        self._parameters[name] = value


_LEFT_OUT = object()


def _modelled(annotation, value):
    """A pydantic model from its document; anything else as it is."""
    validate = getattr(annotation, "model_validate", None)
    return validate(value) if validate is not None else value


def _described(artifact):
    described = {"name": artifact.name, "uri": artifact.uri, "metadata": artifact.metadata}
    if artifact.custom_path:
        described["custom_path"] = artifact.custom_path
    return described


# the end


def _exit_code(error):
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _report(directory, error):
    """The exception, from the user's own code on: our frames say nothing to the one who reads it."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("lodestep_runtime"):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    sys.stdout.flush()
    sys.stderr.write(text)
    sys.stderr.flush()
    try:
        write_json(
            directory, "error.json", {"type": type(error).__name__, "message": str(error)[:20000], "traceback": text[-40000:]}
        )
    except OSError:
        pass


def _leave():
    """What an interpreter does at its end: wait for threads, run exit functions, flush."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
