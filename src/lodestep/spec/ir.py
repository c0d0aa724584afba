"""The intermediate representation: every message of PipelineSpec 2.1.0, one struct each, as its proto has it.

Plain data without behaviour of a run. Field names are snake case here and camelCase on the wire. An absent scalar is
the proto's zero and an absent message an empty one, except where the proto can tell absence (members of a `oneof`, and
what would mean something else when empty): those are None. Unknown fields are refused.

Where the proto has an old and a new form of one thing, a property gives both as one (`kind`, `value`, `wanted_…`).
What the JSON mapping of protobuf also allows (snake case names, numbers as text, …) is brought into this form by
`protojson` before it gets here.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Message(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Base of all messages."""


class ParameterType(StrEnum):
    """`ParameterType.ParameterTypeEnum`."""

    UNSPECIFIED = "PARAMETER_TYPE_ENUM_UNSPECIFIED"
    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


class PrimitiveType(StrEnum):
    """`PrimitiveType.PrimitiveTypeEnum`, the deprecated way to type a parameter."""

    UNSPECIFIED = "PRIMITIVE_TYPE_UNSPECIFIED"
    INT = "INT"
    DOUBLE = "DOUBLE"
    STRING = "STRING"


class TriggerStrategy(StrEnum):
    UNSPECIFIED = "TRIGGER_STRATEGY_UNSPECIFIED"
    ALL_UPSTREAM_TASKS_SUCCEEDED = "ALL_UPSTREAM_TASKS_SUCCEEDED"
    ALL_UPSTREAM_TASKS_COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"


_FROM_PRIMITIVE = {
    PrimitiveType.INT: ParameterType.NUMBER_INTEGER,
    PrimitiveType.DOUBLE: ParameterType.NUMBER_DOUBLE,
    PrimitiveType.STRING: ParameterType.STRING,
}


class TypedValue(Message, frozen=True, kw_only=True):
    """`Value`: the deprecated typed constant."""

    int_value: int | None = None
    double_value: float | None = None
    string_value: str | None = None

    @property
    def plain(self) -> int | float | str | None:
        if self.int_value is not None:
            return self.int_value
        return self.double_value if self.double_value is not None else self.string_value


class RuntimeValue(Message, frozen=True, kw_only=True):
    """`ValueOrRuntimeParameter`. `constant` is UNSET where another member of the oneof is set."""

    constant: Any = msgspec.UNSET
    constant_value: TypedValue | None = None
    runtime_parameter: str | None = None

    @property
    def value(self) -> Any:
        """The constant, in either form; None where there is none."""
        if self.constant_value is not None:
            return self.constant_value.plain
        return None if self.constant is msgspec.UNSET else self.constant


class ArtifactType(Message, frozen=True, kw_only=True):
    """`ArtifactTypeSchema`."""

    schema_title: str = ""
    schema_uri: str = ""
    instance_schema: str = ""
    schema_version: str = ""

    @property
    def title(self) -> str:
        """The type's name, or the text of its schema."""
        return self.schema_title or self.instance_schema or "system.Artifact"


class InputParameter(Message, frozen=True, kw_only=True):
    type: PrimitiveType | None = None
    parameter_type: ParameterType = ParameterType.UNSPECIFIED
    default_value: Any = msgspec.UNSET
    is_optional: bool = False
    description: str = ""
    literals: list[Any] = []

    @property
    def kind(self) -> ParameterType:
        return _kind(self.parameter_type, self.type)

    @property
    def has_default(self) -> bool:
        return self.default_value is not msgspec.UNSET


class InputArtifact(Message, frozen=True, kw_only=True):
    artifact_type: ArtifactType = ArtifactType()
    is_artifact_list: bool = False
    is_optional: bool = False
    description: str = ""


class InputDefinitions(Message, frozen=True, kw_only=True):
    artifacts: dict[str, InputArtifact] = {}
    parameters: dict[str, InputParameter] = {}


class OutputParameter(Message, frozen=True, kw_only=True):
    type: PrimitiveType | None = None
    parameter_type: ParameterType = ParameterType.UNSPECIFIED
    description: str = ""

    @property
    def kind(self) -> ParameterType:
        return _kind(self.parameter_type, self.type)


class OutputArtifact(Message, frozen=True, kw_only=True):
    artifact_type: ArtifactType = ArtifactType()
    properties: dict[str, RuntimeValue] = {}
    custom_properties: dict[str, RuntimeValue] = {}
    metadata: dict[str, Any] = {}
    is_artifact_list: bool = False
    description: str = ""


class OutputDefinitions(Message, frozen=True, kw_only=True):
    artifacts: dict[str, OutputArtifact] = {}
    parameters: dict[str, OutputParameter] = {}


class ArtifactSelector(Message, frozen=True, kw_only=True):
    producer_subtask: str = ""
    output_artifact_key: str = ""


class DagOutputArtifact(Message, frozen=True, kw_only=True):
    artifact_selectors: list[ArtifactSelector] = []


class ParameterSelector(Message, frozen=True, kw_only=True):
    producer_subtask: str = ""
    output_parameter_key: str = ""


class ParameterSelectors(Message, frozen=True, kw_only=True):
    parameter_selectors: list[ParameterSelector] = []


class DagOutputParameter(Message, frozen=True, kw_only=True):
    value_from_parameter: ParameterSelector | None = None
    value_from_oneof: ParameterSelectors | None = None

    @property
    def selectors(self) -> list[ParameterSelector]:
        if self.value_from_parameter is not None:
            return [self.value_from_parameter]
        return self.value_from_oneof.parameter_selectors if self.value_from_oneof else []


class DagOutputs(Message, frozen=True, kw_only=True):
    artifacts: dict[str, DagOutputArtifact] = {}
    parameters: dict[str, DagOutputParameter] = {}


class TaskOutputParameterRef(Message, frozen=True, kw_only=True):
    producer_task: str = ""
    output_parameter_key: str = ""


class TaskOutputArtifactRef(Message, frozen=True, kw_only=True):
    producer_task: str = ""
    output_artifact_key: str = ""


class FinalStatusRef(Message, frozen=True, kw_only=True):
    producer_task: str = ""


class TaskInputParameter(Message, frozen=True, kw_only=True):
    """`TaskInputsSpec.InputParameterSpec`: one of four sources, and an expression that picks from the value."""

    task_output_parameter: TaskOutputParameterRef | None = None
    runtime_value: RuntimeValue | None = None
    component_input_parameter: str | None = None
    task_final_status: FinalStatusRef | None = None
    parameter_expression_selector: str = ""


class TaskInputArtifact(Message, frozen=True, kw_only=True):
    task_output_artifact: TaskOutputArtifactRef | None = None
    component_input_artifact: str | None = None


class TaskInputs(Message, frozen=True, kw_only=True):
    parameters: dict[str, TaskInputParameter] = {}
    artifacts: dict[str, TaskInputArtifact] = {}


class TaskInfo(Message, frozen=True, kw_only=True):
    name: str = ""


class CachingOptions(Message, frozen=True, kw_only=True):
    enable_cache: bool = False
    cache_key: str = ""


class ComponentRef(Message, frozen=True, kw_only=True):
    name: str = ""


class TriggerPolicy(Message, frozen=True, kw_only=True):
    condition: str = ""
    strategy: TriggerStrategy = TriggerStrategy.UNSPECIFIED


class RetryPolicy(Message, frozen=True, kw_only=True):
    """Durations are the proto's text (`30s`): see `values.duration_s`."""

    max_retry_count: int = 0
    backoff_duration: str = ""
    backoff_factor: float = 0.0
    backoff_max_duration: str = ""


class IteratorPolicy(Message, frozen=True, kw_only=True):
    parallelism_limit: int = 0


class ArtifactItems(Message, frozen=True, kw_only=True):
    input_artifact: str = ""


class ArtifactIterator(Message, frozen=True, kw_only=True):
    items: ArtifactItems = ArtifactItems()
    item_input: str = ""


class ParameterItems(Message, frozen=True, kw_only=True):
    raw: str | None = None
    input_parameter: str | None = None


class ParameterIterator(Message, frozen=True, kw_only=True):
    items: ParameterItems = ParameterItems()
    item_input: str = ""


class TaskSpec(Message, frozen=True, kw_only=True):
    """`PipelineTaskSpec`."""

    task_info: TaskInfo = TaskInfo()
    inputs: TaskInputs = TaskInputs()
    dependent_tasks: list[str] = []
    caching_options: CachingOptions = CachingOptions()
    component_ref: ComponentRef = ComponentRef()
    trigger_policy: TriggerPolicy = TriggerPolicy()
    artifact_iterator: ArtifactIterator | None = None
    parameter_iterator: ParameterIterator | None = None
    retry_policy: RetryPolicy | None = None
    iterator_policy: IteratorPolicy = IteratorPolicy()


class DagSpec(Message, frozen=True, kw_only=True):
    tasks: dict[str, TaskSpec] = {}
    outputs: DagOutputs = DagOutputs()


class TaskConfigField(StrEnum):
    """`TaskConfigPassthroughType.TaskConfigPassthroughTypeEnum`."""

    NONE = "NONE"
    RESOURCES = "RESOURCES"
    ENV = "ENV"
    KUBERNETES_AFFINITY = "KUBERNETES_AFFINITY"
    KUBERNETES_TOLERATIONS = "KUBERNETES_TOLERATIONS"
    KUBERNETES_NODE_SELECTOR = "KUBERNETES_NODE_SELECTOR"
    KUBERNETES_VOLUMES = "KUBERNETES_VOLUMES"


class TaskConfigPassthrough(Message, frozen=True, kw_only=True):
    """A setting of the task that its component wants to see, and whether the task itself still gets it."""

    field: TaskConfigField = TaskConfigField.NONE
    apply_to_task: bool = False


class KubernetesWorkspaceConfig(Message, frozen=True, kw_only=True):
    pvc_spec_patch: dict[str, Any] = {}


class WorkspaceConfig(Message, frozen=True, kw_only=True):
    size: str = ""
    kubernetes: KubernetesWorkspaceConfig | None = None


class PipelineConfig(Message, frozen=True, kw_only=True):
    """Durations are seconds."""

    resource_ttl_on_completion: int = 0
    resource_ttl_on_success: int = 0
    resource_ttl_on_failure: int = 0
    active_deadline_seconds: int = 0
    workspace: WorkspaceConfig | None = None


class PlatformDeploymentConfig(Message, frozen=True, kw_only=True):
    """`executors` maps an executor label to the platform's own config (a Struct; see `platform`)."""

    executors: dict[str, dict[str, Any]] = {}


class SinglePlatformSpec(Message, frozen=True, kw_only=True):
    deployment_spec: PlatformDeploymentConfig = PlatformDeploymentConfig()
    platform: str = ""
    config: dict[str, Any] = {}
    pipeline_config: PipelineConfig = PipelineConfig()


class PlatformSpec(Message, frozen=True, kw_only=True):
    """The second document of a pipeline file."""

    platforms: dict[str, SinglePlatformSpec] = {}

    @property
    def kubernetes(self) -> SinglePlatformSpec | None:
        return self.platforms.get("kubernetes")


class ComponentSpec(Message, frozen=True, kw_only=True):
    input_definitions: InputDefinitions = InputDefinitions()
    output_definitions: OutputDefinitions = OutputDefinitions()
    dag: DagSpec | None = None
    executor_label: str | None = None
    single_platform_specs: list[SinglePlatformSpec] = []
    task_config_passthroughs: list[TaskConfigPassthrough] = []


class Command(Message, frozen=True, kw_only=True):
    """`Lifecycle.Exec`."""

    command: list[str] = []
    args: list[str] = []


class Lifecycle(Message, frozen=True, kw_only=True):
    pre_cache_check: Command | None = None


class AcceleratorSpec(Message, frozen=True, kw_only=True):
    """`type` and `count` are deprecated; the `resource_` texts may hold placeholders."""

    type: str = ""
    count: int = 0
    resource_type: str = ""
    resource_count: str = ""

    @property
    def wanted_type(self) -> str:
        return self.resource_type or self.type

    @property
    def wanted_count(self) -> str:
        return self.resource_count or (str(self.count) if self.count else "")


class ResourceSpec(Message, frozen=True, kw_only=True):
    """The doubles are deprecated (cores and gigabytes); the texts may hold placeholders."""

    cpu_limit: float = 0.0
    memory_limit: float = 0.0
    cpu_request: float = 0.0
    memory_request: float = 0.0
    resource_cpu_limit: str = ""
    resource_memory_limit: str = ""
    resource_cpu_request: str = ""
    resource_memory_request: str = ""
    accelerator: AcceleratorSpec | None = None

    @property
    def wanted_cpu_limit(self) -> str:
        """Cores as a Kubernetes quantity, of either form; empty where there is none. So with the other three."""
        return self.resource_cpu_limit or _quantity(self.cpu_limit * 1000, "m")

    @property
    def wanted_cpu_request(self) -> str:
        return self.resource_cpu_request or _quantity(self.cpu_request * 1000, "m")

    @property
    def wanted_memory_limit(self) -> str:
        return self.resource_memory_limit or _quantity(self.memory_limit * 1e9)

    @property
    def wanted_memory_request(self) -> str:
        return self.resource_memory_request or _quantity(self.memory_request * 1e9)


class EnvVar(Message, frozen=True, kw_only=True):
    name: str = ""
    value: str = ""


class ContainerSpec(Message, frozen=True, kw_only=True):
    """`PipelineContainerSpec`."""

    image: str = ""
    command: list[str] = []
    args: list[str] = []
    lifecycle: Lifecycle | None = None
    resources: ResourceSpec = ResourceSpec()
    env: list[EnvVar] = []


class ImporterSpec(Message, frozen=True, kw_only=True):
    artifact_uri: RuntimeValue = RuntimeValue()
    type_schema: ArtifactType = ArtifactType()
    properties: dict[str, RuntimeValue] = {}
    custom_properties: dict[str, RuntimeValue] = {}
    metadata: dict[str, Any] = {}
    reimport: bool = False
    download_to_workspace: bool = False


class ArtifactQuery(Message, frozen=True, kw_only=True):
    filter: str = ""
    limit: int = 0


class ResolverSpec(Message, frozen=True, kw_only=True):
    output_artifact_queries: dict[str, ArtifactQuery] = {}


class CustomJobSpec(Message, frozen=True, kw_only=True):
    """`AIPlatformCustomJobSpec`: Vertex AI's own; validated by nobody here."""

    custom_job: dict[str, Any] = {}


class ExecutorSpec(Message, frozen=True, kw_only=True):
    container: ContainerSpec | None = None
    importer: ImporterSpec | None = None
    resolver: ResolverSpec | None = None
    custom_job: CustomJobSpec | None = None


class DeploymentConfig(Message, frozen=True, kw_only=True):
    """`PipelineDeploymentConfig`."""

    executors: dict[str, ExecutorSpec] = {}


class PipelineInfo(Message, frozen=True, kw_only=True):
    name: str = ""
    display_name: str = ""
    description: str = ""


class PipelineSpec(Message, frozen=True, kw_only=True):
    pipeline_info: PipelineInfo = PipelineInfo()
    deployment_spec: DeploymentConfig = DeploymentConfig()
    sdk_version: str = ""
    schema_version: str = ""
    components: dict[str, ComponentSpec] = {}
    root: ComponentSpec = ComponentSpec()
    default_pipeline_root: str = ""


def _kind(parameter_type: ParameterType, primitive: PrimitiveType | None) -> ParameterType:
    if parameter_type is ParameterType.UNSPECIFIED and primitive is not None:
        return _FROM_PRIMITIVE.get(primitive, parameter_type)
    return parameter_type


def _quantity(number: float, unit: str = "") -> str:
    return f"{round(number)}{unit}" if number else ""
