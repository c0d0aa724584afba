"""One small pipeline for each setting of a task.

`python -W ignore -m tests.e2e.construct_settings FOLDER` compiles these and all others there.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl, kubernetes

from tests.e2e.construct_pipelines import PIPELINES, join, pipeline, read_file, scratch, write_file


@dsl.component
def environment(name: str) -> str:
    import os

    return os.environ.get(name, "unset")


@pipeline
def variables() -> str:
    return environment(name="GREETING").set_env_variable("GREETING", "hello").output


@pipeline
def secrets() -> str:
    as_variable = environment(name="PASSWORD")
    kubernetes.use_secret_as_env(as_variable, secret_name="vault", secret_key_to_env={"word": "PASSWORD"})
    as_file = read_file(path="/mnt/vault/word")
    kubernetes.use_secret_as_volume(as_file, secret_name="vault", mount_path="/mnt/vault")
    return join(a=as_variable.output, b=as_file.output).output


@pipeline
def secret_by_parameter(name: str = "vault") -> str:
    task = environment(name="PASSWORD")
    kubernetes.use_secret_as_env(task, secret_name=name, secret_key_to_env={"word": "PASSWORD"})
    return task.output


@pipeline
def config_maps() -> str:
    as_variable = environment(name="COLOUR")
    kubernetes.use_config_map_as_env(as_variable, config_map_name="look", config_map_key_to_env={"colour": "COLOUR"})
    as_file = read_file(path="/mnt/look/colour")
    kubernetes.use_config_map_as_volume(as_file, config_map_name="look", mount_path="/mnt/look")
    return join(a=as_variable.output, b=as_file.output).output


@pipeline
def volumes() -> str:
    made = kubernetes.CreatePVC(
        pvc_name_suffix="-data", access_modes=["ReadWriteOnce"], size="1Gi", storage_class_name="standard"
    )
    wrote = write_file(path="/data/note", text="kept")
    kubernetes.mount_pvc(wrote, pvc_name=made.outputs["name"], mount_path="/data")
    got = read_file(path="/elsewhere/note").after(wrote)
    kubernetes.mount_pvc(got, pvc_name=made.outputs["name"], mount_path="/elsewhere")
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(got)
    return got.output


@pipeline
def field_paths() -> str:
    task = environment(name="LABEL")
    kubernetes.add_pod_label(task, "team", "blue")
    kubernetes.use_field_path_as_env(task, "LABEL", "metadata.labels['team']")
    return task.output


@pipeline
def empty_dirs() -> str:
    task = scratch()
    kubernetes.empty_dir_mount(task, volume_name="scratch", mount_path="/scratch", medium="Memory", size_limit="1Mi")
    return task.output


@dsl.component
def hang():
    import time

    time.sleep(60)


@pipeline
def timeouts():
    kubernetes.set_timeout(hang(), 1)


@dsl.component
def hungry():
    kept = bytearray(400 * 1024 * 1024)
    print(len(kept))


@pipeline
def memory_limits():
    hungry().set_memory_limit("100Mi").set_cpu_limit("1")


@dsl.pipeline(
    name="workspaces",
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="1Gi")),
)
def workspaces() -> str:
    wrote = write_file(path=dsl.WORKSPACE_PATH_PLACEHOLDER + "/shared", text="seen")
    return read_file(path=dsl.WORKSPACE_PATH_PLACEHOLDER + "/shared").after(wrote).output


PIPELINES.append(workspaces)


if __name__ == "__main__":
    for each in PIPELINES:
        compiler.Compiler().compile(each, str(Path(sys.argv[1]) / f"{each.name}.yaml"))
