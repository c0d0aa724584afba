"""Documents that a component may be handed: how another task ended, and its own task's settings."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional


@dataclass
class PipelineTaskFinalStatus:
    """How the task ended that this one looks after. The last two are None where it did not fail."""

    state: str
    pipeline_job_resource_name: str
    pipeline_task_name: str
    error_code: Optional[int]
    error_message: Optional[str]

    @classmethod
    def from_document(cls, document):
        error = document.get("error") or {}

        def either(new, old):
            return document.get(new) if document.get(new) is not None else document.get(old)

        return cls(
            state=document.get("state"),
            pipeline_job_resource_name=either("pipelineJobResourceName", "pipeline_job_resource_name"),
            pipeline_task_name=either("pipelineTaskName", "pipeline_task_name"),
            error_code=error.get("code"),
            error_message=error.get("message"),
        )


@dataclass
class TaskConfig:
    """Settings of the task, in the shapes of a Pod specification; None where nothing was set or passed on."""

    affinity: Optional[Dict[str, Any]] = None
    tolerations: Optional[List[Dict[str, Any]]] = None
    node_selector: Optional[Dict[str, str]] = None
    env: Optional[List[Dict[str, Any]]] = None
    volumes: Optional[List[Dict[str, Any]]] = None
    volume_mounts: Optional[List[Dict[str, Any]]] = None
    resources: Optional[Dict[str, Any]] = None

    @classmethod
    def from_document(cls, document):
        return cls(
            affinity=document.get("affinity"),
            tolerations=document.get("tolerations"),
            node_selector=document.get("nodeSelector"),
            env=document.get("env"),
            volumes=document.get("volumes"),
            volume_mounts=document.get("volumeMounts"),
            resources=document.get("resources"),
        )
