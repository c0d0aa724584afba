"""Placeholders: `{{$…}}` in commands, arguments, environment and constants, `IfPresent` and `Concat` in arguments.

One pass over the text: what a placeholder stands for is never looked at again, so a value that looks like a placeholder
stays data. Text that is no known form stays as it is; a known form that names what is not there is an error.

Forms: `{{$}}` (the whole executor input), `{{$.inputs.parameters['n']}}`, `{{$.inputs.artifacts['n']}}` with `.uri`,
`.path`, `.name`, `.metadata`, `.metadata['k']`, `{{$.outputs.artifacts['n']}}` likewise,
`{{$.outputs.parameters['n'].output_file}}`, `{{$.outputs.output_file}}`, `{{$.outputMetadataUri}}`, the run's variables
(`{{$.pipeline_job_uuid}}` …), and `.json_escape[N]` after any of them.

Strings stand as they are, numbers without an exponent and whole ones without a fraction, booleans as true and false,
lists and maps as JSON without spaces. An optional input that was not given stands for nothing: an empty text, and
absent to `IfPresent`. Of a list of artifacts, a field is that of the first.
"""

import re
from typing import Any

import msgspec

from lodestep import jsonio
from lodestep.errors import InvalidInput, TooLarge
from lodestep.lang.mounts import local_path
from lodestep.lang.numbers import plain

LARGEST = 64 * 1024 * 1024  # of what one call makes in all, in characters: a value may be named often
_MOST_ESCAPES = 4
_VARIABLES = (
    "pipeline_job_name",
    "pipeline_job_resource_name",
    "pipeline_job_uuid",
    "pipeline_task_name",
    "pipeline_task_uuid",
    "pipeline_root",
    "pipeline_job_create_time_utc",
    "pipeline_job_schedule_time_utc",
    "workspace_path",
)
_KEY = r"\[(?:'(?P<{0}1>[^']*)'|\"(?P<{0}2>[^\"]*)\")\]"
_FORM = re.compile(
    r"\{\{\$(?:"
    r"\.(?P<variable>" + "|".join(_VARIABLES) + r")"
    r"|\.inputs\.parameters" + _KEY.format("parameter") + r""
    r"|\.(?P<side>inputs|outputs)\.artifacts"
    + _KEY.format("artifact")
    + r"(?:\.(?:(?P<field>uri|path|name)|(?P<metadata>metadata)(?:"
    + _KEY.format("key")
    + r")?))?"
    r"|\.outputs\.parameters" + _KEY.format("output") + r"\.output_file"
    r"|\.(?P<outputs>outputs\.output_file|outputMetadataUri)"
    r")?(?:\.json_escape\[(?P<escape>[0-9])\])?\}\}"
)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What placeholders stand for: the executor input document (as given to the step), and the run's variables."""

    executor_input: dict[str, Any]
    variables: dict[str, str]


def substitute(text: str, scope: Scope) -> str:
    """`text` with every placeholder replaced. Raises `InvalidInput` for one that names what is not there."""
    return _Pass(scope).text(text)


def value(item: Any, scope: Scope) -> Any:
    """A JSON value with the placeholders inside its strings replaced, at any depth; keys stay."""
    try:
        return _Pass(scope).value(item)
    except RecursionError as error:
        raise InvalidInput("a value is nested too deep") from error


def argv(items: list[str], scope: Scope) -> list[str]:
    """A command line: `IfPresent` and `Concat` (JSON texts) evaluated, everything substituted.

    An element may vanish (`IfPresent` of an absent input without `Else`) or become several.
    """
    run = _Pass(scope)
    try:
        return [text for item in items for text in run.element(item)]
    except RecursionError as error:
        raise InvalidInput("an argument is nested too deep") from error


class _Pass:
    """One pass over one text, value or command line, with a bound on what it makes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._document = scope.executor_input
        self._left = LARGEST

    def text(self, text: str) -> str:
        return _FORM.sub(self._replaced, text) if "{{$" in text else text

    def value(self, item: Any) -> Any:
        match item:
            case str():
                return self.text(item)
            case list():
                return [self.value(child) for child in item]
            case dict():
                return {key: self.value(child) for key, child in item.items()}
            case _:
                return item

    def element(self, item: Any) -> list[str]:
        """The arguments that one element stands for."""
        match _structured(item):
            case {"Concat": list(parts)}:
                return ["".join(text for part in parts for text in self.element(part))]
            case {"IfPresent": {"InputName": str(name), **branches}}:
                return self._branch(branches.get("Then") if self._is_present(name) else branches.get("Else"))
            case _:
                return [self.text(item if isinstance(item, str) else _shown(item))]

    def _branch(self, chosen: Any) -> list[str]:
        if chosen is None:
            return []
        if isinstance(chosen, list):
            return [text for part in chosen for text in self.element(part)]
        return self.element(chosen)

    def _is_present(self, name: str) -> bool:
        """An input that has a value, or an output: those are always there."""
        inputs = self._document.get("inputs", {})
        if inputs.get("parameterValues", {}).get(name) is not None:
            return True
        if inputs.get("artifacts", {}).get(name, {}).get("artifacts"):
            return True
        outputs = self._document.get("outputs", {})
        return name in outputs.get("parameters", {}) or name in outputs.get("artifacts", {})

    def _replaced(self, form: re.Match[str]) -> str:
        text = self._stands_for(form)
        times = int(form["escape"] or 0)
        if times > _MOST_ESCAPES:
            raise InvalidInput(f"escaped {times} times: at most {_MOST_ESCAPES}", place=form[0])
        for _ in range(times):
            self._spend(len(text))
            text = jsonio.encode_text(text)[1:-1]
        self._spend(len(text))
        return text

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"the placeholders stand for more than {LARGEST} characters")

    def _stands_for(self, form: re.Match[str]) -> str:
        if form["variable"]:
            return self._variable(form["variable"], form[0])
        if (name := _either(form, "parameter")) is not None:
            return _shown(self._named("inputs", "parameterValues", name, "input parameter", form[0]))
        if (name := _either(form, "output")) is not None:
            return str(self._named("outputs", "parameters", name, "output parameter", form[0])["outputFile"])
        if form["outputs"]:
            return str(self._document.get("outputs", {}).get("outputFile", ""))
        if form["side"]:
            return self._artifact(form)
        return jsonio.encode_text(self._document)

    def _variable(self, name: str, place: str) -> str:
        found = self._scope.variables.get(name)
        if found is None or (name == "workspace_path" and not found):
            what = "the pipeline has no workspace" if name == "workspace_path" else f"there is no {name} here"
            raise InvalidInput(what, place=place)
        return found

    def _named(self, side: str, kind: str, name: str, what: str, place: str) -> Any:
        known = self._document.get(side, {}).get(kind, {})
        if name not in known:
            hint = f"known: {', '.join(sorted(known)) or 'none'}"
            raise InvalidInput(f"there is no {what} {name!r}", place=place, hint=hint)
        return known[name]

    def _artifact(self, form: re.Match[str]) -> str:
        name = _either(form, "artifact") or ""
        if form["side"] == "inputs":  # the document lists those that were given: another may be optional
            given = self._document.get("inputs", {}).get("artifacts", {}).get(name, {})
        else:
            given = self._named("outputs", "artifacts", name, "output artifact", form[0])
        artifacts = given.get("artifacts", [])
        first = artifacts[0] if artifacts else {}
        if form["metadata"]:
            metadata = first.get("metadata", {})
            key = _either(form, "key")
            return _shown(metadata if key is None else metadata.get(key))
        match form["field"]:
            case None:
                return jsonio.encode_text(artifacts)
            case "path":
                return local_path(first)
            case field:
                return str(first.get(field, ""))


def _structured(item: Any) -> Any:
    """An `IfPresent` or `Concat` as an object, whether it stands there as such or as a JSON text; else `item`."""
    if not isinstance(item, str) or not item.startswith(('{"IfPresent"', '{"Concat"')):
        return item
    try:
        return jsonio.decode(item)
    except InvalidInput:
        return item


def _either(form: re.Match[str], name: str) -> str | None:
    quoted = form[f"{name}1"]
    return quoted if quoted is not None else form[f"{name}2"]


def _shown(item: Any) -> str:
    """A value as it stands in a command line."""
    match item:
        case None:
            return ""
        case str():
            return item
        case bool():
            return "true" if item else "false"
        case int() | float():
            return plain(item)
        case _:
            return jsonio.encode_text(item)
