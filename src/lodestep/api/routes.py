"""Every route, in one table. A path's literal verb stands before the path that would swallow it."""

from typing import NamedTuple

from lodestep.api import experiments, health, home, pipelines, recurring, runs, uploads
from lodestep.api.http import Handler
from lodestep.api.own import artifacts, logs, server, stream, tasks

_V2 = "/apis/v2beta1"
_OWN = "/apis/lodestep/v1"


class Entry(NamedTuple):
    method: str
    path: str
    handler: Handler
    upload: bool = False  # errors in the shape of the reference's upload endpoints


TABLE: tuple[Entry, ...] = (
    Entry("GET", "/", home.page),
    Entry("GET", f"{_V2}/healthz", health.healthz),
    # experiments
    Entry("GET", f"{_V2}/experiments", experiments.list_),
    Entry("POST", f"{_V2}/experiments", experiments.create),
    Entry("POST", f"{_V2}/experiments/{{id}}:archive", experiments.archive),
    Entry("POST", f"{_V2}/experiments/{{id}}:unarchive", experiments.unarchive),
    Entry("GET", f"{_V2}/experiments/{{id}}", experiments.get),
    Entry("DELETE", f"{_V2}/experiments/{{id}}", experiments.delete),
    # pipelines
    Entry("GET", f"{_V2}/pipelines", pipelines.list_),
    Entry("POST", f"{_V2}/pipelines", pipelines.create),
    Entry("POST", f"{_V2}/pipelines/create", pipelines.create_with_version),
    Entry("POST", f"{_V2}/pipelines/upload", uploads.upload, upload=True),
    Entry("POST", f"{_V2}/pipelines/upload_version", uploads.upload_version, upload=True),
    Entry("GET", f"{_V2}/pipelines/names/{{name}}", pipelines.get_by_name),
    Entry("GET", f"{_V2}/pipelines/{{pipeline_id}}", pipelines.get),
    Entry("DELETE", f"{_V2}/pipelines/{{pipeline_id}}", pipelines.delete),
    Entry("PATCH", f"{_V2}/pipelines/{{pipeline_id}}", pipelines.patch),
    Entry("GET", f"{_V2}/pipelines/{{pipeline_id}}/versions", pipelines.list_versions),
    Entry("POST", f"{_V2}/pipelines/{{pipeline_id}}/versions", pipelines.create_version),
    Entry("GET", f"{_V2}/pipelines/{{pipeline_id}}/versions/{{version_id}}", pipelines.get_version),
    Entry("DELETE", f"{_V2}/pipelines/{{pipeline_id}}/versions/{{version_id}}", pipelines.delete_version),
    Entry("PATCH", f"{_V2}/pipelines/{{pipeline_id}}/versions/{{version_id}}", pipelines.patch_version),
    # runs
    Entry("GET", f"{_V2}/runs", runs.list_),
    Entry("POST", f"{_V2}/runs", runs.create),
    Entry("POST", f"{_V2}/runs/{{id}}:archive", runs.archive),
    Entry("POST", f"{_V2}/runs/{{id}}:unarchive", runs.unarchive),
    Entry("POST", f"{_V2}/runs/{{id}}:terminate", runs.terminate),
    Entry("POST", f"{_V2}/runs/{{id}}:retry", runs.retry),
    Entry("GET", f"{_V2}/runs/{{id}}", runs.get),
    Entry("DELETE", f"{_V2}/runs/{{id}}", runs.delete),
    # recurring runs: their place
    Entry("GET", f"{_V2}/recurringruns", recurring.list_),
    Entry("POST", f"{_V2}/recurringruns", recurring.create),
    Entry("POST", f"{_V2}/recurringruns/{{id}}:enable", recurring.one),
    Entry("POST", f"{_V2}/recurringruns/{{id}}:disable", recurring.one),
    Entry("GET", f"{_V2}/recurringruns/{{id}}", recurring.one),
    Entry("DELETE", f"{_V2}/recurringruns/{{id}}", recurring.one),
    # our own
    Entry("GET", f"{_OWN}/status", server.status),
    Entry("POST", f"{_OWN}/preflight", server.preflight),
    Entry("GET", f"{_OWN}/runs/{{id}}/tasks", tasks.of_run),
    Entry("GET", f"{_OWN}/runs/{{id}}/events", stream.of_run),
    Entry("GET", f"{_OWN}/tasks/{{id}}", tasks.get),
    Entry("GET", f"{_OWN}/tasks/{{id}}/log", logs.of_task),
    Entry("GET", f"{_OWN}/artifacts", artifacts.list_),
    Entry("GET", f"{_OWN}/artifacts/{{id}}:download", artifacts.download),
    Entry("GET", f"{_OWN}/artifacts/{{id}}", artifacts.get),
)
