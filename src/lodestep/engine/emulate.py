"""What the Kubernetes document asks of an executor, on one machine.

Secrets and config maps are files of the home; claims and empty volumes are folders that the step sees at the mount
path; labels and annotations can be read through field paths. What only places a Pod (node selectors, tolerations,
affinity, pull settings, users) has no meaning here and is passed over.
"""

import socket
from pathlib import Path
from typing import Any

from lodestep.core import resolve
from lodestep.core.launch import Mount, MountKind
from lodestep.core.model import Failure, FailureKind, Task
from lodestep.core.state import RunState
from lodestep.engine.secrets import KeyedFiles
from lodestep.errors import InvalidInput
from lodestep.spec.ir import TaskInputParameter
from lodestep.spec.platform import KubernetesExecutorConfig


class CannotLaunch(Exception):
    """This attempt cannot run here, for a reason that trying again does not change."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.failure = Failure(kind=FailureKind.CANNOT_RUN, message=message, hint=hint, retryable=False)


class Emulated:
    """The settings of one attempt."""

    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.secret_env: dict[str, str] = {}
        self.mounts: list[Mount] = []
        self.timeout_s = 0.0


class Emulation:
    """The stand-in of a cluster, for one home."""

    def __init__(self, home: Path) -> None:
        self._secrets = KeyedFiles(home / "secrets", "secret")
        self._config_maps = KeyedFiles(home / "configmaps", "config map")
        self._volumes = home / "volumes"

    def settings(self, state: RunState, task: Task, config: KubernetesExecutorConfig, attempt_id: str) -> Emulated:
        """Raises `CannotLaunch` where something that must be there is not."""
        if config.init_containers:
            raise CannotLaunch("init containers cannot be run on this machine", "move their work into the component")
        found = Emulated()
        found.timeout_s = float(config.active_deadline_seconds or 0)
        try:
            self._secret_settings(state, task, config, found)
            self._config_map_settings(state, task, config, found)
            self._volume_settings(state, task, config, found)
        except InvalidInput as error:
            raise CannotLaunch(error.message) from error
        for field in config.field_path_as_env:
            found.env[field.name] = _field(field.field_path, state, task, config, attempt_id)
        return found

    def _secret_settings(self, state: RunState, task: Task, config: KubernetesExecutorConfig, found: Emulated) -> None:
        for setting in config.secret_as_env:
            name = _name(state, task, setting.secret_name_parameter, setting.secret_name)
            for pair in setting.key_to_env:
                value = self._value(self._secrets, name, pair.key, optional=setting.optional)
                if value is not None:
                    found.secret_env[pair.env_var] = value
        for setting in config.secret_as_volume:
            name = _name(state, task, setting.secret_name_parameter, setting.secret_name)
            self._mount(self._secrets, name, setting.mount_path, found, optional=setting.optional)

    def _config_map_settings(
        self, state: RunState, task: Task, config: KubernetesExecutorConfig, found: Emulated
    ) -> None:
        for setting in config.config_map_as_env:
            name = _name(state, task, setting.config_map_name_parameter, setting.config_map_name)
            for pair in setting.key_to_env:
                value = self._value(self._config_maps, name, pair.key, optional=setting.optional)
                if value is not None:
                    found.env[pair.env_var] = value
        for setting in config.config_map_as_volume:
            name = _name(state, task, setting.config_map_name_parameter, setting.config_map_name)
            self._mount(self._config_maps, name, setting.mount_path, found, optional=setting.optional)

    def _value(self, files: KeyedFiles, name: str, key: str, *, optional: bool) -> str | None:
        if not name:
            return None
        value = files.value(name, key)
        if value is None and not optional:
            noun = files.noun
            if files.folder(name) is None:
                raise CannotLaunch(f"the {noun} {name!r} is not here", _how_to_set(noun, name, key))
            raise CannotLaunch(f"the {noun} {name!r} has no key {key!r}", _how_to_set(noun, name, key))
        return value

    def _mount(self, files: KeyedFiles, name: str, path: str, found: Emulated, *, optional: bool) -> None:
        if not name:
            return
        folder = files.folder(name)
        if folder is not None:
            found.mounts.append(Mount(kind=MountKind.FOLDER, source=str(folder), target=path, read_only=True))
        elif not optional:
            raise CannotLaunch(f"the {files.noun} {name!r} is not here", _how_to_set(files.noun, name, "KEY"))

    def _volume_settings(self, state: RunState, task: Task, config: KubernetesExecutorConfig, found: Emulated) -> None:
        for mount in config.pvc_mount:
            claim = resolve.claim_name(state, task, mount)
            if claim is not None:
                source = self.volume(str(claim)) / mount.sub_path.strip("/")
                if ".." in Path(mount.sub_path).parts:
                    raise CannotLaunch(f"the sub path {mount.sub_path!r} leads out of the volume {claim!r}")
                source.mkdir(parents=True, exist_ok=True)
                found.mounts.append(Mount(kind=MountKind.FOLDER, source=str(source), target=mount.mount_path))
        for path in (
            *(volume.mount_path for volume in config.generic_ephemeral_volume),
            *(volume.mount_path for volume in config.empty_dir_mounts),
        ):
            found.mounts.append(Mount(kind=MountKind.EMPTY, target=path))

    def volume(self, name: str) -> Path:
        """The folder of a claim; made if need be. Raises `InvalidInput` for a name that could lead elsewhere."""
        if not name or "/" in name or name.startswith("."):
            raise InvalidInput(f"volume name {name!r}: expected letters, digits, '.' and '-'")
        folder = self._volumes / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


def _name(state: RunState, task: Task, source: TaskInputParameter | None, fixed: str) -> str:
    """A name in either form; "" where an optional input behind it is null, which drops the setting."""
    found = resolve.platform_value(state, task, source, fixed)
    return "" if found is None else str(found)


def _how_to_set(noun: str, name: str, key: str) -> str:
    command = "secret" if noun == "secret" else "configmap"
    return f"set it with: lodestep {command} set {name} {key}=VALUE"


def _field(path: str, state: RunState, task: Task, config: KubernetesExecutorConfig, attempt_id: str) -> str:
    """What a field path of the Pod stands for here; "" for a label or annotation that is not set."""
    metadata = config.pod_metadata
    fixed: dict[str, Any] = {
        "metadata.name": attempt_id,
        "metadata.uid": attempt_id,
        "metadata.namespace": state.header.namespace or "default",
        "spec.nodeName": socket.gethostname(),
        "spec.serviceAccountName": "pipeline-runner",
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
    }
    if path in fixed:
        return str(fixed[path])
    kind, _, key = path.partition("[")
    key = key.removesuffix("]").strip("'\"")
    labels = metadata.labels if metadata else {}
    annotations = metadata.annotations if metadata else {}
    own = {"pipeline/runid": state.header.run_id, "pipelines.kubeflow.org/v2_component": "true"}
    return {"metadata.labels": {**own, **labels}, "metadata.annotations": annotations}.get(kind, {}).get(key, "")
