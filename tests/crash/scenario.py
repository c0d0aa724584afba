"""What crash tests do to a server that may die at any moment, and what must be true afterwards.

Only what was acknowledged is remembered. The steps write down themselves what ran.
"""

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from tests.e2e.conftest import LiveServer

LOOK_S = 0.02


def shell_spec(script: str, *, retries: int = 0) -> dict[str, Any]:
    """A pipeline of one container step, as kfp would write it."""
    task: dict[str, Any] = {"componentRef": {"name": "comp-step"}, "taskInfo": {"name": "step"}, "cachingOptions": {}}
    if retries:
        task["retryPolicy"] = {"maxRetryCount": retries, "backoffDuration": "0s"}
    return {
        "components": {"comp-step": {"executorLabel": "exec-step"}},
        "deploymentSpec": {
            "executors": {
                "exec-step": {"container": {"image": "debian", "command": ["sh", "-c", script]}},
            }
        },
        "pipelineInfo": {"name": "step"},
        "root": {"dag": {"tasks": {"step": task}}},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.3",
    }


def counted(file: Path, then: str = "true") -> str:
    """A script that writes down that it ran, and as which attempt."""
    return f'echo "$LODESTEP_ATTEMPT" >> {file}; {then}'


class Scenario:
    """Uploads, runs, terminates and retries. Each action ends early where the server has died under it."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.pipelines: list[str] = []  # ids of uploads that were answered
        self.runs: dict[str, tuple[str, Path]] = {}  # id of an answered run: the state in which it must end, its file
        self.retried: set[str] = set()
        self.terminated: set[str] = set()

    def play(self) -> None:
        """Everything once. Returns early when the server is gone."""
        for action in (self.upload, self.run_one, self.terminate_one, self.retry_one):
            try:
                action()
            except (urllib3.exceptions.HTTPError, ConnectionError):
                assert self.server.process is not None
                self.server.process.wait(timeout=30)
                return

    def upload(self) -> None:
        import json

        name = f"up-{uuid.uuid4().hex[:8]}"
        data = json.dumps(shell_spec("true")).encode()
        answer = self.server.send_file(f"/apis/v2beta1/pipelines/upload?name={name}", name + ".json", data)
        assert answer.status == 200, answer.data
        self.pipelines.append(answer.json()["pipeline_id"])

    def run_one(self) -> None:
        run_id = self._submit("SUCCEEDED", "true")
        self._until(run_id, lambda run: run["state"] == "SUCCEEDED")

    def terminate_one(self) -> None:
        run_id = self._submit("CANCELED", "sleep 30", terminates=True)
        file = self.runs[run_id][1]
        self._until(run_id, lambda _: file.exists())
        self.terminated.add(run_id)
        self._verb(run_id, "terminate")
        self._until(run_id, lambda run: run["state"] == "CANCELED")

    def retry_one(self) -> None:
        run_id = self._submit("FAILED", f"test -e {self.folder}/fixed")
        self._until(run_id, lambda run: run["state"] == "FAILED")
        (self.folder / "fixed").touch()
        self.retried.add(run_id)
        self._verb(run_id, "retry")
        self._until(run_id, lambda run: run["state"] == "SUCCEEDED")

    def _submit(self, ends: str, then: str, *, terminates: bool = False) -> str:
        file = self.folder / uuid.uuid4().hex
        body = {"display_name": file.name, "pipeline_spec": shell_spec(counted(file, then))}
        if terminates:  # known before it is answered, so that nobody waits for its end
            body["description"] = "terminates"
        run_id: str = self.server.json("POST", "/apis/v2beta1/runs", body)["run_id"]
        self.runs[run_id] = (ends, file)
        return run_id

    def _verb(self, run_id: str, verb: str) -> None:
        answer = self.server.request("POST", f"/apis/v2beta1/runs/{run_id}:{verb}")
        assert answer.status == 200, answer.data

    def _until(self, run_id: str, reached: Callable[[Any], bool]) -> None:
        deadline = time.monotonic() + 30
        while not reached(self.server.run(run_id)):
            assert time.monotonic() < deadline, self.server.story(run_id)
            threading.Event().wait(LOOK_S)

    def check(self) -> None:
        """On a server that lives again: what was acknowledged is there and ends, and nothing ran twice at a time."""
        for pipeline_id in self.pipelines:
            assert self.server.request("GET", f"/apis/v2beta1/pipelines/{pipeline_id}").status == 200
        self._end_what_sleeps()
        for run_id, (ends, file) in self.runs.items():
            assert self.server.request("GET", f"/apis/v2beta1/runs/{run_id}").status == 200, f"run {run_id} is lost"
            ended = self.server.wait(run_id, 30)["state"]
            allowed = {ends}
            if run_id in self.retried:
                allowed = {"SUCCEEDED", "FAILED"}  # asked, and perhaps not answered
            assert ended in allowed, self.server.story(run_id)
            began = file.read_text().split() if file.exists() else []
            assert len(began) == len(set(began)), f"run {run_id}: an attempt began twice: {began}"
            assert ended != "SUCCEEDED" or began, f"run {run_id} succeeded and never ran"
        check = self.server.json("GET", "/apis/lodestep/v1/status")
        assert check["running_attempts"] == 0
        assert check["open_runs"] == 0

    def _end_what_sleeps(self) -> None:
        """Runs that sleep until they are terminated: those that were answered, and those whose answer was lost."""
        listed = self.server.json("GET", "/apis/v2beta1/runs?page_size=200").get("runs", [])
        for run in listed:
            if run.get("description") == "terminates" and run["state"] in ("PENDING", "RUNNING"):
                assert self.server.request("POST", f"/apis/v2beta1/runs/{run['run_id']}:terminate").status in (200, 400)
        for run in listed:
            self.server.wait(run["run_id"], 60)
