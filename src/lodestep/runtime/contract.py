"""The contract between Kubeflow Pipelines and the function of a component: what it is called with, what is made of it.

`Call` takes the executor input apart into the function's arguments, by its annotations, and writes the executor output
of what the function returned and of what it did to its output artifacts. It follows the SDK's executor; where that
would stop with an exception of its own, this one may go on (see the list in `tests/differential`).
"""

from __future__ import annotations

import inspect
import json
import os
import typing
from collections.abc import Callable
from typing import Any

from . import sdk

_CHIEFS = ("workerpool0", "chief", "master")
_LEFT_OUT = object()  # an argument that the function's own default stands for


class Call:
    """One call of a component's function."""

    def __init__(self, function: Callable[..., Any], document: dict[str, Any]) -> None:
        self._dsl: Any = sdk.dsl()
        self._kinds: Any = self._dsl.annotations
        self._name = getattr(function, "__name__", "the function")
        self._globals: dict[str, Any] = getattr(function, "__globals__", {})
        self._inputs: dict[str, Any] = document.get("inputs") or {}
        self._outputs: dict[str, Any] = document.get("outputs") or {}
        self._file: str = self._outputs["outputFile"]
        self._dsl.types.artifact_types.CONTAINER_TASK_ROOT = os.path.dirname(self._file)
        self._hints = _annotations(function)
        self._made: dict[str, Any] = {}  # output artifacts
        self._parameters: dict[str, Any] = {}  # returned values

    # what it is called with

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the call. Folders of outputs are there when this returns."""
        self._make_outputs()
        found: dict[str, Any] = {}
        for name, annotation in self._hints.items():
            if name != "return":
                value = self._argument(name, self._kinds.without_optional(annotation))
                if value is not _LEFT_OUT:
                    found[name] = value
        return found

    def _make_outputs(self) -> None:
        for name, group in (self._outputs.get("artifacts") or {}).items():
            described = group.get("artifacts")
            if described:
                annotation = self._kinds.without_optional(self._hints.get(name))
                self._made[name] = artifact = self._artifact(described[0], self._kinds.artifact_class(annotation))
                os.makedirs(os.path.dirname(artifact.path) or ".", exist_ok=True)

    def _argument(self, name: str, annotation: Any) -> Any:
        dsl, kinds = self._dsl, self._kinds
        if annotation is dsl.PipelineTaskFinalStatus or annotation is dsl.TaskConfig:
            return annotation.from_document(self._parameter(name) or {})
        if isinstance(annotation, dsl.OutputPath):
            return self._output_path(name)
        if isinstance(annotation, dsl.InputPath):
            given = self._input(name, None)
            return given.path if given is not None else None
        if kinds.is_embedded(annotation):
            return self._embedded(kinds.artifact_class(annotation))
        if kinds.is_output(annotation):
            return self._made.get(name)
        if kinds.is_artifact(annotation):
            return self._input(name, annotation)
        value = self._parameter(name)
        return _LEFT_OUT if value is None else _modelled(annotation, value)

    def _parameter(self, name: str) -> Any:
        return (self._inputs.get("parameterValues") or {}).get(name)

    def _output_path(self, name: str) -> str | None:
        parameter = (self._outputs.get("parameters") or {}).get(name)
        if parameter is None:
            made = self._made.get(name)
            return None if made is None else made.path
        os.makedirs(os.path.dirname(parameter["outputFile"]), exist_ok=True)
        return parameter["outputFile"]

    def _input(self, name: str, annotation: Any) -> Any:
        group = (self._inputs.get("artifacts") or {}).get(name)
        described = (group or {}).get("artifacts") or []
        kind = self._kinds.artifact_class(annotation)
        if group is not None and self._kinds.is_list(annotation):
            return [self._artifact(each, kind) for each in described]
        return self._artifact(described[0], kind) if described else None

    def _artifact(self, described: dict[str, Any], fallback: Any) -> Any:
        """An artifact of the class that its type has; of the annotated one where that is none of the standard types."""
        title = (described.get("type") or {}).get("schemaTitle", "")
        kind = self._dsl.types.artifact_types.BY_TITLE.get(title) or fallback or self._dsl.Artifact
        make = getattr(kind, "_from_executor_fields", kind)  # for classes that check their arguments otherwise
        return make(
            name=described.get("name", ""), uri=described.get("uri", ""), metadata=described.get("metadata") or {}
        )

    def _embedded(self, kind: Any) -> Any:
        path = self._globals.get("__KFP_EMBEDDED_ASSET_FILE") or self._globals.get("__KFP_EMBEDDED_ASSET_DIR")
        if not path:
            raise RuntimeError(f"{self._name}() has an EmbeddedInput, but the component carries no embedded artifact")
        artifact = (kind or self._dsl.Artifact)()
        artifact.path = path
        return artifact

    # what is made of it

    def write(self, result: Any) -> None:
        """Write the executor output: returned values, and every output artifact as it is now."""
        self._take_result(result)
        output: dict[str, Any] = {}
        if self._parameters:
            output["parameterValues"] = self._parameters
        if self._made:
            output["artifacts"] = {name: {"artifacts": [_described(each)]} for name, each in self._made.items()}
        cluster = os.environ.get("CLUSTER_SPEC")
        if cluster and json.loads(cluster)["task"]["type"] not in _CHIEFS:
            return  # one of several copies of the step: the chief's word counts
        text = self._encoded(output)
        os.makedirs(os.path.dirname(self._file), exist_ok=True)
        with open(self._file, "w", encoding="utf-8") as file:
            file.write(text)

    def _encoded(self, output: dict[str, Any]) -> str:
        try:
            return json.dumps(output)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{self._name}(): {self._unfit(output)} cannot be written as JSON: {error}") from None

    def _unfit(self, output: dict[str, Any]) -> str:
        for kind, found in output.items():
            for name, value in found.items():
                try:
                    json.dumps(value)
                except (TypeError, ValueError, RecursionError):
                    return f"output {name!r}" if kind == "parameterValues" else f"metadata of the artifact {name!r}"
        return "its output"

    def _take_result(self, result: Any) -> None:
        if result is None:
            return
        annotation = self._hints.get("return")
        fields = getattr(annotation, "_fields", None)
        if fields is None:
            self._take_value("Output", self._hints.get("return", inspect.Signature.empty), result)
            return
        if len(fields) != len(result):
            raise TypeError(
                f"{self._name}() is declared to return {len(fields)} values ({', '.join(fields)}),"
                f" it returned {len(result)}"
            )
        is_plain = type(result) in (tuple, list)
        for index, name in enumerate(fields):
            value = result[index] if is_plain else getattr(result, name)
            self._take_value(name, getattr(annotation, "__annotations__", {}).get(name), value)

    def _take_value(self, name: str, annotation: Any, value: Any) -> None:
        kinds = self._kinds
        annotation = kinds.without_optional(annotation)
        if kinds.is_artifact(annotation):
            if hasattr(value, "schema_title") and hasattr(value, "uri"):  # of the shim, or of an installed SDK
                self._made[name] = value
            else:
                with open(self._made[name].path, "w", encoding="utf-8") as file:
                    file.write(str(value))
            return
        if hasattr(value, "model_dump"):
            self._parameters[name] = value.model_dump(mode="json", by_alias=True)
            return
        self._check(name, annotation, value)
        self._parameters[name] = value

    def _check(self, name: str, annotation: Any, value: Any) -> None:
        """A value of another type than the declared one is an error here, where the function's name can be told."""
        if annotation is inspect.Signature.empty:
            raise TypeError(f"{self._name}() returned a {type(value).__name__}, but is declared to return nothing")
        expected = typing.get_origin(annotation) or annotation
        accepted = (int, float) if expected is float else expected
        if isinstance(accepted, (type, tuple)) and not isinstance(value, accepted):
            raise TypeError(
                f"{self._name}(): output {name!r} is declared as {getattr(expected, '__name__', expected)},"
                f" the returned value is a {type(value).__name__}: {_short(value)}"
            )


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations, those given as text as what they stand for.

    Others stay as they are: `x: str = None` must not become Optional, nor `OutputPath('Dataset')` be taken for no type.
    """
    declared: dict[str, Any] = getattr(function, "__annotations__", {})
    if not any(isinstance(value, str) for value in declared.values()):
        return declared
    names = dict(getattr(function, "__globals__", {}))
    found: dict[str, Any] = {}
    for name, value in declared.items():
        try:
            found[name] = eval(value, names) if isinstance(value, str) else value
        except Exception:  # a name that exists for the type checker alone
            found[name] = value
    return found


def _modelled(annotation: Any, value: Any) -> Any:
    """A pydantic model from its document; anything else as it is."""
    validate = getattr(annotation, "model_validate", None)
    return validate(value) if validate is not None else value


def _described(artifact: Any) -> dict[str, Any]:
    described = {"name": artifact.name, "uri": artifact.uri, "metadata": artifact.metadata}
    if artifact.custom_path:
        described["custom_path"] = artifact.custom_path
    return described


def _short(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except Exception:
        return "which cannot be shown"
