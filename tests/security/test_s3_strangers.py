"""Other users of the machine get nothing, other machines find no open door, the owner's client needs no password."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lodestep import server
from lodestep.api import guard, peer
from lodestep.config import Settings
from lodestep.errors import InvalidInput
from tests.contract import pipelines
from tests.e2e.conftest import LiveServer
from tests.security import stranger
from tests.security.rig import Served, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp

TOKEN = "a-token-that-is-long-enough"
WEAK = "weak"
LOOPBACK = ("127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "LocalHost", "::1")
ELSEWHERE = ("0.0.0.0", "::", "", "192.168.0.1", "10.0.0.1", "203.0.113.7", "fe80::1", "fd00::1", "::ffff:127.0.0.1")
DISGUISED = (
    "127.1",
    "2130706433",
    "0x7f.1",
    "127.0.0.1.example.org",
    "localhost.example.org",
    "128.0.0.1",
    " 127.0.0.1",
)
MATRIX = [
    *((host, "", True) for host in LOOPBACK),
    *((host, "", False) for host in (*ELSEWHERE, *DISGUISED)),
    *((host, TOKEN, True) for host in ("127.0.0.1", "0.0.0.0", "::", "192.168.0.1")),
    *((host, WEAK, False) for host in ("127.0.0.1", "0.0.0.0", "::1", "192.168.0.1")),
    *((host, " " * 20, False) for host in ("0.0.0.0", "127.0.0.1")),
]

root = pytest.mark.root
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")


# the door


def test_there_are_enough_settings() -> None:
    assert len(MATRIX) >= 30


@pytest.mark.parametrize(("host", "token", "may_start"), MATRIX)
def test_a_server_that_others_could_reach_starts_with_a_token_or_not_at_all(
    host: str, token: str, may_start: bool, tmp_path: Path
) -> None:
    settings = Settings(home=str(tmp_path / "home"), host=host, port=0, token=token)
    if may_start:
        guard.check_bind(settings)
        return
    with pytest.raises(InvalidInput) as refused:
        server.start_in_background(settings)
    assert "LODESTEP_TOKEN" in refused.value.hint or "token" in refused.value.message
    assert token.strip() not in str(refused.value) or token != TOKEN
    assert not (tmp_path / "home").exists()


def test_a_server_for_other_machines_answers_nobody_without_the_token(tmp_path: Path) -> None:
    with serving(tmp_path / "home", host="0.0.0.0", token=TOKEN) as served:
        ask = f"GET /apis/v2beta1/healthz HTTP/1.1\r\nHost: localhost:{served.port}\r\n"
        assert served.wire.ask(f"{ask}\r\n".encode()).status == 401
        assert served.wire.ask(f"{ask}Authorization: Bearer {TOKEN[:-1]}\r\n\r\n".encode()).status == 401
        assert served.reached == []
        assert served.wire.ask(f"{ask}Authorization: Bearer {TOKEN}\r\n\r\n".encode()).status == 200


# the stranger


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where another user may come near: below a folder that is open to all, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="lodestep-strangers-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def live(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a run behind it: there are a database, logs, artifacts and a secret to go for."""
    live = LiveServer(home).start()
    spec = pipelines.spec(pipelines.hello, tmp_path_factory.mktemp("hello"))
    run = live.json("POST", "/apis/v2beta1/runs", {"display_name": "owned", "pipeline_spec": spec})
    assert live.wait(run["run_id"])["state"] == "SUCCEEDED"
    secret = home / "secrets" / "gold"
    secret.mkdir(parents=True)
    (secret / "key").write_text("of great value")
    yield live
    live.stop()


def targets(live: LiveServer) -> dict[str, str]:
    """Everything of the server that lies about, by what it is: found by looking, so that nothing is forgotten."""
    told = {"port": str(live.port), "home": str(live.home)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(live.home).encode() in (process / "cmdline").read_bytes():
                told[f"process {process.name}"] = process.name
    for path in sorted(live.home.rglob("*")):
        if path.is_socket():
            told[f"socket {path.relative_to(live.home)}"] = str(path)
        elif path.is_file():
            told[f"file {path.relative_to(live.home)}"] = str(path)
    return told


def tried(told: dict[str, str]) -> dict[str, str]:
    """What a stranger succeeded with."""
    probe = [sys.executable, "-W", "ignore", stranger.__file__, json.dumps(told)]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def experiments(served: Served) -> bytes:
    path = "/apis/v2beta1/experiments?page_size=200"
    return served.wire.ask(f"GET {path} HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode()).body


def names(live: LiveServer) -> list[str]:
    found = live.json("GET", "/apis/v2beta1/experiments?page_size=200")
    return [row["display_name"] for row in found["experiments"]]


@root
@needs_root
def test_a_stranger_gets_nothing(live: LiveServer) -> None:
    told = targets(live)
    assert len(stranger.probes(told)) >= 12
    assert {"file lodestep.db", "file server.json", "file secrets/gold/key"} <= set(told)
    assert any(name.startswith("file runs/") for name in told)
    assert any(name.startswith("socket hosts/") for name in told)
    assert sum(name.startswith("process ") for name in told) >= 2  # the server, and what starts its steps
    before = names(live)
    assert tried(told) == {}
    assert names(live) == before
    assert live.json("GET", "/apis/v2beta1/healthz")["multi_user"] is False


@root
@needs_root
def test_a_guard_that_forgets_to_ask_is_found_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "may_enter", lambda _uid: True)
    with serving(home.with_name("forgetful")) as served:
        found = tried({"port": str(served.port), "home": "/nowhere"})
        made = experiments(served)
    assert {"ask whether it is well", "list runs", "create", "open the page", "say that a proxy sent it"} <= set(found)
    assert b'"stranger who sends no more"' in made


@root
@needs_root
def test_a_check_that_counts_nobody_as_root_is_found_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would be on kernels that report sockets which were closed as root's."""
    monkeypatch.setattr(peer, "_owner", lambda uid, inode: uid if inode else 0)
    with serving(home.with_name("trusting")) as served:
        found = tried({"port": str(served.port), "home": "/nowhere"})
        made = experiments(served)
    assert "list runs" not in found
    assert b'"stranger ' in made


@root
@needs_root
def test_a_home_that_is_open_to_all_is_found_out(live: LiveServer) -> None:
    told = targets(live)
    live.home.chmod(0o755)
    try:
        found = tried(told)
    finally:
        live.home.chmod(0o700)
    assert "read file lodestep.db" in found
    assert "list the home" in found


def test_the_owner_s_client_works_as_it_is(live: LiveServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = kfp.Client(host=live.url)
        assert client.get_kfp_healthz().multi_user is False
        made = client.create_experiment("the owner's")
        assert client.get_experiment(experiment_name="the owner's").experiment_id == made.experiment_id
        assert client.list_runs().runs
