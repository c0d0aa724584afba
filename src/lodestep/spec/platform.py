"""What the Kubernetes document says of an executor: every message of `kubernetes_executor_config.proto`.

Names of claims, secrets and config maps come in two forms: a constant (deprecated) and an `InputParameterSpec` that a
run resolves. Plain data; what it means on one machine is the engine's.
"""

from typing import Any

from lodestep.spec import protojson
from lodestep.spec.ir import Message, PipelineConfig, PlatformSpec, TaskInputParameter, TaskOutputParameterRef


class SecretKeyToEnv(Message, frozen=True, kw_only=True):
    secret_key: str = ""
    env_var: str = ""

    @property
    def key(self) -> str:
        """The name that both kinds of entry share."""
        return self.secret_key


class ConfigMapKeyToEnv(Message, frozen=True, kw_only=True):
    config_map_key: str = ""
    env_var: str = ""

    @property
    def key(self) -> str:
        """The name that both kinds of entry share."""
        return self.config_map_key


class SecretAsVolume(Message, frozen=True, kw_only=True):
    secret_name: str = ""
    mount_path: str = ""
    optional: bool = False
    secret_name_parameter: TaskInputParameter | None = None


class SecretAsEnv(Message, frozen=True, kw_only=True):
    secret_name: str = ""
    key_to_env: list[SecretKeyToEnv] = []
    optional: bool = False
    secret_name_parameter: TaskInputParameter | None = None


class ConfigMapAsVolume(Message, frozen=True, kw_only=True):
    config_map_name: str = ""
    mount_path: str = ""
    optional: bool = False
    config_map_name_parameter: TaskInputParameter | None = None


class ConfigMapAsEnv(Message, frozen=True, kw_only=True):
    config_map_name: str = ""
    key_to_env: list[ConfigMapKeyToEnv] = []
    optional: bool = False
    config_map_name_parameter: TaskInputParameter | None = None


class PvcMount(Message, frozen=True, kw_only=True):
    task_output_parameter: TaskOutputParameterRef | None = None
    constant: str = ""
    component_input_parameter: str = ""
    mount_path: str = ""
    sub_path: str = ""
    pvc_name_parameter: TaskInputParameter | None = None


class NodeSelector(Message, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    node_selector_json: TaskInputParameter | None = None


class PodMetadata(Message, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ImagePullSecret(Message, frozen=True, kw_only=True):
    secret_name: str = ""
    secret_name_parameter: TaskInputParameter | None = None


class FieldPathAsEnv(Message, frozen=True, kw_only=True):
    name: str = ""
    field_path: str = ""


class Toleration(Message, frozen=True, kw_only=True):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None
    toleration_json: TaskInputParameter | None = None


class GenericEphemeralVolume(Message, frozen=True, kw_only=True):
    volume_name: str = ""
    mount_path: str = ""
    access_modes: list[str] = []
    size: str = ""
    default_storage_class: bool = False
    storage_class_name: str = ""
    metadata: PodMetadata | None = None


class SelectorRequirement(Message, frozen=True, kw_only=True):
    key: str = ""
    operator: str = ""
    values: list[str] = []


class NodeAffinity(Message, frozen=True, kw_only=True):
    match_expressions: list[SelectorRequirement] = []
    match_fields: list[SelectorRequirement] = []
    weight: int | None = None
    node_affinity_json: TaskInputParameter | None = None


class PodAffinity(Message, frozen=True, kw_only=True):
    match_pod_expressions: list[SelectorRequirement] = []
    match_pod_labels: dict[str, str] = {}
    topology_key: str = ""
    namespaces: list[str] = []
    match_namespace_expressions: list[SelectorRequirement] = []
    match_namespace_labels: dict[str, str] = {}
    weight: int | None = None
    anti: bool | None = None


class SharedMemory(Message, frozen=True, kw_only=True):
    volume_name: str = ""
    size: str = ""


class EmptyDirMount(Message, frozen=True, kw_only=True):
    volume_name: str = ""
    mount_path: str = ""
    medium: str | None = None
    size_limit: str | None = None


class SecurityContext(Message, frozen=True, kw_only=True):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None


class KubernetesExecutorConfig(Message, frozen=True, kw_only=True):
    """`init_containers` is on the reference's main branch only; it is read, so that it can be refused in words."""

    secret_as_volume: list[SecretAsVolume] = []
    secret_as_env: list[SecretAsEnv] = []
    pvc_mount: list[PvcMount] = []
    node_selector: NodeSelector | None = None
    pod_metadata: PodMetadata | None = None
    image_pull_secret: list[ImagePullSecret] = []
    image_pull_policy: str = ""
    config_map_as_volume: list[ConfigMapAsVolume] = []
    config_map_as_env: list[ConfigMapAsEnv] = []
    active_deadline_seconds: int = 0
    field_path_as_env: list[FieldPathAsEnv] = []
    tolerations: list[Toleration] = []
    generic_ephemeral_volume: list[GenericEphemeralVolume] = []
    node_affinity: list[NodeAffinity] = []
    pod_affinity: list[PodAffinity] = []
    enabled_shared_memory: SharedMemory | None = None
    empty_dir_mounts: list[EmptyDirMount] = []
    security_context: SecurityContext | None = None
    init_containers: list[dict[str, Any]] = []


def executor_config(platform: PlatformSpec | None, label: str) -> KubernetesExecutorConfig | None:
    """The settings of one executor; None where there are none. Raises `InvalidInput` for what is not understood."""
    kubernetes = platform.kubernetes if platform else None
    if kubernetes is None or label not in kubernetes.deployment_spec.executors:
        return None
    place = f"$.platforms['kubernetes'].deploymentSpec.executors[{label!r}]"
    return protojson.convert(kubernetes.deployment_spec.executors[label], KubernetesExecutorConfig, place=place)


def pipeline_config(platform: PlatformSpec | None) -> PipelineConfig:
    """The settings of the whole pipeline: time limits, workspace."""
    kubernetes = platform.kubernetes if platform else None
    return kubernetes.pipeline_config if kubernetes else PipelineConfig()
