"""What a component finds under `kfp.dsl` at run time: annotations, artifacts, and placeholders as texts."""

from kfp.dsl import annotations, types
from kfp.dsl.annotations import (
    EmbeddedAnnotation,
    EmbeddedInput,
    Input,
    InputAnnotation,
    InputPath,
    Output,
    OutputAnnotation,
    OutputPath,
)
from kfp.dsl.constants import (
    PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
    PIPELINE_JOB_ID_PLACEHOLDER,
    PIPELINE_JOB_NAME_PLACEHOLDER,
    PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
    PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
    PIPELINE_ROOT_PLACEHOLDER,
    PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
    PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
    PIPELINE_TASK_ID_PLACEHOLDER,
    PIPELINE_TASK_NAME_PLACEHOLDER,
    WORKSPACE_PATH_PLACEHOLDER,
)
from kfp.dsl.settings import PipelineTaskFinalStatus, TaskConfig
from kfp.dsl.types.artifact_types import (
    HTML,
    Artifact,
    ClassificationMetrics,
    Dataset,
    Markdown,
    Metrics,
    Model,
    SlicedClassificationMetrics,
    get_uri,
)


def run_notebook(**_):
    """Notebook components put their own function here."""
    raise NotImplementedError("dsl.run_notebook() works in notebook components alone: use @dsl.notebook_component")


def component(function=None, **_):
    """A decorator that is left in the source of components in images: at run time the function is just itself."""
    return function if function is not None else lambda inner: inner


pipeline = container_component = notebook_component = component


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError("module 'kfp.dsl' has no attribute %r" % name)
    raise AttributeError(
        "kfp.dsl.%s is not there inside a step: there it has annotations, artifacts and placeholders, and no pipelines"
        % name
    )


# What `from kfp.dsl import *` means, which stands at the head of every component.
__all__ = [
    "HTML",
    "PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER",
    "PIPELINE_JOB_ID_PLACEHOLDER",
    "PIPELINE_JOB_NAME_PLACEHOLDER",
    "PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER",
    "PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER",
    "PIPELINE_ROOT_PLACEHOLDER",
    "PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER",
    "PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER",
    "PIPELINE_TASK_ID_PLACEHOLDER",
    "PIPELINE_TASK_NAME_PLACEHOLDER",
    "WORKSPACE_PATH_PLACEHOLDER",
    "Artifact",
    "ClassificationMetrics",
    "Dataset",
    "EmbeddedInput",
    "Input",
    "InputPath",
    "Markdown",
    "Metrics",
    "Model",
    "Output",
    "OutputPath",
    "PipelineTaskFinalStatus",
    "SlicedClassificationMetrics",
    "TaskConfig",
    "get_uri",
    "run_notebook",
]
