"""The life of pipelines and runs as the official client lives it, against a server started by the command line."""

import json
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract import pipelines
from tests.e2e.conftest import LiveServer
from tests.e2e.official import EPOCH, ended, runs_api, unique, until, where

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp
    import kfp_server_api

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def hello(tmp_path: Path) -> str:
    return pipelines.package(pipelines.hello, tmp_path)


# --- the server, pipelines and versions


def test_the_constructor_finds_a_server_without_users(client: kfp.Client) -> None:
    health = client.get_kfp_healthz()
    assert health.multi_user is False
    assert health.pipeline_store == "database"
    assert client.get_user_namespace() == ""


def test_an_uploaded_pipeline_is_found_by_name_and_id(client: kfp.Client, hello: str) -> None:
    name = unique("upload")
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = client.upload_pipeline(hello, pipeline_name=name, description="mine")
    assert (made.display_name, made.name, made.description) == (name, name, "mine")
    assert before <= made.created_at <= datetime.now(UTC)
    assert client.get_pipeline_id(name) == made.pipeline_id
    assert client.get_pipeline_id(unique("never")) is None
    assert client.get_pipeline(made.pipeline_id) == made
    (version,) = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
    assert (version.display_name, version.name, version.pipeline_id) == (name, name, made.pipeline_id)
    assert version.pipeline_spec["pipelineInfo"] == {"name": "hello", "description": "greets"}
    assert client.get_pipeline_version(made.pipeline_id, version.pipeline_version_id) == version


def test_a_pipeline_uploaded_from_a_function_takes_its_name(client: kfp.Client) -> None:
    name = unique("function")
    made = client.upload_pipeline_from_pipeline_func(pipelines.hello, pipeline_name=name)
    second = client.upload_pipeline_version_from_pipeline_func(pipelines.hello, "second", pipeline_name=name)
    assert second.pipeline_id == made.pipeline_id
    names = [v.name for v in client.list_pipeline_versions(made.pipeline_id, sort_by="name asc").pipeline_versions]
    assert names == sorted([name, "second"])


def test_a_second_pipeline_of_a_name_is_refused(client: kfp.Client, hello: str) -> None:
    name = unique("twice")
    client.upload_pipeline(hello, pipeline_name=name)
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.upload_pipeline(hello, pipeline_name=name)
    assert refused.value.status == 409
    assert name in json.loads(refused.value.body)["error_message"]


def test_versions_and_pipelines_are_deleted(client: kfp.Client, hello: str) -> None:
    made = client.upload_pipeline(hello, pipeline_name=unique("deleted"))
    second = client.upload_pipeline_version(hello, "second", pipeline_id=made.pipeline_id)
    client.delete_pipeline_version(made.pipeline_id, second.pipeline_version_id)
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.get_pipeline_version(made.pipeline_id, second.pipeline_version_id)
    assert refused.value.status == 404
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.delete_pipeline(made.pipeline_id)
    assert refused.value.status == 400
    assert "cascade" in json.loads(refused.value.body)["hint"]
    client._pipelines_api.pipeline_service_delete_pipeline(made.pipeline_id, cascade=True)
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.get_pipeline(made.pipeline_id)
    assert refused.value.status == 404


def test_a_run_outlives_its_pipeline(client: kfp.Client, shared: LiveServer, hello: str) -> None:
    made = client.upload_pipeline(hello, pipeline_name=unique("outlived"))
    (version,) = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
    experiment = client.create_experiment(unique("outlived"))
    run = client.run_pipeline(
        experiment.experiment_id, "outlived", pipeline_id=made.pipeline_id, version_id=version.pipeline_version_id
    )
    client._pipelines_api.pipeline_service_delete_pipeline(made.pipeline_id, cascade=True)
    assert ended(client, run.run_id).state == "SUCCEEDED"
    assert shared.outputs(run.run_id) == {"Output": "Hello, world!"}


# --- runs


def test_a_run_from_a_package_echoes_what_it_was_given(client: kfp.Client, shared: LiveServer, hello: str) -> None:
    experiment = client.create_experiment(unique("package"), description="of packages")
    run = client.run_pipeline(
        experiment.experiment_id,
        job_name="from-package",
        pipeline_package_path=hello,
        params={"name": "you"},
        pipeline_root="minio://mlpipeline/root",
        enable_caching=False,
        service_account="somebody",
    )
    done = ended(client, run.run_id)
    assert done.state == "SUCCEEDED"
    assert done.display_name == "from-package"
    assert done.experiment_id == experiment.experiment_id
    assert done.runtime_config.parameters == {"name": "you"}
    assert done.runtime_config.pipeline_root == "minio://mlpipeline/root"
    assert done.service_account == "somebody"
    assert done.storage_state == "AVAILABLE"
    assert done.pipeline_version_reference is None
    assert done.pipeline_spec["root"]["dag"]["tasks"]["greet"]["cachingOptions"] == {}
    assert done.created_at <= done.scheduled_at <= done.finished_at
    assert [moment.state for moment in done.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert done.state_history[0].update_time == done.created_at
    assert done.error is None
    assert shared.outputs(run.run_id) == {"Output": "Hello, you!"}
    assert client.get_experiment(experiment.experiment_id).last_run_created_at == done.created_at


def test_the_details_of_a_run_name_its_tasks(client: kfp.Client, tmp_path: Path) -> None:
    package = pipelines.package(pipelines.passes_on, tmp_path)
    started = client.create_run_from_pipeline_package(package, {"text": unique("text")}, experiment_name="details")
    done = ended(client, started.run_id)
    details = {task.display_name: task for task in done.run_details.task_details}
    (root,) = [task for task in details.values() if not task.parent_task_id]
    assert len(details) == 3
    write, read = details["write"], details["read"]
    assert {child.task_id for child in root.child_tasks} == {write.task_id, read.task_id}
    for task in (root, write, read):
        assert task.run_id == done.run_id
        assert task.state == "SUCCEEDED"
        assert task.create_time <= task.start_time <= task.end_time
        assert task.state_history[-1].state == "SUCCEEDED"
    assert write.parent_task_id == read.parent_task_id == root.task_id
    assert write.pod_name
    assert write.executor_detail.main_job == write.pod_name
    assert write.start_time <= write.end_time <= read.start_time
    (artifact,) = write.outputs["made"].artifact_ids
    assert read.inputs["made"].artifact_ids == [artifact]


def test_an_unfinished_run_ends_in_1970(client: kfp.Client, shared: LiveServer, tmp_path: Path) -> None:
    run = client.create_run_from_pipeline_func(pipelines.held, {"folder": str(tmp_path)})
    until((tmp_path / "started").exists)
    now = client.get_run(run.run_id)
    assert (now.state, now.finished_at) == ("RUNNING", EPOCH)
    (tmp_path / "go").touch()
    assert ended(client, run.run_id).finished_at > now.created_at
    assert shared.outputs(run.run_id) == {"Output": "gone on"}


def test_a_run_from_a_function_is_in_the_default_experiment(client: kfp.Client, shared: LiveServer) -> None:
    run = client.create_run_from_pipeline_func(pipelines.hello, {"name": "function"})
    done = ended(client, run.run_id)
    assert client.get_experiment(experiment_name="Default").experiment_id == done.experiment_id
    assert done.display_name.startswith("hello ")
    assert shared.outputs(done.run_id) == {"Output": "Hello, function!"}


def test_a_run_from_a_version_refers_to_it(client: kfp.Client, shared: LiveServer, hello: str) -> None:
    made = client.upload_pipeline(hello, pipeline_name=unique("version"))
    version = client.upload_pipeline_version(hello, "second", pipeline_id=made.pipeline_id)
    experiment = client.create_experiment("versions")
    run = client.run_pipeline(
        experiment.experiment_id, "of-version", pipeline_id=made.pipeline_id, version_id=version.pipeline_version_id
    )
    done = ended(client, run.run_id)
    assert done.pipeline_version_reference.pipeline_id == made.pipeline_id
    assert done.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert done.pipeline_spec is None
    assert not done.runtime_config.parameters
    assert shared.outputs(run.run_id) == {"Output": "Hello, world!"}


def test_a_run_of_a_pipeline_alone_is_of_its_newest_version(client: kfp.Client, hello: str, tmp_path: Path) -> None:
    made = client.upload_pipeline(pipelines.package(pipelines.passes_on, tmp_path), pipeline_name=unique("newest"))
    newest = client.upload_pipeline_version(hello, "newest", pipeline_id=made.pipeline_id)
    body = kfp_server_api.V2beta1Run(
        display_name="of-newest",
        pipeline_version_reference=kfp_server_api.V2beta1PipelineVersionReference(pipeline_id=made.pipeline_id),
    )
    run = runs_api(client).run_service_create_run(run=body)
    assert run.pipeline_version_reference.pipeline_version_id == newest.pipeline_version_id
    assert ended(client, run.run_id).state == "SUCCEEDED"


def test_a_second_run_is_cached_unless_the_caller_says_no(client: kfp.Client, hello: str) -> None:
    params = {"name": unique("cache")}
    experiment = client.create_experiment("caching").experiment_id

    def state(**options: Any) -> str:
        run = client.run_pipeline(experiment, "cached", hello, params, **options)
        (task,) = [t for t in ended(client, run.run_id).run_details.task_details if t.display_name == "greet"]
        return task.state

    assert state() == "SUCCEEDED"
    assert state() == "SKIPPED"
    assert state(enable_caching=False) == "SUCCEEDED"
    assert state(enable_caching=True) == "SKIPPED"


def test_a_cache_key_stands_for_the_inputs(client: kfp.Client, hello: str) -> None:
    key = unique("key")
    experiment = client.create_experiment("caching").experiment_id
    states: list[str] = []
    for name in ("one", "two"):
        run = client.run_pipeline(experiment, "keyed", hello, {"name": name}, enable_caching=True, cache_key=key)
        (task,) = [t for t in ended(client, run.run_id).run_details.task_details if t.display_name == "greet"]
        states.append(task.state)
    assert states == ["SUCCEEDED", "SKIPPED"]


# --- terminate, retry, archive, delete


def test_a_running_run_is_terminated(client: kfp.Client, tmp_path: Path) -> None:
    run = client.create_run_from_pipeline_func(pipelines.held, {"folder": str(tmp_path)})
    until((tmp_path / "started").exists)
    client.terminate_run(run.run_id)
    until(lambda: client.get_run(run.run_id).state == "CANCELED")  # the client's own wait knows no such end
    done = client.get_run(run.run_id)
    assert done.finished_at > done.created_at
    assert [moment.state for moment in done.state_history] == ["PENDING", "RUNNING", "CANCELED"]
    (task,) = [t for t in done.run_details.task_details if t.display_name == "hold"]
    assert task.state == "CANCELED"
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.terminate_run(run.run_id)
    assert refused.value.status == 400
    assert "CANCELED" in json.loads(refused.value.body)["message"]


def test_a_failed_run_is_retried_from_what_failed(client: kfp.Client, tmp_path: Path) -> None:
    run = client.create_run_from_pipeline_func(pipelines.fails_first, {"folder": str(tmp_path)})
    failed = ended(client, run.run_id)
    assert failed.state == "FAILED"
    assert "ready is not there yet" in failed.error.message
    task = next(t for t in failed.run_details.task_details if t.display_name == "need")
    assert task.state == "FAILED"
    assert "FileNotFoundError" in task.error.message
    (tmp_path / "ready").touch()
    runs_api(client).run_service_retry_run(run.run_id)
    done = ended(client, run.run_id)
    assert done.state == "SUCCEEDED"
    assert done.error is None
    assert (tmp_path / "first").read_text() == "ran\n"
    states = [moment.state for moment in done.state_history]
    assert states[:3] == ["PENDING", "RUNNING", "FAILED"]
    assert states[-1] == "SUCCEEDED"
    task = next(t for t in done.run_details.task_details if t.display_name == "need")
    assert len(task.executor_detail.failed_main_jobs) == 1
    assert task.executor_detail.main_job not in task.executor_detail.failed_main_jobs
    with pytest.raises(kfp_server_api.ApiException) as refused:
        runs_api(client).run_service_retry_run(run.run_id)
    assert refused.value.status == 409


def test_runs_are_archived_and_restored(client: kfp.Client, hello: str) -> None:
    experiment = client.create_experiment(unique("archive"))
    run = client.run_pipeline(experiment.experiment_id, "archived", hello)
    ended(client, run.run_id)
    client.archive_run(run.run_id)
    archived = client.get_run(run.run_id)
    assert (archived.storage_state, archived.state) == ("ARCHIVED", "SUCCEEDED")
    available = where("storage_state", "EQUALS", string_value="AVAILABLE")
    assert not client.list_runs(experiment_id=experiment.experiment_id, filter=available).runs
    client.unarchive_run(run.run_id)
    assert len(client.list_runs(experiment_id=experiment.experiment_id, filter=available).runs) == 1


def test_an_archived_experiment_archives_its_runs(client: kfp.Client, hello: str) -> None:
    experiment = client.create_experiment(unique("archived")).experiment_id
    run = client.run_pipeline(experiment, "in-archive", hello)
    ended(client, run.run_id)
    client.archive_experiment(experiment)
    assert client.get_experiment(experiment).storage_state == "ARCHIVED"
    assert client.get_run(run.run_id).storage_state == "ARCHIVED"
    for attempt in (lambda: client.unarchive_run(run.run_id), lambda: client.run_pipeline(experiment, "no", hello)):
        with pytest.raises(kfp_server_api.ApiException) as refused:
            attempt()
        assert refused.value.status == 400
        assert "archived" in json.loads(refused.value.body)["message"]
    client.unarchive_experiment(experiment)
    assert client.get_experiment(experiment).storage_state == "AVAILABLE"
    assert client.get_run(run.run_id).storage_state == "ARCHIVED"
    client.unarchive_run(run.run_id)
    assert client.get_run(run.run_id).storage_state == "AVAILABLE"


def test_a_deleted_run_is_gone_with_its_files(client: kfp.Client, shared: LiveServer, tmp_path: Path) -> None:
    run = client.create_run_from_pipeline_func(pipelines.held, {"folder": str(tmp_path)})
    until((tmp_path / "started").exists)
    assert (shared.home / "runs" / run.run_id).is_dir()
    client.delete_run(run.run_id)
    for gone in (client.get_run, client.delete_run):
        with pytest.raises(kfp_server_api.ApiException) as refused:
            gone(run.run_id)
        assert refused.value.status == 404
    assert not (shared.home / "runs" / run.run_id).exists()


def test_an_experiment_is_deleted_without_its_runs(client: kfp.Client, hello: str) -> None:
    experiment = client.create_experiment(unique("deleted")).experiment_id
    run = client.run_pipeline(experiment, "orphan", hello)
    client.delete_experiment(experiment)
    with pytest.raises(kfp_server_api.ApiException) as refused:
        client.get_experiment(experiment)
    assert refused.value.status == 404
    assert ended(client, run.run_id).experiment_id == experiment


def test_create_experiment_finds_the_one_of_that_name(client: kfp.Client) -> None:
    name = unique("again")
    made = client.create_experiment(name, description="first")
    assert client.create_experiment(name, description="second", namespace="ignored") == made
    assert made.last_run_created_at == EPOCH
