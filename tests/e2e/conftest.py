"""A real server, started by the command line as its user starts it, in a home folder of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import urllib3

REPOSITORY = Path(__file__).parents[2]
CONFORMANCE = REPOSITORY.parent / "shared" / "conformance"
TERMINAL = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}


class LiveServer:
    """`lodestep up` in a subprocess. May be killed and started again on the same home."""

    alive_now: ClassVar[set["LiveServer"]] = set()  # what a test that failed has left behind

    def __init__(
        self,
        home: Path,
        *,
        env: dict[str, str] | None = None,
        port: int = 0,
        command: Sequence[str] = (sys.executable, "-m", "lodestep.cli"),
    ) -> None:
        self.home = home
        self.env = {**os.environ, **(env or {})}
        self.port = port
        self.command = command
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self._drains: list[threading.Thread] = []
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def start(self) -> "LiveServer":
        command = [*self.command, "up", "--home", str(self.home), "--no-browser", "--json"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, said = self.process.communicate()
            raise AssertionError(f"the server did not start: {said}")
        self.alive_now.add(self)
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self._drains = [
            threading.Thread(target=_drain, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for drain in self._drains:
            drain.start()
        return self

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        assert self.process is not None
        code = self.process.wait(timeout=30)
        self.alive_now.discard(self)
        for drain in self._drains:
            drain.join(timeout=30)
        self._http.clear()
        return code

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        encoded = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self._http.request(method, self.url + path, body=encoded, headers=sent)

    def send_file(self, path: str, name: str, data: bytes) -> urllib3.BaseHTTPResponse:
        """Upload a file, as a form with the field that the reference has for it."""
        return self._http.request("POST", self.url + path, fields={"uploadfile": (name, data)})

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.request(method, path, body, **headers)
        assert answer.status == 200, f"{method} {path}: {answer.status} {answer.data!r}"
        return answer.json()

    def run(self, run_id: str) -> Any:
        return self.json("GET", f"/apis/v2beta1/runs/{run_id}")

    def tasks(self, run_id: str) -> list[Any]:
        return self.json("GET", f"/apis/lodestep/v1/runs/{run_id}/tasks")["tasks"]

    def outputs(self, run_id: str) -> dict[str, Any]:
        """The pipeline's output parameters."""
        (root,) = [task for task in self.tasks(run_id) if not task.get("path")]
        return root.get("outputs", {}).get("parameters", {})

    def wait(self, run_id: str, timeout_s: float = 120) -> Any:
        """The run once it has ended."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            run = self.run(run_id)
            if run["state"] in TERMINAL:
                return run
            threading.Event().wait(0.05)
        raise AssertionError(f"run {run_id} did not end in {timeout_s} s: {self.story(run_id)}")

    def story(self, run_id: str) -> str:
        lines: list[str] = []
        for task in self.tasks(run_id):
            failure = task.get("failure") or {}
            lines.append(f"{task.get('path') or '(root)'}: {task['state']} {task.get('reason')} {failure}")
        return "\n".join(lines)


def _drain(stream: Any) -> None:
    with stream:
        for _ in stream:
            pass


@pytest.fixture(autouse=True)
def no_server_is_left() -> Iterator[None]:
    before = set(LiveServer.alive_now)
    yield
    for server in LiveServer.alive_now - before:
        server.kill()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path / "home").start()
    yield server
    if server.alive:
        server.stop()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for all tests that only need one to be there."""
    server = LiveServer(tmp_path_factory.mktemp("shared") / "home").start()
    yield server
    server.stop()


@pytest.fixture
def client(shared: LiveServer) -> Any:
    """The official client of the shared server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kfp
    return kfp.Client(host=shared.url)
