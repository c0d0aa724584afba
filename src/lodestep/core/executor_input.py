"""The document that a step is given as `{{$}}`: its inputs by value, and where its outputs are expected.

The shape is that of the proto message `ExecutorInput` in JSON. Components compiled by any release of the SDK read it,
so whole numbers stand without a fraction. An optional input without a value is null: to the SDK's executor that is the
same as absent, and a placeholder that names it stands for nothing rather than for an error.
"""

from collections.abc import Mapping
from typing import Any

from lodestep.core.model import ArtifactValue, Task
from lodestep.spec.ir import ComponentSpec, OutputArtifact


def build(
    task: Task,
    component: ComponentSpec,
    *,
    output_uris: Mapping[str, str],
    parameter_files: Mapping[str, str],
    output_file: str,
    task_config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`output_uris` is the place of each output artifact, `parameter_files` the file of each output parameter.

    URIs stand as they are given: the caller turns `file:///…` into what the step shall see, here and in the task's
    input artifacts. `task_config` is the value of the component's input of type TASK_CONFIG, if it has one.
    """
    parameters = {**task.inputs.parameters, **(task_config or {})}
    inputs: dict[str, Any] = {}
    if parameters:
        inputs["parameterValues"] = parameters
    if task.inputs.artifacts:
        inputs["artifacts"] = {
            name: {"artifacts": [runtime_artifact(artifact) for artifact in found]}
            for name, found in task.inputs.artifacts.items()
        }
    outputs: dict[str, Any] = {"outputFile": output_file}
    declared = component.output_definitions
    if declared.parameters:
        outputs["parameters"] = {name: {"outputFile": parameter_files[name]} for name in declared.parameters}
    if declared.artifacts:
        outputs["artifacts"] = {
            name: {"artifacts": [runtime_artifact(new_artifact(name, artifact, output_uris[name]))]}
            for name, artifact in declared.artifacts.items()
        }
    return {"inputs": inputs, "outputs": outputs}


def new_artifact(name: str, declared: OutputArtifact, uri: str) -> ArtifactValue:
    """An output artifact before its step has run."""
    return ArtifactValue(
        name=name,
        type=declared.artifact_type.title,
        schema_version=declared.artifact_type.schema_version,
        uri=uri,
        metadata=dict(declared.metadata),
    )


def runtime_artifact(artifact: ArtifactValue) -> dict[str, Any]:
    """The proto's `RuntimeArtifact`."""
    found: dict[str, Any] = {
        "name": artifact.name,
        "type": artifact_type(artifact),
        "uri": artifact.uri,
        "metadata": artifact.metadata,
    }
    if artifact.custom_path:
        found["customPath"] = artifact.custom_path
    return found


def artifact_type(artifact: ArtifactValue) -> dict[str, str]:
    """The proto's `ArtifactTypeSchema`: a title such as `system.Dataset`, or the text of a schema."""
    key = "instanceSchema" if _is_schema(artifact.type) else "schemaTitle"
    found = {key: artifact.type}
    if artifact.schema_version:
        found["schemaVersion"] = artifact.schema_version
    return found


def _is_schema(text: str) -> bool:
    return "\n" in text or ":" in text or text.startswith("{")
