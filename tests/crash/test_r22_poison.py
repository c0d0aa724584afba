"""Poison is local: whatever of a home is damaged, the server comes up, and everything else goes on.

A home full of runs is spoilt in many places at once, and the real server is started on it. Other runs end, every
resource can still be asked for, and what was spoilt says so instead of going on as if nothing were wrong.
"""

import json
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3

from lodestep import config
from lodestep.engine.service import Engine
from lodestep.server import start_in_background
from lodestep.store.shape import Shape
from tests.contract.rig import OWN, V2
from tests.crash import poison
from tests.crash.poison import Home, Poison
from tests.e2e.conftest import TERMINAL, LiveServer

HOMES, EACH = (250 if os.environ.get("LODESTEP_TIER") == "r" else 13), 40
SEED = int(os.environ.get("LODESTEP_SEED", "0")) or 22
_PATIENCE_S = 20.0
pytestmark = pytest.mark.slow


class Place(NamedTuple):
    """A home that can be made anew: paths in it are absolute, so it always lies in the same place."""

    path: Path
    kept: Path
    holds: Home

    def renew(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.kept, self.path, symlinks=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("r22")
    home = folder / "home"
    holds = poison.build(home, folder)
    shutil.copytree(home, folder / "kept", symlinks=True)
    yield Place(home, folder / "kept", holds)
    poison.end_hosts(home)


class Asker:
    """Asks for everything, and notes what is answered with a fault of the server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=10)
        self.complaints: list[str] = []

    def get(self, path: str) -> Any:
        """The JSON of an answer, or None."""
        try:
            answer = self._http.request("GET", self._url + path)
        except urllib3.exceptions.HTTPError as error:
            self.complaints.append(f"GET {path}: {error}")
            return None
        if answer.status >= 500:
            self.complaints.append(f"GET {path}: {answer.status} {answer.data[:300]!r}")
        try:
            return json.loads(answer.data) if answer.status == 200 else None
        except ValueError:
            if "json" in answer.headers.get("content-type", ""):
                self.complaints.append(f"GET {path}: no JSON: {answer.data[:300]!r}")
            return None

    def listed(self, path: str, key: str) -> list[Any]:
        rows: list[Any] = []
        token = ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}page_size=200&page_token={token}") or {}
            rows += page.get(key, [])
            token = page.get("next_page_token", "")
            if not token:
                return rows

    def post(self, path: str, body: Any) -> Any:
        answer = self._http.request("POST", self._url + path, json=body)
        if answer.status != 200:
            self.complaints.append(f"POST {path}: {answer.status} {answer.data[:300]!r}")
            return None
        return answer.json()

    def wait(self, run_id: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while (run := self.get(f"{V2}/runs/{run_id}")) and run["state"] not in TERMINAL and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        if not run or run["state"] != "SUCCEEDED":
            self.complaints.append(f"the new run {run_id} has not succeeded: {json.dumps(run)[:300]}")

    def delete(self, path: str) -> None:
        try:
            answer = self._http.request("DELETE", self._url + path, headers={"content-type": "application/json"})
        except urllib3.exceptions.HTTPError as error:
            self.complaints.append(f"DELETE {path}: {error}")
            return
        if answer.status not in (200, 404):
            self.complaints.append(f"DELETE {path}: {answer.status} {answer.data[:300]!r}")


def complaints(url: str, holds: Home, poisons: list[Poison]) -> list[str]:
    """What is wrong with a server that was started on a spoilt home."""
    ask = Asker(url)
    _end(ask, holds, poisons)
    _ask_for_all(ask, holds, {each.victim: each for each in poisons})
    _go_on(ask, holds, poisons)
    for each in poisons:
        if each.is_run:
            ask.delete(f"{V2}/runs/{each.victim}")
    return ask.complaints


def _end(ask: Asker, holds: Home, poisons: list[Poison]) -> None:
    """Every run ends; what was never spoilt ends well."""
    deadline = time.monotonic() + _PATIENCE_S
    wanted = set(holds.healthy) | {each.victim for each in poisons if each.victim in (*holds.waiting, *holds.lost)}
    while True:
        states = {run["run_id"]: run.get("state") for run in ask.listed(f"{V2}/runs", "runs")}
        open_runs = {run_id for run_id in wanted if states.get(run_id, "") in ("PENDING", "RUNNING", "CANCELING")}
        if not open_runs or time.monotonic() > deadline or ask.complaints:
            break
        threading.Event().wait(0.05)
    names = {each.victim: each.name for each in poisons}
    ask.complaints += [f"{names.get(each, 'a healthy run')}: {each} did not end" for each in open_runs]
    ask.complaints += [
        f"the healthy run {each} is {states.get(each)}" for each in holds.healthy if states.get(each) != "SUCCEEDED"
    ]
    everything = {*holds.ended, *holds.artifacts, *holds.waiting, *holds.lost, *holds.healthy}
    ask.complaints += [f"the run {each} is not listed" for each in everything - states.keys()]


def _ask_for_all(ask: Asker, holds: Home, spoilt: dict[str, Poison]) -> None:
    ask.get("/")
    ask.get(f"{OWN}/status")
    _ask_for_resources(ask, holds, spoilt)
    for run_id in spoilt.keys() & {*holds.ended, *holds.artifacts, *holds.waiting, *holds.lost}:
        run = ask.get(f"{V2}/runs/{run_id}")
        tasks = (ask.get(f"{OWN}/runs/{run_id}/tasks") or {}).get("tasks", [])
        if run is not None and run.get("state") in TERMINAL:  # else the stream would not end
            ask.get(f"{OWN}/runs/{run_id}/events")
        _check_named(ask, spoilt[run_id], run)
        for task in tasks:
            ask.get(f"{OWN}/tasks/{task['id']}")
            ask.get(f"{OWN}/tasks/{task['id']}/log")
            ask.get(f"{OWN}/tasks/{task['id']}/log?timestamps=true&limit=100")
        for artifact in (ask.get(f"{OWN}/artifacts?run_id={run_id}") or {}).get("artifacts", []):
            ask.get(f"{OWN}/artifacts/{artifact['artifact_id']}")
            ask.get(f"{OWN}/artifacts/{artifact['artifact_id']}:download")


def _ask_for_resources(ask: Asker, holds: Home, spoilt: dict[str, Poison]) -> None:
    ask.listed(f"{OWN}/artifacts", "artifacts")
    for sort in ("name", "state", "finished_at desc"):
        ask.get(f"{V2}/runs?sort_by={sort.replace(' ', '%20')}")
    for kind, ids in (("pipelines", holds.pipelines), ("experiments", holds.experiments)):
        listed = {row[f"{kind[:-1]}_id"]: row for row in ask.listed(f"{V2}/{kind}", kind)}
        if missing := set(ids) - listed.keys():
            ask.complaints.append(f"{kind} are not listed: {missing}")
        for each in ids:
            shown = ask.get(f"{V2}/{kind}/{each}")
            if each in spoilt and " = " in spoilt[each].name and spoilt[each].name.startswith("pipeline."):
                _check_named(ask, spoilt[each], shown)
    for each in holds.pipelines:
        for version in ask.listed(f"{V2}/pipelines/{each}/versions", "pipeline_versions"):
            shown = ask.get(f"{V2}/pipelines/{each}/versions/{version['pipeline_version_id']}")
            if each in spoilt and spoilt[each].name.startswith("pipeline_version."):
                _check_named(ask, spoilt[each], shown)


def _check_named(ask: Asker, poison: Poison, shown: Any) -> None:
    """What was spoilt names its reason, where anything is wrong with it."""
    if shown is None:
        ask.complaints.append(f"{poison.name}: {poison.victim} is not shown")
        return
    message = (shown.get("error") or {}).get("message", "")
    is_well = shown.get("state") == "SUCCEEDED" and not poison.is_named
    if not is_well and len(message) < 8:
        ask.complaints.append(f"{poison.name}: {poison.victim} names no reason: {json.dumps(shown)[:1500]}")


def _go_on(ask: Asker, holds: Home, poisons: list[Poison]) -> None:
    """New work is taken and done, also such as finds spoilt entries in the cache."""
    for each in holds.healthy:
        shown = ask.get(f"{V2}/runs/{each}") or {}
        if shown.get("error"):
            ask.complaints.append(f"the healthy run {each} has an error: {shown['error']}")
    like = [each.victim for each in poisons if each.name == "cache"] or holds.healthy[:1]
    for run_id in like:
        shown = ask.get(f"{V2}/runs/{run_id}") or {}
        body = {key: shown.get(key) for key in ("display_name", "pipeline_spec", "runtime_config")}
        made = ask.post(f"{V2}/runs", body)
        if made is not None:
            ask.wait(made["run_id"])


@pytest.mark.parametrize("number", range(HOMES))
def test_poison_is_local(place: Place, number: int) -> None:
    place.renew()
    poisons = poison.poisons(place.holds, random.Random(SEED * 1000 + number), EACH)
    poison.spoil(place.path, poisons)
    server = LiveServer(place.path).start()
    try:
        found = complaints(server.url, place.holds, poisons)
        assert not found, "\n".join([*found, *(f"{each.victim} {each.name}" for each in poisons)])
        assert server.alive
        assert server.stop() == 0
    finally:
        if server.alive:
            server.kill()
        poison.end_hosts(place.path)


# --- the check sees what it is there for


@pytest.fixture
def spoilt(place: Place) -> list[Poison]:
    """A home of which a row of an ended run and the log of an open one cannot be read."""
    place.renew()
    ended, waiting = place.holds.ended[0], place.holds.waiting[0]
    poisons = [
        Poison("run.history", ended, poison.update("run", "history", "id", ended, "not json"), is_named=True),
        Poison("event", waiting, poison.update("event", "body", "run_id", waiting, b"{")),
    ]
    poison.spoil(place.path, poisons)
    return poisons


def _found_in_process(place: Place, poisons: list[Poison]) -> list[str]:
    interval = sys.getswitchinterval()
    try:
        server = start_in_background(config.load(home=str(place.path), port=0))
    except Exception as error:  # noqa: BLE001 - whatever keeps it from starting
        return [f"the server did not start: {error!r}"]
    finally:
        sys.setswitchinterval(interval)
    try:
        return complaints(server.url, place.holds, poisons)
    finally:
        server.stop()
        poison.end_hosts(place.path)


outlived = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@outlived
def test_two_poisons_are_no_trouble(place: Place, spoilt: list[Poison]) -> None:
    assert _found_in_process(place, spoilt) == []


@outlived
def test_a_list_that_fails_with_a_row_is_caught(
    place: Place, spoilt: list[Poison], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shape, "shown", Shape.one)
    assert any("/runs" in each and " 500 " in each for each in _found_in_process(place, spoilt))


@outlived
def test_a_start_that_fails_with_a_run_is_caught(
    place: Place, spoilt: list[Poison], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def park(_engine: Engine, _run_id: str, error: Exception) -> None:
        raise error

    monkeypatch.setattr(Engine, "_park", park)
    assert any("did not start" in each for each in _found_in_process(place, spoilt))
