"""The one door for pipeline documents: uploads, inline specs, and what the store kept.

Everything from outside is checked while it is read (sizes, depth, aliases, nodes), then against the messages, then as a
whole (`validate`). Nothing here touches a disk.
"""

from typing import Any

import msgspec

from lodestep import jsonio
from lodestep.errors import InvalidInput, TooLarge
from lodestep.spec import jsontext, protojson, validate
from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import Message, PipelineSpec, PlatformSpec
from lodestep.spec.limits import LIMITS, LoadLimits

_PIPELINE_FIELDS = {
    *("pipelineInfo", "deploymentSpec", "root", "components", "schemaVersion", "sdkVersion"),
    *("pipeline_info", "deployment_spec", "schema_version", "sdk_version"),
}
_WRAPPERS = (("pipeline_spec", "platform_spec"), ("pipelineSpec", "platformSpec"))
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\x1f\x8b")
_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
)


class _Stored(Message, frozen=True, kw_only=True):
    pipeline_spec: PipelineSpec = msgspec.field(name="pipeline_spec")
    platform_spec: PlatformSpec | None = msgspec.field(name="platform_spec", default=None)


def read_upload(data: bytes, *, filename: str = "", limits: LoadLimits = LIMITS) -> PipelineDocument:
    """A pipeline file as it was uploaded: YAML (one or two documents), JSON, or either in a zip, gzip or tar.gz.

    Raises `InvalidInput` or `TooLarge`, with the place: line and column of the text, or the path in the document.
    """
    if len(data) > limits.source_bytes:
        raise TooLarge(f"{filename or 'the file'} has {len(data)} bytes: at most {limits.source_bytes}")
    if data.startswith(_ARCHIVES):
        from lodestep.spec import archive  # noqa: PLC0415 - the libraries of archives take time to import

        data = archive.pipeline_file(data, limits)
        if data.startswith(_ARCHIVES):
            raise InvalidInput("the archive holds another archive: expected a YAML or JSON file in it")
    return _document(*_sorted(_parsed(data, limits)))


def from_wire(value: Any, *, limits: LoadLimits = LIMITS) -> PipelineDocument:
    """The `pipeline_spec` of a request: the pipeline alone, or `{pipeline_spec, platform_spec}`."""
    jsontext.check_shape(value, limits)
    return _document(*_sorted([jsonio.whole(value)]))


def from_canonical(data: bytes) -> PipelineDocument:
    """A document that was checked before, from the store."""
    try:
        stored = msgspec.json.decode(data, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The source used what only the JSON mapping of protobuf allows.
        stored = protojson.convert(jsonio.decode(data), _Stored)
    return _built(stored.pipeline_spec, stored.platform_spec, data)


class _Documents(msgspec.Struct):
    pipeline_spec: msgspec.Raw
    platform_spec: msgspec.Raw = msgspec.Raw(b"")


def wire_of(canonical: bytes) -> msgspec.Raw:
    """What `PipelineDocument.wire` would be, without reading what is in the documents.

    Raises `InvalidInput` where the bytes are no JSON.
    """
    documents = jsonio.decode_as(canonical, _Documents)
    return msgspec.Raw(canonical) if bytes(documents.platform_spec) else documents.pipeline_spec


def _parsed(data: bytes, limits: LoadLimits) -> list[Any]:
    """The documents in a text, as plain values. An empty one is None."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    _check_text(text)
    if text.lstrip()[:1] == b"{":
        try:
            return [jsontext.parse(text, limits)]
        except InvalidInput as error:
            return _flow_style(text, limits, error)
    return _yaml(text, limits)


def _flow_style(text: bytes, limits: LoadLimits, as_json: InvalidInput) -> list[Any]:
    """YAML may begin with a brace as well; where it is neither, the word on JSON is the better one."""
    if not as_json.message.startswith("not JSON"):
        raise as_json
    try:
        return _yaml(text, limits)
    except InvalidInput as error:
        raise as_json from error


def _yaml(text: bytes, limits: LoadLimits) -> list[Any]:
    from lodestep.spec import yamltext  # noqa: PLC0415 - PyYAML is imported only where a YAML text is read

    return yamltext.parse(text.decode(), limits)


def _check_text(data: bytes) -> None:
    for signature, noun in _SIGNATURES:
        if data.startswith(signature):
            raise InvalidInput(f"found {noun}: expected a pipeline as YAML or JSON, or a zip or tar.gz with one")
    if data[257:262] == b"ustar":
        raise InvalidInput("found a tar archive that is not compressed: expected tar.gz or zip")
    if (at := data.find(0)) >= 0:
        raise InvalidInput("a NUL byte: expected UTF-8 text", place=f"byte {at}")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not UTF-8: byte {data[error.start]:#04x}", place=f"byte {error.start}") from error


def _sorted(documents: list[Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Which document is the pipeline, and which its platform settings; or both from the one that wraps them."""
    found = [item for item in documents if item is not None]
    if not found:
        raise InvalidInput("the file is empty: expected a compiled pipeline")
    for item in found:
        if not isinstance(item, dict):
            raise InvalidInput(f"expected an object with pipelineInfo, root, …, found {_noun(item)}", place="$")
    if len(found) == 1:
        return _unwrapped(found[0])
    platforms = [item for item in found if "platforms" in item and not _PIPELINE_FIELDS & item.keys()]
    if len(found) == 2 and len(platforms) == 1:
        return next(item for item in found if item is not platforms[0]), platforms[0]
    raise InvalidInput(
        f"{len(found)} documents: expected a pipeline and, behind '---', its platform settings (with 'platforms')"
    )


def _unwrapped(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    for spec_key, platform_key in _WRAPPERS:
        if spec_key not in document or _PIPELINE_FIELDS & document.keys():
            continue
        if unknown := sorted(document.keys() - {spec_key, platform_key}):
            raise InvalidInput(f"unknown field {unknown[0]!r}: expected {spec_key} and {platform_key}", place="$")
        for key in (spec_key, platform_key):
            if not isinstance(document.get(key), dict | None):
                raise InvalidInput(f"expected an object, found {_noun(document[key])}", place=f"$.{key}")
        return document[spec_key] or {}, document.get(platform_key) or None
    if document.get("kind") == "Workflow" or "apiVersion" in document:
        raise InvalidInput(
            "an Argo workflow or another Kubernetes object: expected a pipeline",
            hint="compile it with version 2 of the SDK",
            place="$.kind",
        )
    if "implementation" in document:
        raise InvalidInput(
            "a component definition: expected a pipeline",
            hint="load it with components.load_component_from_file and compile that",
            place="$.implementation",
        )
    if "platforms" in document and not _PIPELINE_FIELDS & document.keys():
        raise InvalidInput("only platform settings: expected a pipeline before them", place="$.platforms")
    return document, None


def _noun(value: Any) -> str:
    names = {str: "a text", list: "a list", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    return names.get(value.__class__, "an object")


def _document(spec: dict[str, Any], platform: dict[str, Any] | None) -> PipelineDocument:
    whole = {"pipeline_spec": spec} | ({"platform_spec": platform} if platform else {})
    try:
        canonical = jsonio.canonical(whole)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"the document cannot be written as JSON: {error}", place="$") from error
    document = _built(
        protojson.convert(spec, PipelineSpec),
        protojson.convert(platform, PlatformSpec) if platform else None,
        canonical,
    )
    validate.check(document)
    return document


def _built(spec: PipelineSpec, platform: PlatformSpec | None, canonical: bytes) -> PipelineDocument:
    return PipelineDocument(
        spec=spec,
        platform=platform,
        canonical=canonical,
        digest=jsonio.digest(canonical),
        wire=canonical if platform is not None else canonical[len(b'{"pipeline_spec":') : -1],
    )
