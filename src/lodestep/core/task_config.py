"""What a caller set on a task, as data for a component that starts something of its own with it.

A component may declare settings as passed through (`taskConfigPassthroughs`). Those are then not applied to its own
step, unless it says that too, but handed to it in an input of type TASK_CONFIG, as fragments of a Kubernetes Pod.
"""

from typing import Any

from lodestep.core import resolve
from lodestep.core.model import Task
from lodestep.core.state import RunState
from lodestep.spec.ir import ComponentSpec, ContainerSpec, ParameterType
from lodestep.spec.platform import KubernetesExecutorConfig, NodeAffinity, SelectorRequirement, Toleration

RESOURCES = "RESOURCES"
ENV = "ENV"
AFFINITY = "KUBERNETES_AFFINITY"
TOLERATIONS = "KUBERNETES_TOLERATIONS"
NODE_SELECTOR = "KUBERNETES_NODE_SELECTOR"
VOLUMES = "KUBERNETES_VOLUMES"
_TOLERATION_FIELDS = ("key", "operator", "value", "effect")


def applies(component: ComponentSpec, field: str) -> bool:
    """Is the setting `field` applied to the component's own step?"""
    for passed in component.task_config_passthroughs:
        if passed.field == field:
            return passed.apply_to_task
    return True


def build(state: RunState, task: Task, resources: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """The component's inputs of type TASK_CONFIG by name; {} where it has none.

    `resources` is `{"limits": {…}, "requests": {…}}` and `env` the variables, both with placeholders substituted.
    """
    component = state.plan.component_of(task)
    names = [
        name
        for name, declared in component.input_definitions.parameters.items()
        if declared.kind is ParameterType.TASK_CONFIG
    ]
    if not names:
        return {}
    passed = {passthrough.field for passthrough in component.task_config_passthroughs}
    config = state.plan.platform_of(task) or KubernetesExecutorConfig()
    found: dict[str, Any] = {}
    if RESOURCES in passed and any(resources.values()):
        found["resources"] = {key: value for key, value in resources.items() if value}
    if ENV in passed and env:
        found["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if VOLUMES in passed:
        found |= _volumes(state, task, config)
    if TOLERATIONS in passed and (tolerations := _tolerations(state, task, config)):
        found["tolerations"] = tolerations
    if NODE_SELECTOR in passed and (selector := _node_selector(state, task, config)):
        found["nodeSelector"] = selector
    if AFFINITY in passed and (affinity := _affinity(state, task, config)):
        found["affinity"] = affinity
    return dict.fromkeys(names, found)


def resources_of(container: ContainerSpec) -> dict[str, Any]:
    """The resources that a container asks for, in the form of a Pod, with placeholders as they stand."""
    asked = container.resources
    limits = {"cpu": asked.wanted_cpu_limit, "memory": asked.wanted_memory_limit}
    if (accelerator := asked.accelerator) is not None and accelerator.wanted_type:
        limits[accelerator.wanted_type] = accelerator.wanted_count
    requests = {"cpu": asked.wanted_cpu_request, "memory": asked.wanted_memory_request}
    return {
        "limits": {name: value for name, value in limits.items() if value},
        "requests": {name: value for name, value in requests.items() if value},
    }


def _volumes(state: RunState, task: Task, config: KubernetesExecutorConfig) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []

    def add(name: Any, path: str, source: dict[str, Any], sub_path: str = "") -> None:
        if name is not None:
            volumes.append({"name": name, **source})
            mounts.append({"name": name, "mountPath": path} | ({"subPath": sub_path} if sub_path else {}))

    for mount in config.pvc_mount:
        claim = resolve.claim_name(state, task, mount)
        add(claim, mount.mount_path, {"persistentVolumeClaim": {"claimName": claim}}, mount.sub_path)
    for secret in config.secret_as_volume:
        name = resolve.platform_value(state, task, secret.secret_name_parameter, secret.secret_name)
        add(name, secret.mount_path, {"secret": {"secretName": name, "optional": secret.optional}})
    for item in config.config_map_as_volume:
        name = resolve.platform_value(state, task, item.config_map_name_parameter, item.config_map_name)
        add(name, item.mount_path, {"configMap": {"name": name, "optional": item.optional}})
    for empty in config.empty_dir_mounts:
        add(empty.volume_name, empty.mount_path, {"emptyDir": {"medium": empty.medium} if empty.medium else {}})
    return {"volumes": volumes, "volumeMounts": mounts} if volumes else {}


def _tolerations(state: RunState, task: Task, config: KubernetesExecutorConfig) -> list[Any]:
    found: list[Any] = []
    for toleration in config.tolerations:
        if toleration.toleration_json is not None:
            value = resolve.platform_value(state, task, toleration.toleration_json)
            found += value if isinstance(value, list) else [value] if value else []
        else:
            found.append(_toleration(toleration))
    return found


def _toleration(toleration: Toleration) -> dict[str, Any]:
    found = {name: value for name in _TOLERATION_FIELDS if (value := getattr(toleration, name))}
    if toleration.toleration_seconds is not None:
        found["tolerationSeconds"] = int(toleration.toleration_seconds)
    return found


def _node_selector(state: RunState, task: Task, config: KubernetesExecutorConfig) -> dict[str, Any] | None:
    selector = config.node_selector
    if selector is None:
        return None
    if selector.node_selector_json is not None:
        return resolve.platform_value(state, task, selector.node_selector_json)
    return selector.labels


def _affinity(state: RunState, task: Task, config: KubernetesExecutorConfig) -> dict[str, Any] | None:
    required: list[Any] = []
    preferred: list[Any] = []
    for affinity in config.node_affinity:
        if affinity.node_affinity_json is not None:
            if value := resolve.platform_value(state, task, affinity.node_affinity_json):
                return {"nodeAffinity": value}
            continue
        term = _node_term(affinity)
        if affinity.weight is None:
            required.append(term)
        else:
            preferred.append({"weight": affinity.weight, "preference": term})
    found: dict[str, Any] = {}
    if required:
        found["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": required}
    if preferred:
        found["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return {"nodeAffinity": found} if found else None


def _node_term(affinity: NodeAffinity) -> dict[str, Any]:
    found = {
        "matchExpressions": [_requirement(item) for item in affinity.match_expressions],
        "matchFields": [_requirement(item) for item in affinity.match_fields],
    }
    return {name: items for name, items in found.items() if items}


def _requirement(item: SelectorRequirement) -> dict[str, Any]:
    return {"key": item.key, "operator": item.operator} | ({"values": item.values} if item.values else {})
