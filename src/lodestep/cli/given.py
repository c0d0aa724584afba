"""Parameters as people type them. The declared type of the pipeline decides how a value is read. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from lodestep.errors import InvalidInput
from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import InputParameter
from lodestep.spec.values import coerce, run_parameters


def parameters(document: PipelineDocument, pairs: Iterable[str], text: str | None) -> dict[str, Any]:
    """What `--params` and the `--param k=v` say, the latter winning. Raises `InvalidInput` naming what is wrong."""
    declared = document.spec.root.input_definitions.parameters
    given: dict[str, Any] = _object(text) if text else {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(f"--param {pair!r}: expected NAME=VALUE")
        if key not in declared:
            raise InvalidInput(f"the pipeline has no parameter {key!r}", hint=_has(declared))
        given[key] = coerce(value, declared[key].kind, place=f"--param {key}")
    run_parameters(document.spec, given)
    return given


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--params: not JSON: {error}", hint="""for example --params '{"n": 3}'""") from error
    if not isinstance(value, dict):
        raise InvalidInput("--params: expected a JSON object of names and values")
    return value


def _has(declared: dict[str, InputParameter]) -> str:
    if not declared:
        return "it takes none"
    return "it has: " + ", ".join(f"{name} ({spec.kind.lower()})" for name, spec in declared.items())
