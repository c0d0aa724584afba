"""Values are data: 2,000 hostile values through every form of placeholder, byte for byte, and nothing is expanded.

The same check is held against a planted mutant that replaces one placeholder after the other, as the reference does:
it must be caught, or the check would say nothing.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from lodestep.lang import placeholders
from lodestep.lang.placeholders import Scope

FORMS = {
    "parameter": "{{$.inputs.parameters['n']}}",
    "parameter, double quotes": '{{$.inputs.parameters["n"]}}',
    "input uri": "{{$.inputs.artifacts['a'].uri}}",
    "input path": "{{$.inputs.artifacts['custom'].path}}",
    "input name": "{{$.inputs.artifacts['a'].name}}",
    "input metadata": "{{$.inputs.artifacts['a'].metadata['k']}}",
    "output uri": "{{$.outputs.artifacts['a'].uri}}",
    "output path": "{{$.outputs.artifacts['custom'].path}}",
    "output name": "{{$.outputs.artifacts['a'].name}}",
    "output metadata": "{{$.outputs.artifacts['a'].metadata['k']}}",
    "output parameter": "{{$.outputs.parameters['o'].output_file}}",
    "output file": "{{$.outputs.output_file}}",
    "output file, other name": "{{$.outputMetadataUri}}",
    **{
        name: f"{{{{$.{name}}}}}"
        for name in (
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
    },
}
JSON_FORMS = {
    "document": "{{$}}",
    "map": "{{$.inputs.parameters['map']}}",
    "list of artifacts": "{{$.inputs.artifacts['a']}}",
    "all metadata": "{{$.inputs.artifacts['a'].metadata}}",
}
SECRET = "expanded-secret"  # what any expansion would show
Substitute = Callable[[str, Scope], str]


def scope(value: str) -> Scope:
    artifact = {"name": value, "uri": value, "metadata": {"k": value}}
    sides = {"a": {"artifacts": [artifact]}, "custom": {"artifacts": [{**artifact, "customPath": value}]}}
    document: dict[str, Any] = {
        "inputs": {"parameterValues": {"n": value, "map": {"v": value}, "secret": SECRET}, "artifacts": sides},
        "outputs": {
            "artifacts": sides,
            "parameters": {"o": {"outputFile": value}},
            "outputFile": value,
        },
    }
    names = [name for name in FORMS if name.startswith(("pipeline_", "workspace"))]
    return Scope(executor_input=document, variables=dict.fromkeys(names, value))


def sequential(text: str, scope: Scope) -> str:
    """The mutant: one placeholder after the other, so what one stands for is looked at by the next."""
    text = text.replace(FORMS["workspace_path"], scope.variables["workspace_path"])
    for form in [*FORMS.values(), "{{$.inputs.parameters['secret']}}"]:
        if form in text and form != FORMS["workspace_path"]:
            text = text.replace(form, placeholders.substitute(form, scope))
    return text


def first_fault(value: str, substitute: Substitute) -> str | None:
    """The name of the form that does not give the value byte for byte."""
    given_scope = scope(value)
    for name, form in FORMS.items():
        if name == "workspace_path" and not value:
            continue  # an empty one means that there is no workspace
        for before, after in (("", ""), ("<", ">"), ("{{$", "}}")):
            if substitute(before + form + after, given_scope) != before + value + after:
                return name
        twice = substitute(f"{form} {form}", given_scope)
        if twice != f"{value} {value}":
            return f"{name}, twice"
    return None


PIECES = st.sampled_from(
    [
        *FORMS.values(),
        *JSON_FORMS.values(),
        "{{$.inputs.parameters['secret']}}",
        '{"Concat": ["{{$.inputs.parameters[\'secret\']}}"]}',
        '{"IfPresent": {"InputName": "n", "Then": "x"}}',
        *[
            "{{$",
            "}}",
            "{{",
            "'",
            '"',
            "\\",
            "\\n",
            "$(id)",
            "`id`",
            "%s",
            "\\g<0>",
            "\\1",
            "$1",
            "{0}",
            "[[RunUUID]]",
            "{{workflow.name}}",
            "é",
            "😀",
        ],
        *["\n", "\r\n", "\x00", "\u202e", "\u2066", "\ufeff", "A" * 300],
    ]
)
VALUES = st.one_of(st.lists(PIECES, max_size=5).map("".join), st.text(max_size=30))


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_every_form_gives_the_value_byte_for_byte(value: str) -> None:
    assert first_fault(value, placeholders.substitute) is None


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_forms_in_json_decode_to_the_value(value: str) -> None:
    given_scope = scope(value)
    found = {name: json.loads(placeholders.substitute(form, given_scope)) for name, form in JSON_FORMS.items()}
    assert found["document"] == given_scope.executor_input
    assert found["map"] == {"v": value}
    assert found["list of artifacts"][0]["uri"] == value
    assert found["all metadata"] == {"k": value}
    text = placeholders.substitute("{{$.inputs.parameters['n'].json_escape[2]}}", given_scope)
    once = json.loads(f'"{text}"')
    assert json.loads(f'"{once}"') == value


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_command_lines_hold_the_value_as_one_argument(value: str) -> None:
    items = [
        "sh",
        FORMS["parameter"],
        json.dumps({"Concat": ["-", FORMS["parameter"], FORMS["input uri"]]}),
        json.dumps({"IfPresent": {"InputName": "n", "Then": ["--n", FORMS["parameter"]], "Else": ["none"]}}),
    ]
    assert placeholders.argv(items, scope(value)) == ["sh", value, f"-{value}{value}", "--n", value]
    nested = placeholders.value({"k": [FORMS["parameter"]]}, scope(value))
    assert nested == {"k": [value]}


@pytest.mark.parametrize("filler", ["x", "{{$.inputs.parameters['secret']}}", '"', "\x00", "\u202e"])
def test_a_megabyte(filler: str) -> None:
    value = filler * (1_000_000 // len(filler))
    given_scope = scope(value)
    for form in (FORMS["parameter"], FORMS["input metadata"], FORMS["output uri"], FORMS["pipeline_job_name"]):
        assert placeholders.substitute(f"<{form}>", given_scope) == f"<{value}>"
    document = {"inputs": {"parameterValues": {"n": value}}}
    text = placeholders.substitute("{{$}}", Scope(executor_input=document, variables={}))
    assert json.loads(text) == document


def test_the_check_catches_a_substituter_that_is_sequential() -> None:
    caught = find(VALUES, lambda value: first_fault(value, sequential) is not None, settings=settings(database=None))
    assert "{{$" in caught
    secret = "{{$.inputs.parameters['secret']}}"
    assert SECRET in sequential(FORMS["parameter"], scope(secret))
    assert SECRET not in placeholders.substitute(FORMS["parameter"], scope(secret))
