"""Documents that a component may be handed: how another task ended, and its own task's settings."""


class PipelineTaskFinalStatus:
    """How the task ended that this one looks after."""

    def __init__(
        self, state, pipeline_job_resource_name, pipeline_task_name, error_code=None, error_message=None
    ):
        self.state = state
        self.pipeline_job_resource_name = pipeline_job_resource_name
        self.pipeline_task_name = pipeline_task_name
        self.error_code = error_code
        self.error_message = error_message

    @classmethod
    def from_document(cls, document):
        error = document.get("error") or {}
        return cls(
            state=document.get("state"),
            pipeline_job_resource_name=document.get("pipelineJobResourceName")
            or document.get("pipeline_job_resource_name"),
            pipeline_task_name=document.get("pipelineTaskName") or document.get("pipeline_task_name"),
            error_code=error.get("code"),
            error_message=error.get("message"),
        )

    def __eq__(self, other):
        return isinstance(other, PipelineTaskFinalStatus) and vars(self) == vars(other)

    def __repr__(self):
        fields = ", ".join("%s=%r" % item for item in vars(self).items())
        return "PipelineTaskFinalStatus(%s)" % fields


class TaskConfig:
    """Settings of the task, in the shapes of a Pod specification; None where nothing was set or passed on."""

    def __init__(
        self,
        affinity=None,
        tolerations=None,
        node_selector=None,
        env=None,
        volumes=None,
        volume_mounts=None,
        resources=None,
    ):
        self.affinity = affinity
        self.tolerations = tolerations
        self.node_selector = node_selector
        self.env = env
        self.volumes = volumes
        self.volume_mounts = volume_mounts
        self.resources = resources

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

    def __repr__(self):
        return "TaskConfig(%s)" % ", ".join("%s=%r" % item for item in vars(self).items())
