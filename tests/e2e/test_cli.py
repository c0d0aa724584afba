"""The command line against real servers and real steps, as a person or a program uses it."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import REPOSITORY, LiveServer

HELLO = REPOSITORY / "examples" / "hello.yaml"
LODESTEP = [sys.executable, "-m", "lodestep.cli"]


class Cli:
    """`lodestep …` on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def command(self, *arguments: str | Path) -> list[str]:
        return [*LODESTEP, *map(str, arguments), "--home", str(self.home)]

    def __call__(self, *arguments: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
        ended = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=90, check=False)
        assert ended.returncode == code, f"{arguments}: code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback (most recent call last)" not in ended.stderr, ended.stderr
        return ended

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines")
    script = Path(__file__).with_name("cli_pipelines.py")
    subprocess.run([sys.executable, "-W", "ignore", str(script), str(folder)], check=True)
    return folder


@pytest.fixture
def alone(tmp_path: Path) -> Cli:
    """A home without a server."""
    return Cli(tmp_path / "home")


@pytest.fixture
def served(live: LiveServer) -> Cli:
    """A home with a server."""
    return Cli(live.home)


def until(seen: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


# --- up


def test_a_second_server_of_a_home_names_the_first(served: Cli, live: LiveServer) -> None:
    assert live.process is not None
    said = served("up", "--port", "0", code=1).stderr
    assert str(live.process.pid) in said
    assert live.url in said
    assert len(said.splitlines()) <= 3


def test_a_taken_port_is_told_in_words(live: LiveServer, tmp_path: Path) -> None:
    said = Cli(tmp_path / "another")("up", "--port", str(live.port), code=1).stderr
    assert str(live.port) in said
    assert "--port" in said


def test_bad_settings_name_the_file_and_the_key(alone: Cli) -> None:
    alone.home.mkdir()
    (alone.home / "lodestep.toml").write_text("prot = 1\n")
    said = alone("up", code=2).stderr
    assert "lodestep.toml" in said
    assert "prot" in said


def test_sigterm_ends_the_server_politely(live: LiveServer) -> None:
    assert live.stop() == 0
    assert not (live.home / "server.json").exists()


# --- run


def test_run_hands_the_pipeline_to_the_running_server(served: Cli, live: LiveServer) -> None:
    ended = served.json("run", HELLO, "--param", "name=you")
    assert ended["state"] == "SUCCEEDED"
    assert ended["outputs"] == {"Output": "Hello, you!"}
    assert [task["path"] for task in ended["tasks"]] == ["greet"]
    assert live.run(ended["run_id"])["state"] == "SUCCEEDED"


def test_run_without_a_server_records_in_the_same_home(alone: Cli) -> None:
    ended = alone.json("run", HELLO)
    assert ended["outputs"] == {"Output": "Hello, world!"}
    (listed,) = alone.json("runs")
    assert listed["run_id"] == ended["run_id"]
    assert not (alone.home / "server.json").exists()


def test_a_python_file_is_run_as_it_is(served: Cli) -> None:
    ended = served.json("run", REPOSITORY / "examples" / "hello.py", "-p", "name=snake")
    assert ended["outputs"] == {"Output": "Hello, snake!"}


def test_values_are_read_by_their_declared_types(served: Cli, made: Path) -> None:
    given = ["-p", "text=007", "-p", "flag=true", "-p", 'items=["a", "b"]', "--params", '{"n": 5}']
    ended = served.json("run", made / "typed.yaml", *given)
    assert ended["outputs"] == {"Output": "007"}
    assert ended["parameters"] == {"text": "007", "flag": True, "items": ["a", "b"], "n": 5}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "nam=x"], "no parameter 'nam'"),
        (["-p", "name"], "NAME=VALUE"),
        (["--params", "{"], "not JSON"),
        (["--function", "f"], "compiled already"),
    ],
)
def test_wrong_input_is_told_before_anything_is_started(alone: Cli, arguments: list[str], said: str) -> None:
    assert said in alone("run", HELLO, *arguments, code=2).stderr
    assert not alone.home.exists()


def test_a_missing_file_is_told(alone: Cli) -> None:
    assert "no file" in alone("run", "nothing.yaml", code=1).stderr


def test_a_failing_run_says_why_and_what_next(served: Cli, made: Path, tmp_path: Path) -> None:
    text = served("run", made / "failing.yaml", "-p", f"folder={tmp_path}", code=1).stdout
    assert "FAILED" in text
    assert "FileNotFoundError: no go yet" in text
    assert re.search(r"log: lodestep logs \w{8} fail-until", text)
    assert re.search(r"retry: lodestep retry \w{8}", text)
    ended = served.json("show", "latest")
    assert ended["state"] == "FAILED"
    assert ended["failure"]["task"] == "fail-until"
    assert "raise FileNotFoundError" in ended["failure"]["detail"]


def test_retry_keeps_what_succeeded(served: Cli, made: Path, tmp_path: Path) -> None:
    served("run", made / "failing.yaml", "-p", f"folder={tmp_path}", code=1)
    (tmp_path / "go").touch()
    ended = served.json("retry", "latest")
    assert ended["state"] == "SUCCEEDED"
    attempts = {task["path"]: len(task["attempts"]) for task in ended["tasks"]}
    assert attempts == {"say": 1, "fail-until": 2}


def test_what_cannot_run_is_told_beforehand(served: Cli, made: Path) -> None:
    ended = served("run", made / "impossible.yaml", "--json", code=1)
    assert "cannot run here" in ended.stderr
    assert "needs-an-image" in ended.stderr
    assert json.loads(ended.stdout)["failure"]["kind"] == "cannot_run"


def test_no_wait_needs_a_server(alone: Cli) -> None:
    assert "lodestep up" in alone("run", HELLO, "--no-wait", code=1).stderr


def test_no_wait_gives_the_id_and_show_follows(served: Cli) -> None:
    run_id = served.json("run", HELLO, "--no-wait")["run_id"]
    assert served.json("show", run_id, "--follow")["state"] == "SUCCEEDED"


def test_no_cache_runs_every_step(served: Cli) -> None:
    for arguments, cached in (((), False), ((), True), (("--no-cache",), False)):
        (task,) = served.json("run", HELLO, *arguments)["tasks"]
        assert bool(task.get("cached_from")) is cached


def test_experiments_and_names_are_kept(served: Cli) -> None:
    served("run", HELLO, "--experiment", "wines", "--name", "a name")
    (listed,) = served.json("runs", "--experiment", "wines")
    assert listed["display_name"] == "a name"
    assert listed["experiment"] == "wines"
    assert served.json("show", "a name")["name"] == "a name"
    assert "no experiment 'beers'" in served("runs", "--experiment", "beers", code=1).stderr


# --- Ctrl-C


def test_ctrl_c_lets_go_of_a_run_that_a_server_has(served: Cli, made: Path, tmp_path: Path) -> None:
    process = served.start("run", made / "waiting.yaml", "-p", f"folder={tmp_path}")
    until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "goes on" in said
    (tmp_path / "go").touch()
    assert served.json("show", "latest", "--follow")["state"] == "SUCCEEDED"


def test_ctrl_c_ends_a_run_that_this_command_serves(alone: Cli, made: Path, tmp_path: Path) -> None:
    process = alone.start("run", made / "waiting.yaml", "-p", f"folder={tmp_path}")
    until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    (listed,) = alone.json("runs")
    assert listed["state"] == "CANCELED"


def test_terminate_ends_a_run(served: Cli, made: Path, tmp_path: Path) -> None:
    run_id = served.json("run", made / "waiting.yaml", "-p", f"folder={tmp_path}", "--no-wait")["run_id"]
    until((tmp_path / "begun").exists)
    assert served.json("terminate", run_id)["state"] == "CANCELING"
    assert served.json("show", run_id, "--follow", code=1)["state"] == "CANCELED"


# --- looking


def test_runs_are_found_by_id_beginning_name_and_latest(served: Cli) -> None:
    first = served.json("run", HELLO, "--name", "one")["run_id"]
    second = served.json("run", HELLO, "--name", "two")["run_id"]
    for text, run_id in ((first, first), (first[:8], first), ("one", first), ("latest", second)):
        assert served.json("show", text)["run_id"] == run_id
    assert "no run 'three'" in served("show", "three", code=1).stderr
    missing = "00000000-0000-4000-8000-000000000000"
    assert missing in served("show", missing, code=1).stderr


def test_lists_are_limited_and_filtered(served: Cli, made: Path, tmp_path: Path) -> None:
    served("run", HELLO)
    served("run", made / "failing.yaml", "-p", f"folder={tmp_path}", code=1)
    assert [row["state"] for row in served.json("runs")] == ["FAILED", "SUCCEEDED"]
    assert len(served.json("runs", "--limit", "1")) == 1
    assert [row["state"] for row in served.json("runs", "--state", "failed")] == ["FAILED"]
    text = served("runs").stdout
    assert "failed" in text
    assert "Default" in text


def test_an_empty_home_says_what_to_do(alone: Cli) -> None:
    assert alone.json("runs") == []
    assert "lodestep run" in alone("runs").stderr
    assert "there is no run yet" in alone("show", "latest", code=1).stderr


def test_logs_of_one_step_of_all_and_with_times(served: Cli, made: Path) -> None:
    served("run", made / "typed.yaml", "-p", "text=x", "-p", "flag=false", "-p", 'items=["a", "b"]')
    assert served("logs", "latest", "say-3").stdout == "it says x\n"
    text = served("logs", "latest").stdout
    assert {"it says a", "it says b", "it says x"} <= set(text.splitlines())
    assert "── say-3" in text
    (line,) = served("logs", "latest", "say-3", "--timestamps").stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+Z it says x", line)
    (entry,) = map(json.loads, served("logs", "latest", "say-3", "--json").stdout.splitlines())
    assert entry == {"task": "say-3", "line": "it says x"}
    assert "it has: " in served("logs", "latest", "nobody", code=1).stderr


def test_logs_follow_until_the_end(served: Cli, made: Path, tmp_path: Path) -> None:
    served("run", made / "waiting.yaml", "-p", f"folder={tmp_path}", "--no-wait")
    process = served.start("logs", "latest", "wait-for", "-f")
    assert process.stdout is not None
    assert process.stdout.readline() == "it waits\n"
    (tmp_path / "go").touch()
    rest, _ = process.communicate(timeout=30)
    assert rest == "it goes on\n"
    assert process.returncode == 0


def test_a_reader_that_has_seen_enough_is_no_error(served: Cli) -> None:
    served("run", HELLO)
    piped = f"{' '.join(served.command('show', 'latest', '--json'))} | head -c 1"
    ended = subprocess.run(["sh", "-c", piped], capture_output=True, text=True, check=True)
    assert ended.stdout == "{"
    assert "Traceback" not in ended.stderr


# --- the rest


def test_secrets_are_set_listed_and_deleted(alone: Cli) -> None:
    alone("secret", "set", "db", "user=me", "password=hunter2")
    assert alone.json("secret", "list") == {"db": ["password", "user"]}
    assert "hunter2" not in alone("secret", "list").stdout
    alone("secret", "delete", "db", "user")
    alone("configmap", "set", "db", "host=here")
    assert alone.json("configmap", "list") == {"db": ["host"]}
    assert alone.json("secret", "list") == {"db": ["password"]}
    assert "expected letters" in alone("secret", "set", "../x", "a=b", code=2).stderr


def test_doctor_looks_at_everything(served: Cli, live: LiveServer) -> None:
    served("run", HELLO)
    found = {report["what"]: report for report in served.json("doctor")}
    assert {"Python", "Home", "Disk", "Database", "Server", "Port", "uv", "Limits", "Mounts"} <= set(found)
    assert live.url in found["Server"]["found"]
    assert found["Database"]["level"] == "ok", found["Database"]


def test_doctor_finds_a_damaged_database(alone: Cli) -> None:
    alone.home.mkdir()
    (alone.home / "lodestep.db").write_bytes(b"this is no database, it only has the name of one" * 100)
    found = {report["what"]: report for report in alone.json("doctor", code=1)}
    assert found["Database"]["level"] == "fail"


def test_completion_offers_commands() -> None:
    env = {**os.environ, "_LODESTEP_COMPLETE": "bash_complete", "COMP_WORDS": "lodestep ru", "COMP_CWORD": "1"}
    said = subprocess.run(LODESTEP, env=env, capture_output=True, text=True, check=False).stdout
    assert {"plain,run", "plain,runs"} <= set(said.splitlines())


# --- a person's terminal


def on_a_terminal(command: list[str], *, rows: int = 40, columns: int = 100) -> tuple[int, str]:
    """Run a command on a terminal of its own. Returns its exit code and all that it wrote."""
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}
    env.pop("NO_COLOR", None)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    written = bytearray()
    for piece in _pieces(ours):
        written += piece
    os.close(ours)
    return process.wait(timeout=30), written.decode(errors="replace")


def _pieces(descriptor: int) -> Iterator[bytes]:
    while True:
        readable, _, _ = select.select([descriptor], [], [], 60)
        assert readable, "the command says nothing for a minute"
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # the other end is closed: that is how a terminal says end of file
            return
        if not piece:
            return
        yield piece


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_person_sees_a_tree_and_the_outputs(served: Cli) -> None:
    code, text = on_a_terminal(served.command("run", HELLO))
    assert code == 0
    assert "\x1b[" in text
    end = plain(text)
    assert re.search(r"✓ hello .* succeeded", end)
    assert re.search(r"└─ ✓ greet +[0-9.]+ s +→ Hello, world!", end)
    assert re.search(r"Output +Hello, world!", end)
    assert text.endswith("\n")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h"), "the cursor stays hidden"


def test_a_person_sees_a_failure_card(served: Cli, made: Path, tmp_path: Path) -> None:
    code, text = on_a_terminal(served.command("run", made / "failing.yaml", "-p", f"folder={tmp_path}"))
    assert code == 1
    end = plain(text)
    assert "╭─ fail-until failed" in end
    assert "FileNotFoundError: no go yet" in end
    assert "lodestep retry" in end


def test_a_long_loop_fits_a_low_window(served: Cli) -> None:
    squares = REPOSITORY / "examples" / "squares.yaml"
    code, text = on_a_terminal(served.command("run", squares, "-p", "count=30"), rows=12)
    assert code == 0
    assert "30/30" in plain(text)
