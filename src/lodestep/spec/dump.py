"""A document as text again: YAML as the SDK's compiler writes it, or JSON.

`load.read_upload` of either gives an equal document. The comments at the head of a compiled file are not kept.
"""

from typing import Any, get_args, get_origin

from lodestep import jsonio
from lodestep.spec import protojson
from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import Message, PipelineSpec, PlatformSpec

_EXACT = 2**53  # up to here every whole number is a double


def to_json(document: PipelineDocument) -> str:
    """What the REST API answers: the pipeline alone, or with its platform settings."""
    return document.wire.decode()


def to_yaml(document: PipelineDocument) -> str:
    """One document, or two where there are platform settings. Keys are sorted."""
    from lodestep.spec import yamldump  # noqa: PLC0415 - PyYAML is imported only where a YAML text is written

    whole: dict[str, Any] = jsonio.decode(document.canonical)
    documents = [_written(whole["pipeline_spec"], PipelineSpec)]
    if "platform_spec" in whole:
        documents.append(_written(whole["platform_spec"], PlatformSpec))
    return yamldump.dump(documents)


def _written(value: Any, kind: Any) -> Any:
    """`value` with numbers as the SDK writes them: those of the proto's own fields whole, those of users as doubles."""
    if kind is Any:
        return _doubles(value)
    origin = get_origin(kind)
    if origin is list and isinstance(value, list):
        return [_written(item, get_args(kind)[0]) for item in value]
    if origin is dict and isinstance(value, dict):
        return {name: _written(item, get_args(kind)[1]) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Message) and isinstance(value, dict):
        fields = protojson.fields(kind)
        return {name: _written(item, fields[name].type) for name, item in value.items()}
    return float(value) if kind is float and value.__class__ is int else value


def _doubles(value: Any) -> Any:
    if value.__class__ is int:
        return float(value) if abs(value) <= _EXACT else value
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    if isinstance(value, dict):
        return {name: _doubles(item) for name, item in value.items()}
    return value
