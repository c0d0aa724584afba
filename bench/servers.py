"""A real server, started as its user starts it, and runs submitted to it over HTTP."""

import contextlib
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import urllib3

from bench import measure

_LOOK_S = 0.02


class Server:
    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.pid = process.pid
        self.url = url
        self.http = urllib3.PoolManager(retries=False, timeout=600)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, self.url + path, body=data, headers={"content-type": "application/json"})
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:500]!r}")
        return answer.json() if answer.data.strip() else {}


class Ran(NamedTuple):
    """How long a run took: between its own time stamps, and for us, with submission."""

    own_s: float
    seen_s: float
    run_id: str


@contextlib.contextmanager
def server(home: Path | None = None) -> Generator[Server]:
    """`lodestep up` on a free port."""
    process = start(home or fresh_home())
    try:
        yield Server(process, _url(process))
    finally:
        process.terminate()
        process.wait(timeout=30)


@functools.cache
def _homes() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="lodestep-bench-", ignore_cleanup_errors=True)


def fresh_home() -> Path:
    """A home that is deleted when all is over: a file system that has just deleted much is slow for the next row."""
    return Path(tempfile.mkdtemp(dir=_homes().name))


def start(home: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lodestep.cli", "up", "--no-browser", "--json", "--port", "0", "--home", str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=measure.environment())


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the server did not start")
    return json.loads(line)["url"]


def run(at: Server, document: dict[str, Any]) -> Ran:
    """Submit a pipeline and wait for its success."""
    start_s = time.perf_counter()
    run_id = at.call("POST", "/apis/v2beta1/runs", {"display_name": "bench", "pipeline_spec": document})["run_id"]
    while at.call("GET", "/apis/lodestep/v1/status")["open_runs"]:  # small, however large the run is
        time.sleep(_LOOK_S)
    ended = at.call("GET", f"/apis/v2beta1/runs/{run_id}")
    seen_s = time.perf_counter() - start_s
    if ended["state"] != "SUCCEEDED":
        raise RuntimeError(f"run {run_id} ended {ended['state']}: {ended.get('error')}")
    own_s = (datetime.fromisoformat(ended["finished_at"]) - datetime.fromisoformat(ended["created_at"])).total_seconds()
    return Ran(own_s, seen_s, run_id)


def first_answer(home: Path) -> measure.Cost:
    """From nothing to the first 200 of the front page: CPU and wall time of the server."""
    return first_answer_of(start(home))


def first_answer_of(process: "subprocess.Popen[str]") -> measure.Cost:
    """The same for a server that was started this moment and prints its URL."""
    begun = time.perf_counter()
    try:
        url = _url(process)
        answer = urllib3.PoolManager(retries=False, timeout=60).request("GET", url + "/")
        if answer.status != 200:
            raise RuntimeError(f"the front page answers {answer.status}")
        return measure.Cost(time.perf_counter() - begun, measure.cpu_s(process.pid))
    finally:
        process.terminate()
        process.wait(timeout=30)
