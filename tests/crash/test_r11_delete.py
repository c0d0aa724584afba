"""End means end, also for a run that is deleted or terminated while its steps hold on: no process of it is left."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.crash.scenario import shell_spec
from tests.e2e.conftest import LiveServer

GRACE_S = 1.0
# Ignores SIGTERM and stops itself; one child left its session, another its parent as well.
TREE = """
trap '' TERM
setsid sleep {marker} &
(setsid sh -c 'trap "" TERM; sleep {marker}' &) &
touch {ready}
kill -STOP $$
while true; do sleep {marker}; done
"""


def marked(marker: str) -> list[int]:
    """Processes that name the marker in their command line."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words and b"pytest" not in words:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("end", ["DELETE", "terminate"])
def test_no_process_is_left(end: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lodestep.toml").write_text(f"[runner]\ncancel_grace_s = {GRACE_S}\n")
    server = LiveServer(tmp_path / "home").start()
    marker = f"3{time.time_ns() % 10**8:08d}"  # seconds that nobody else sleeps for
    ready = tmp_path / "ready"
    spec = shell_spec(TREE.format(marker=marker, ready=ready))
    run_id = server.json("POST", "/apis/v2beta1/runs", {"display_name": "tree", "pipeline_spec": spec})["run_id"]
    try:
        while not ready.exists() or len(marked(marker)) < 3:
            threading.Event().wait(0.02)
        if end == "DELETE":
            assert server.request("DELETE", f"/apis/v2beta1/runs/{run_id}").status == 200
            assert server.request("GET", f"/apis/v2beta1/runs/{run_id}").status == 404
            assert not (server.home / "runs" / run_id).exists()
        else:
            assert server.request("POST", f"/apis/v2beta1/runs/{run_id}:terminate").status == 200
            assert server.wait(run_id, 30)["state"] == "CANCELED"
        assert marked(marker) == []  # told that it has ended: nothing of it may be there any more
        assert server.stop() == 0
    finally:
        for pid in marked(marker):
            os.kill(pid, signal.SIGKILL)
