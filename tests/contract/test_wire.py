"""The messages of v2beta1 as they are on the wire: names, what is left out, errors, and the reference's quirks."""

import json
import re
from typing import Any

import pytest

from tests.contract.rig import V2, experiment, refusal, send, shape, started, unique, upload, upload_refusal, uploaded
from tests.e2e.conftest import LiveServer

INVALID, NOT_FOUND, EXISTS, PRECONDITION, ABORTED, UNIMPLEMENTED = 3, 5, 6, 9, 10, 12
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


# --- messages


def test_an_experiment_on_the_wire(served: LiveServer) -> None:
    made = experiment(served, display_name="golden", description="of gold")
    assert shape(made) == {
        "experiment_id": "ID",
        "display_name": "golden",
        "description": "of gold",
        "created_at": "TIME",
        "last_run_created_at": "NEVER",
        "storage_state": "AVAILABLE",
    }
    assert served.json("GET", f"{V2}/experiments/{made['experiment_id']}") == made
    plain = experiment(served)
    assert "description" not in plain
    assert "namespace" not in plain


def test_a_pipeline_and_its_version_on_the_wire(served: LiveServer, hello: Any) -> None:
    made = uploaded(
        served, hello, name="golden", display_name="Golden", tags='{"team":"blue"}', code_source_url="https://x"
    )
    assert shape(made) == {
        "pipeline_id": "ID",
        "name": "golden",
        "display_name": "Golden",
        "description": "greets",
        "created_at": "TIME",
        "tags": {"team": "blue"},
    }
    listed = served.json("GET", f"{V2}/pipelines/{made['pipeline_id']}/versions")
    (version,) = listed["pipeline_versions"]
    assert shape(listed) == {
        "pipeline_versions": [
            {
                "pipeline_id": "ID",
                "pipeline_version_id": "ID",
                "name": "golden",
                "display_name": "Golden",
                "description": "greets",
                "created_at": "TIME",
                "code_source_url": "https://x",
                "tags": {"team": "blue"},
                "pipeline_spec": hello,
            }
        ],
        "total_size": 1,
    }
    path = f"{V2}/pipelines/{made['pipeline_id']}/versions/{version['pipeline_version_id']}"
    assert served.json("GET", path) == version


def test_a_spec_with_a_platform_part_is_shown_with_both(served: LiveServer, hello: Any) -> None:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-greet": {}}}}}}
    text = json.dumps(hello) + "\n---\n" + json.dumps(platform)
    made = upload(served, text.encode(), name=unique("platform")).json()
    (version,) = served.json("GET", f"{V2}/pipelines/{made['pipeline_id']}/versions")["pipeline_versions"]
    assert version["pipeline_spec"] == {"pipeline_spec": hello, "platform_spec": platform}
    run = started(served, version["pipeline_spec"])
    assert run["pipeline_spec"] == version["pipeline_spec"]


def test_a_run_on_the_wire(served: LiveServer, hello: Any) -> None:
    run = started(
        served, hello, description="d", runtime_config={"parameters": {"name": "x"}, "pipeline_root": "s3://b"}
    )
    assert shape(run) == {
        "experiment_id": "ID",
        "run_id": "ID",
        "display_name": "a run",
        "storage_state": "AVAILABLE",
        "description": "d",
        "service_account": "pipeline-runner",
        "state": "PENDING",
        "created_at": "TIME",
        "scheduled_at": "TIME",
        "finished_at": "NEVER",
        "pipeline_spec": hello,
        "runtime_config": {"parameters": {"name": "x"}, "pipeline_root": "s3://b"},
        "state_history": [{"update_time": "TIME", "state": "PENDING"}],
    }
    ended = served.wait(run["run_id"])
    details = ended.pop("run_details")["task_details"]
    history = [{"update_time": "TIME", "state": state} for state in ("PENDING", "RUNNING", "SUCCEEDED")]
    assert shape(ended) == {
        **shape(run),
        "state": "SUCCEEDED",
        "finished_at": "TIME",
        "state_history": history,
    }
    root, greet = sorted(details, key=lambda task: "parent_task_id" in task)
    common = {
        "run_id": "ID",
        "task_id": "ID",
        "state": "SUCCEEDED",
        "create_time": "TIME",
        "start_time": "TIME",
        "end_time": "TIME",
    }
    history = root.pop("state_history"), greet.pop("state_history")
    assert [moment["state"] for moment in history[1]][-2:] == ["RUNNING", "SUCCEEDED"]
    assert all(TIME.fullmatch(moment["update_time"]) for moment in (*history[0], *history[1]))
    assert shape(root) == {**common, "display_name": root["display_name"], "child_tasks": [{"task_id": "ID"}]}
    assert root["child_tasks"] == [{"task_id": greet["task_id"]}]
    attempt = greet["pod_name"]
    assert greet["executor_detail"] == {"main_job": attempt}
    del greet["pod_name"], greet["executor_detail"]
    assert shape(greet) == {**common, "display_name": "greet", "parent_task_id": "ID"}


def test_a_failed_run_says_why(served: LiveServer, hello: Any) -> None:
    broken = json.loads(json.dumps(hello))
    executor = broken["deploymentSpec"]["executors"]["exec-greet"]["container"]
    executor["command"], executor["args"] = ["sh", "-c", "exit 3"], []
    ended = served.wait(started(served, broken)["run_id"])
    assert ended["state"] == "FAILED"
    assert ended["error"]["code"] == 13
    assert "3" in ended["error"]["message"]
    greet = next(t for t in ended["run_details"]["task_details"] if t["display_name"] == "greet")
    assert greet["state"] == "FAILED"
    assert greet["error"]["message"]
    assert greet["executor_detail"]["failed_main_jobs"] == [greet["pod_name"]]


def test_a_list_shows_runs_without_their_tasks(served: LiveServer, hello: Any) -> None:
    made = experiment(served)["experiment_id"]
    run = started(served, hello, experiment_id=made)
    ended = served.wait(run["run_id"])
    listed = served.json("GET", f"{V2}/runs?experiment_id={made}")
    del ended["run_details"]
    assert listed == {"runs": [ended], "total_size": 1}


def test_times_are_rfc_3339_in_utc(served: LiveServer) -> None:
    assert TIME.fullmatch(experiment(served)["created_at"])


def test_health_on_the_wire(served: LiveServer) -> None:
    health = served.json("GET", f"{V2}/healthz")
    assert set(health) == {"commit_sha", "tag_name", "multi_user", "pipeline_store"}
    assert health["multi_user"] is False


@pytest.mark.parametrize("kind", ["experiments", "pipelines", "runs", "recurringruns"])
def test_an_empty_list_is_an_empty_object(served: LiveServer, kind: str) -> None:
    key = {"experiments": "experiment_id", "pipelines": "pipeline_id", "runs": "run_id", "recurringruns": "id"}[kind]
    none = json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "string_value": "none"}]})
    assert send(served.url, "GET", f"{V2}/{kind}", filter=none).json() == {}


# --- input


def test_both_namings_are_taken(served: LiveServer, hello: Any) -> None:
    name = unique("camel")
    made = served.json("POST", f"{V2}/experiments", {"displayName": name, "createdAt": "2020-01-01T00:00:00Z"})
    assert made["display_name"] == name
    assert not made["created_at"].startswith("2020")
    pipeline = uploaded(served, hello, name=name)
    run = served.json(
        "POST",
        f"{V2}/runs",
        {
            "displayName": "camel",
            "experimentId": made["experiment_id"],
            "pipelineVersionReference": {"pipelineId": pipeline["pipeline_id"]},
            "runtimeConfig": {"parameters": {"name": "x"}, "pipelineRoot": "/x"},
            "serviceAccount": "me",
        },
    )
    assert run["runtime_config"] == {"parameters": {"name": "x"}, "pipeline_root": "/x"}
    assert run["service_account"] == "me"
    assert run["experiment_id"] == made["experiment_id"]
    patched = served.json("PATCH", f"{V2}/pipelines/{pipeline['pipeline_id']}", {"displayName": "Camel"})
    assert patched["display_name"] == "Camel"


@pytest.mark.parametrize(
    ("method", "path", "body", "place"),
    [
        ("POST", "experiments", {"display_name": "x", "colour": 1}, "body"),
        ("POST", "pipelines", {"name": "x", "colour": 1}, "body"),
        ("POST", "pipelines/create", {"pipeline": {"nam": "x"}}, "body.pipeline"),
        ("PATCH", "pipelines/none", {"colour": 1}, "body"),
        ("POST", "pipelines/none/versions", {"colour": 1}, "body"),
        ("PATCH", "pipelines/none/versions/none", {"colour": 1}, "body"),
        ("POST", "runs", {"display_name": "x", "colour": 1}, "body"),
        ("POST", "runs", {"display_name": "x", "runtime_config": {"parametres": {}}}, "body.runtimeConfig"),
        ("POST", "runs", {"pipeline_version_reference": {"version": "x"}}, "body.pipelineVersionReference"),
    ],
)
def test_unknown_fields_are_refused_with_their_place(
    served: LiveServer, method: str, path: str, body: Any, place: str
) -> None:
    message = refusal(served.request(method, f"{V2}/{path}", body), 400, INVALID)
    assert message.startswith(f"{place}: unknown field")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("runs", {"display_name": "x", "state": 7}, "body.state: expected a text, found 7"),
        ("experiments", {"display_name": 5}, "body.displayName: expected a text, found 5"),
        ("experiments", {"display_name": "a", "displayName": "b"}, "one field"),
        ("experiments", [], "expected an object, found a list"),
        ("experiments", "text", "expected an object"),
        ("runs", {"display_name": "x", "runtime_config": []}, "body.runtimeConfig: expected an object"),
        ("runs", {"display_name": "x", "runtime_config": {"parameters": [1]}}, "body.runtimeConfig.parameters"),
        ("runs", {"display_name": "x", "pipeline_version_reference": "v"}, "body.pipelineVersionReference"),
        ("pipelines", {"name": "x", "tags": {"a": 1}}, "body.tags['a']: expected a text, found 1"),
        ("pipelines", {"name": "x", "tags": []}, "body.tags: expected an object"),
    ],
)
def test_wrong_types_are_refused_with_their_place(served: LiveServer, path: str, body: Any, words: str) -> None:
    assert words in refusal(served.request("POST", f"{V2}/{path}", body), 400, INVALID)


def test_a_run_is_of_one_pipeline(served: LiveServer, hello: Any) -> None:
    pipeline = uploaded(served, hello, name=unique("one"))
    reference = {"pipeline_id": pipeline["pipeline_id"]}
    body = {"display_name": "x", "pipeline_spec": hello, "pipeline_version_reference": reference}
    message = refusal(served.request("POST", f"{V2}/runs", body), 400, INVALID)
    assert "pipeline_spec" in message
    assert "pipeline_version_reference" in message
    assert "of no pipeline" in refusal(served.request("POST", f"{V2}/runs", {"display_name": "x"}), 400, INVALID)


def test_a_run_by_version_id_alone_is_taken(served: LiveServer, hello: Any) -> None:
    """The field that the reference keeps for its older clients."""
    pipeline = uploaded(served, hello, name=unique("old"))
    (version,) = served.json("GET", f"{V2}/pipelines/{pipeline['pipeline_id']}/versions")["pipeline_versions"]
    body = {"display_name": "x", "pipeline_version_id": version["pipeline_version_id"]}
    run = served.json("POST", f"{V2}/runs", body)
    reference = {"pipeline_id": pipeline["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]}
    assert run["pipeline_version_reference"] == reference
    assert "pipeline_spec" not in run


def test_a_run_of_a_pipeline_without_a_version_is_refused(served: LiveServer) -> None:
    pipeline = served.json("POST", f"{V2}/pipelines", {"name": unique("bare")})
    body = {"display_name": "x", "pipeline_version_reference": {"pipeline_id": pipeline["pipeline_id"]}}
    assert "no version" in refusal(served.request("POST", f"{V2}/runs", body), 400, PRECONDITION)


def test_runs_need_a_name_but_not_one_of_their_own(served: LiveServer, hello: Any) -> None:
    message = refusal(served.request("POST", f"{V2}/runs", {"pipeline_spec": hello}), 400, INVALID)
    assert message == "display_name: the run has no name"
    assert started(served, hello)["run_id"] != started(served, hello)["run_id"]


def test_what_the_server_writes_is_not_the_clients_to_say(served: LiveServer, hello: Any) -> None:
    body = {"display_name": "x", "pipeline_spec": hello, "plugins_output": {"a": {}}}
    refusal(served.request("POST", f"{V2}/runs", body), 409, ABORTED)
    run = started(served, hello, state="SUCCEEDED", run_id="mine", created_at="2020-01-01T00:00:00Z")
    assert run["state"] == "PENDING"
    assert run["run_id"] != "mine"
    assert not run["created_at"].startswith("2020")


def test_the_experiment_of_a_run_may_stand_in_the_query(served: LiveServer, hello: Any) -> None:
    made = experiment(served)["experiment_id"]
    body = {"display_name": "x", "pipeline_spec": hello}
    run = served.json("POST", f"{V2}/runs?experiment_id={made}", body)
    assert run["experiment_id"] == made


def test_a_namespace_says_nothing_where_there_are_no_users(served: LiveServer, hello: Any) -> None:
    name = unique("namespace")
    made = experiment(served, display_name=name, namespace="kubeflow")
    assert "namespace" not in made
    chosen = json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", "string_value": name}]})
    for namespace in ({}, {"namespace": "kubeflow"}, {"namespace": "other"}):
        assert send(served.url, "GET", f"{V2}/experiments", filter=chosen, **namespace).json()["total_size"] == 1
    uploaded(served, hello, name=name, namespace="kubeflow")
    assert send(served.url, "GET", f"{V2}/pipelines", filter=chosen).json()["total_size"] == 1
    assert send(served.url, "GET", f"{V2}/pipelines/names/{name}", namespace="x").json()["name"] == name
    assert send(served.url, "GET", f"{V2}/runs", namespace="x").json() == send(served.url, "GET", f"{V2}/runs").json()


@pytest.mark.parametrize("body", [None, {}, "null"])
def test_verbs_take_a_body_that_says_nothing(served: LiveServer, body: Any) -> None:
    made = experiment(served)["experiment_id"]
    data = b"null" if body == "null" else None if body is None else b"{}"
    for verb in ("archive", "unarchive"):
        answer = send(served.url, "POST", f"{V2}/experiments/{made}:{verb}", data)
        assert (answer.status, answer.data) == (200, b"{}")
    refusal(send(served.url, "POST", f"{V2}/experiments/{made}:archive", b"[]"), 400, INVALID)


# --- errors


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "experiments/none"),
        ("DELETE", "experiments/none"),
        ("POST", "experiments/none:archive"),
        ("POST", "experiments/none:unarchive"),
        ("GET", "pipelines/none"),
        ("DELETE", "pipelines/none"),
        ("GET", "pipelines/none/versions"),
        ("GET", "pipelines/none/versions/none"),
        ("DELETE", "pipelines/none/versions/none"),
        ("GET", "pipelines/names/none"),
        ("GET", "runs/none"),
        ("DELETE", "runs/none"),
        ("POST", "runs/none:archive"),
        ("POST", "runs/none:unarchive"),
        ("POST", "runs/none:terminate"),
        ("POST", "runs/none:retry"),
        ("GET", "recurringruns/none"),
        ("DELETE", "recurringruns/none"),
        ("POST", "recurringruns/none:enable"),
        ("GET", "no/such/route"),
        ("GET", "runs/"),
        ("GET", "runs/a/b"),
    ],
)
def test_what_is_not_there_is_404(served: LiveServer, method: str, path: str) -> None:
    refusal(served.request(method, f"{V2}/{path}"), 404, NOT_FOUND)


@pytest.mark.parametrize(
    "body",
    [
        {"display_name": "x", "pipeline_version_reference": {"pipeline_id": "none"}},
        {"display_name": "x", "pipeline_version_reference": {"pipeline_id": "a", "pipeline_version_id": "none"}},
        {"display_name": "x", "pipeline_version_id": "none"},
    ],
)
def test_a_run_of_what_is_not_there_is_404(served: LiveServer, body: Any) -> None:
    assert "none" in refusal(served.request("POST", f"{V2}/runs", body), 404, NOT_FOUND)


def test_a_run_in_an_experiment_that_is_not_there_is_404(served: LiveServer, hello: Any) -> None:
    body = {"display_name": "x", "pipeline_spec": hello, "experiment_id": "none"}
    assert "'none'" in refusal(served.request("POST", f"{V2}/runs", body), 404, NOT_FOUND)


def test_errors_carry_what_to_do(served: LiveServer) -> None:
    body = served.request("POST", f"{V2}/experiments", {"display_nam": "x"}).json()
    assert body["hint"] == "did you mean 'displayName'?"
    assert body["error"].endswith("(did you mean 'displayName'?)")


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "runs"), ("POST", "runs/x"), ("PATCH", "runs/x"), ("DELETE", "runs")]
)
def test_other_methods_are_405(served: LiveServer, method: str, path: str) -> None:
    answer = send(served.url, method, f"{V2}/{path}")
    assert "not possible" in refusal(answer, 405, INVALID)
    assert answer.headers["allow"]


def test_head_is_get_without_the_body(served: LiveServer) -> None:
    answer = send(served.url, "HEAD", f"{V2}/healthz")
    assert (answer.status, answer.data) == (200, b"")


def test_names_are_there_once(served: LiveServer, hello: Any) -> None:
    name = unique("once")
    experiment(served, display_name=name)
    assert name in refusal(served.request("POST", f"{V2}/experiments", {"display_name": name}), 409, EXISTS)
    made = uploaded(served, hello, name=name)
    assert name in refusal(served.request("POST", f"{V2}/pipelines", {"name": name}), 409, EXISTS)
    data = json.dumps(hello).encode()
    assert name in upload_refusal(upload(served, data, name=name), 409)
    version = {"path": "upload_version", "pipelineid": made["pipeline_id"]}
    assert name in upload_refusal(upload(served, data, name=name, **version), 409)
    other = uploaded(served, hello, name=unique("once"))
    uploaded(served, hello, path="upload_version", name=name, pipelineid=other["pipeline_id"])


def test_the_default_experiment_stays(served: LiveServer, hello: Any) -> None:
    default = started(served, hello)["experiment_id"]
    assert served.json("GET", f"{V2}/experiments/{default}")["display_name"] == "Default"
    refusal(served.request("DELETE", f"{V2}/experiments/{default}"), 409, ABORTED)


def test_a_pipeline_with_versions_goes_only_with_them(served: LiveServer, hello: Any) -> None:
    made = uploaded(served, hello, name=unique("cascade"))["pipeline_id"]
    refusal(served.request("DELETE", f"{V2}/pipelines/{made}"), 400, PRECONDITION)
    refusal(served.request("DELETE", f"{V2}/pipelines/{made}?cascade=false"), 400, PRECONDITION)
    assert served.json("DELETE", f"{V2}/pipelines/{made}?cascade=true") == {}
    refusal(served.request("GET", f"{V2}/pipelines/{made}"), 404, NOT_FOUND)
    bare = served.json("POST", f"{V2}/pipelines", {"name": unique("bare")})["pipeline_id"]
    assert served.json("DELETE", f"{V2}/pipelines/{bare}") == {}


def test_a_version_is_found_under_any_pipeline(served: LiveServer, hello: Any) -> None:
    """As with the reference, whose own tests rely on it."""
    made = uploaded(served, hello, name=unique("under"))["pipeline_id"]
    (version,) = served.json("GET", f"{V2}/pipelines/{made}/versions")["pipeline_versions"]
    wrong = f"{V2}/pipelines/another/versions/{version['pipeline_version_id']}"
    assert served.json("GET", wrong) == version
    assert served.json("DELETE", wrong) == {}
    refusal(served.request("GET", wrong), 404, NOT_FOUND)
    assert served.json("GET", f"{V2}/pipelines/{made}/versions") == {}


def test_recurring_runs_say_that_they_are_not_there_yet(served: LiveServer) -> None:
    refusal(served.request("POST", f"{V2}/recurringruns", {}), 501, UNIMPLEMENTED)
    assert served.json("GET", f"{V2}/recurringruns") == {}
