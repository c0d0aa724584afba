"""A real browser on a page of another site: fetches, forms, images, frames, sockets, beacons, a sandboxed frame."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lodestep.api import guard
from tests.security.rig import Served, entries, serving

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FRAMES = ("outer", "null-origin")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs chromium: the same at HTTP level is in test_s2_cross_site.py"),
]


class Site(ThreadingHTTPServer):
    """Another site: serves the attack and takes its reports."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Attack)
        self.readable: dict[str, list[str]] = {}
        self.reported = threading.Event()


class _Attack(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path.startswith("/attack.html"):
            self._answer("text/html", Path(__file__).with_name("attack.html").read_bytes())
        elif self.path == "/routes":
            self._answer("application/json", json.dumps(entries()).encode())
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        frame = parse_qs(urlsplit(self.path).query)["from"][0]
        self.server.readable[frame] = json.loads(data)
        self._answer("text/plain", b"")
        if len(self.server.readable) == len(FRAMES):
            self.server.reported.set()

    def _answer(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Access-Control-Allow-Origin", "*")  # for its own sandboxed frame
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "home") as served:
        yield served


@contextmanager
def site() -> Iterator[Site]:
    with Site() as another:
        thread = threading.Thread(target=another.serve_forever)
        thread.start()
        yield another
        another.shutdown()
        thread.join()


def attacked(served: Served, host: str, profile: Path) -> tuple[list[str], dict[str, list[str]]]:
    """The handlers that a page of `host` reached, and what it could read."""
    served.reached.clear()
    with site() as another:
        port = another.server_address[1]
        page = f"http://{host}:{port}/attack.html?target=http://localhost:{served.port}"
        command = [
            *(BROWSER or "", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-popup-blocking", "--host-resolver-rules=MAP *.example 127.0.0.1"),
            *(f"--user-data-dir={profile}", "--remote-debugging-port=0", page),
        ]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0)
        try:
            assert another.reported.wait(60), f"the page did not report: only {list(another.readable)}"
        finally:
            os.killpg(browser.pid, 9)
            browser.wait()
        return sorted(set(served.reached)), another.readable


@pytest.mark.parametrize("host", ["evil.example", "localhost"], ids=["another site", "another port of this machine"])
def test_a_page_of_another_origin_has_no_effect_and_reads_nothing(served: Served, host: str, tmp_path: Path) -> None:
    reached, readable = attacked(served, host, tmp_path / "profile")
    assert reached == []
    assert readable == {frame: [] for frame in FRAMES}


def test_the_attack_succeeds_where_nothing_guards(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would prove nothing."""
    monkeypatch.setattr(guard, "_check_page", lambda *_given: None)
    monkeypatch.setattr(guard, "_check_kind", lambda *_given, **_more: None)
    reached, _ = attacked(served, "evil.example", tmp_path / "profile")
    assert set(reached) >= {f"{e} {p}" for e, p in (("POST", "/apis/v2beta1/runs"), ("GET", "/apis/v2beta1/runs"))}
    assert sum(line.startswith("POST") for line in reached) >= 10
