"""Whatever is asked twice with one key is done once: the answer is lost on the way, the client asks again.

Every route that changes something is taken in turn. Each is asked through a proxy that loses the answer, then again;
its effect is counted in the database, and what the second request is answered is compared with what was lost.
"""

import itertools
import json
import os
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3
from starlette.routing import compile_path

from lodestep import config
from lodestep.api import routes
from lodestep.api.http import Once
from lodestep.server import start_in_background
from tests.contract import pipelines
from tests.contract.proxy import LossyProxy, body_of, lossy, status_of
from tests.contract.rig import V2, form, unique
from tests.e2e.conftest import LiveServer

REPEATS = 10_000 if os.environ.get("LODESTEP_TIER") == "r" else 200
pytestmark = pytest.mark.timeout(120 if REPEATS < 1000 else 7200)


class Asked(NamedTuple):
    """A request that changes something, and what exactly one such request does to the tables."""

    method: str
    path: str
    body: Any  # JSON; bytes are the file of an upload
    effect: dict[str, int]
    settle: Callable[[], None] = lambda: None  # until nothing moves any more


class World:
    """A server, and what the requests of each route need to be there first."""

    def __init__(self, url: str, home: Path, folder: Path) -> None:
        self.url = url
        self.home = home
        self._folder = folder
        self._http = urllib3.PoolManager(retries=False, timeout=60, maxsize=8)
        self.hello = pipelines.spec(pipelines.hello, folder)
        self.held = pipelines.spec(pipelines.held, folder)
        self.fails = pipelines.spec(pipelines.fails_first, folder)
        self.ended(self.run(self.hello))  # the default experiment is there from now on

    def send(self, asked: Asked, key: str, url: str = "") -> urllib3.BaseHTTPResponse:
        if isinstance(asked.body, bytes):
            data, headers = form(asked.body)  # with another boundary each time, as clients send it
        else:
            data = json.dumps(asked.body).encode() if asked.body is not None else None
            headers = {"content-type": "application/json"}
        if key:
            headers["idempotency-key"] = key
        return self._http.request(asked.method, (url or self.url) + V2 + asked.path, body=data, headers=headers)

    def make(self, path: str, body: Any) -> Any:
        answer = self.send(Asked("POST", path, body, {}), "")
        assert answer.status == 200, answer.data
        return answer.json()

    def counts(self) -> dict[str, int]:
        """What the tables hold: rows, what is archived, and how often runs were begun."""
        conn = sqlite3.connect(f"file:{self.home / 'lodestep.db'}?mode=ro", uri=True)
        try:
            found = {
                table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("experiment", "pipeline", "pipeline_version", "run")
            }
            found["archived"] = sum(
                conn.execute(f"SELECT count(*) FROM {table} WHERE storage_state = 'ARCHIVED'").fetchone()[0]
                for table in ("experiment", "run")
            )
            found["begun"] = conn.execute("SELECT COALESCE(SUM(generation), 0) FROM run").fetchone()[0]
            found["canceled"] = conn.execute("SELECT count(*) FROM run WHERE state = 'CANCELED'").fetchone()[0]
            return found
        finally:
            conn.close()

    # what there has to be

    def experiment(self) -> str:
        return self.make("/experiments", {"display_name": unique("e")})["experiment_id"]

    def pipeline(self, name: str = "") -> str:
        path = f"/pipelines/upload?name={name or unique('p')}"
        return self.make(path, json.dumps(self.hello).encode())["pipeline_id"]

    def version(self) -> tuple[str, str]:
        pipeline = self.pipeline()
        listed = self._http.request("GET", f"{self.url}{V2}/pipelines/{pipeline}/versions").json()
        return pipeline, listed["pipeline_versions"][0]["pipeline_version_id"]

    def run(self, spec: Any, **parameters: str) -> str:
        body = {"display_name": "r", "pipeline_spec": spec, "runtime_config": {"parameters": parameters}}
        return self.make("/runs", body)["run_id"]

    def ended(self, run_id: str) -> str:
        return self.until(lambda: self.state(run_id) in ("SUCCEEDED", "FAILED", "CANCELED"), run_id)

    def state(self, run_id: str) -> str:
        return self._http.request("GET", f"{self.url}{V2}/runs/{run_id}").json()["state"]

    def until(self, seen: Callable[[], bool], result: str = "") -> str:
        deadline = time.monotonic() + 60
        while not seen():
            assert time.monotonic() < deadline, "it did not happen in time"
            threading.Event().wait(0.005)
        return result

    def folder(self) -> Path:
        path = self._folder / uuid.uuid4().hex
        path.mkdir()
        return path

    # the routes

    def create_experiment(self) -> Asked:
        return Asked("POST", "/experiments", {"display_name": unique("e")}, {"experiment": 1})

    def archive_experiment(self) -> Asked:
        return Asked("POST", f"/experiments/{self.experiment()}:archive", None, {"archived": 1})

    def unarchive_experiment(self) -> Asked:
        made = self.experiment()
        self.make(f"/experiments/{made}:archive", None)
        return Asked("POST", f"/experiments/{made}:unarchive", None, {"archived": -1})

    def delete_experiment(self) -> Asked:
        return Asked("DELETE", f"/experiments/{self.experiment()}", None, {"experiment": -1})

    def create_pipeline(self) -> Asked:
        return Asked("POST", "/pipelines", {"name": unique("p")}, {"pipeline": 1})

    def upload(self) -> Asked:
        data = json.dumps(self.hello).encode()
        return Asked("POST", f"/pipelines/upload?name={unique('p')}", data, {"pipeline": 1, "pipeline_version": 1})

    def upload_version(self) -> Asked:
        path = f"/pipelines/upload_version?pipelineid={self.pipeline()}&name={unique('v')}"
        return Asked("POST", path, json.dumps(self.hello).encode(), {"pipeline_version": 1})

    def patch_pipeline(self) -> Asked:
        return Asked("PATCH", f"/pipelines/{self.pipeline()}", {"display_name": "New", "tags": {"a": "b"}}, {})

    def patch_version(self) -> Asked:
        pipeline, version = self.version()
        return Asked("PATCH", f"/pipelines/{pipeline}/versions/{version}", {"display_name": "New"}, {})

    def delete_pipeline(self) -> Asked:
        path = f"/pipelines/{self.pipeline()}?cascade=true"
        return Asked("DELETE", path, None, {"pipeline": -1, "pipeline_version": -1})

    def delete_version(self) -> Asked:
        pipeline, version = self.version()
        return Asked("DELETE", f"/pipelines/{pipeline}/versions/{version}", None, {"pipeline_version": -1})

    def create_run(self) -> Asked:
        body = {"display_name": "r", "pipeline_spec": self.hello}
        return Asked("POST", "/runs", body, {"run": 1, "begun": 1})

    def create_run_of_a_version(self) -> Asked:
        reference = {"pipeline_id": self.pipeline()}
        body = {"display_name": "r", "pipeline_version_reference": reference}
        return Asked("POST", "/runs", body, {"run": 1, "begun": 1})

    def archive_run(self) -> Asked:
        return Asked("POST", f"/runs/{self.ended(self.run(self.hello))}:archive", {}, {"archived": 1})

    def unarchive_run(self) -> Asked:
        run_id = self.ended(self.run(self.hello))
        self.make(f"/runs/{run_id}:archive", {})
        return Asked("POST", f"/runs/{run_id}:unarchive", {}, {"archived": -1})

    def delete_run(self) -> Asked:
        return Asked("DELETE", f"/runs/{self.ended(self.run(self.hello))}", None, {"run": -1, "begun": -1})

    def terminate_run(self) -> Asked:
        folder = self.folder()
        run_id = self.run(self.held, folder=str(folder))
        self.until((folder / "started").exists)
        return Asked("POST", f"/runs/{run_id}:terminate", {}, {"canceled": 1}, lambda: self._settle(run_id))

    def retry_run(self) -> Asked:
        """The retried run fails again, so that a second retry would be possible."""
        run_id = self.ended(self.run(self.fails, folder=str(self.folder())))
        return Asked("POST", f"/runs/{run_id}:retry", {}, {"begun": 1}, lambda: self._settle(run_id))

    def _settle(self, run_id: str) -> None:
        self.ended(run_id)


ROUTES = [
    World.create_experiment,
    World.archive_experiment,
    World.unarchive_experiment,
    World.delete_experiment,
    World.create_pipeline,
    World.upload,
    World.upload_version,
    World.patch_pipeline,
    World.patch_version,
    World.delete_pipeline,
    World.delete_version,
    World.create_run,
    World.create_run_of_a_version,
    World.archive_run,
    World.unarchive_run,
    World.delete_run,
    World.terminate_run,
    World.retry_run,
]
NAMES = [route.__name__ for route in ROUTES]


def complaints_of(world: World, proxy: LossyProxy, route: Callable[[World], Asked]) -> list[str]:
    """Ask through the proxy, which loses the answer, and twice more. What is wrong with what came of it."""
    asked, key = route(world), uuid.uuid4().hex
    before = world.counts()
    with pytest.raises(urllib3.exceptions.HTTPError):
        world.send(asked, key, proxy.url)
    asked.settle()
    lost = proxy.lost.pop()
    found = [] if status_of(lost) == 200 else [f"the lost answer was {lost!r}"]
    for _ in range(2):
        again = world.send(asked, key)
        asked.settle()
        if (again.status, again.data) != (200, body_of(lost)):
            found.append(f"{route.__name__}: asked again: {again.status} {again.data!r}, lost was {body_of(lost)!r}")
    return found + _of_effect(route, asked, before, world.counts())


def complaints_of_many_at_once(world: World, route: Callable[[World], Asked], times: int = 4) -> list[str]:
    """Ask several times at the same moment. What is wrong with what came of it."""
    asked, key = route(world), uuid.uuid4().hex
    before = world.counts()
    start = threading.Barrier(times)

    def ask() -> tuple[int, bytes]:
        start.wait()
        answer = world.send(asked, key)
        return answer.status, answer.data

    with ThreadPoolExecutor(times) as together:
        answers = [each.result() for each in [together.submit(ask) for _ in range(times)]]
    asked.settle()
    found = [] if len(set(answers)) == 1 and answers[0][0] == 200 else [f"{route.__name__}: answers differ: {answers}"]
    return found + _of_effect(route, asked, before, world.counts())


def _of_effect(
    route: Callable[[World], Asked], asked: Asked, before: dict[str, int], after: dict[str, int]
) -> list[str]:
    wanted = {key: value + asked.effect.get(key, 0) for key, value in before.items()}
    return [] if after == wanted else [f"{route.__name__}: was {before}, expected {wanted}, found {after}"]


@pytest.fixture(scope="module")
def world(served: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(served.url, served.home, tmp_path_factory.mktemp("r21"))


@pytest.fixture(scope="module")
def proxy(world: World) -> Iterator[LossyProxy]:
    with lossy(world.url) as proxy:
        yield proxy


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_what_is_asked_again_is_done_once(world: World, proxy: LossyProxy, route: Callable[[World], Asked]) -> None:
    for _ in range(-(-REPEATS // (2 * len(ROUTES)))):  # each asks twice again
        assert complaints_of(world, proxy, route) == []


@pytest.mark.parametrize("route", ROUTES, ids=NAMES)
def test_what_is_asked_many_times_at_once_is_done_once(world: World, route: Callable[[World], Asked]) -> None:
    for _ in range(2 if REPEATS < 1000 else 50):
        assert complaints_of_many_at_once(world, route) == []


def test_every_route_that_changes_something_is_among_these(world: World) -> None:
    changing = [entry for entry in routes.TABLE if entry.method not in ("GET", "HEAD")]
    without_effect = {"preflight", "create", "versions"}  # nothing is fetched from elsewhere yet
    wanted = {
        (entry.method, entry.path)
        for entry in changing
        if "recurring" not in entry.path and entry.path.rpartition("/")[2] not in without_effect
    }

    def taken(asked: Asked) -> tuple[str, str]:
        path = V2 + asked.path.partition("?")[0]
        return next(
            (entry.method, entry.path)
            for entry in changing
            if entry.method == asked.method and compile_path(entry.path)[0].fullmatch(path)
        )

    found: set[tuple[str, str]] = set()
    for route in ROUTES:
        asked = route(world)
        found.add(taken(asked))
        assert world.send(asked, "").status == 200  # so that no step is left that nobody ends
    assert found == wanted


def test_the_answer_outlives_the_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home").start()
    try:
        world = World(server.url, server.home, tmp_path)
        given: list[tuple[Asked, str, bytes]] = []
        for route in ROUTES:
            asked, key = route(world), uuid.uuid4().hex
            given.append((asked, key, world.send(asked, key).data))
            asked.settle()
        before = world.counts()
        server.kill()
        server.start()
        for asked, key, answer in given:
            again = world.send(asked, key)
            assert (again.status, again.data) == (200, answer), asked.path
        assert world.counts() == before
    finally:
        server.stop()


def test_a_key_stands_for_one_request(world: World) -> None:
    key = uuid.uuid4().hex
    asked = world.create_experiment()
    assert world.send(asked, key).status == 200
    other = asked._replace(body={"display_name": unique("other")})
    refused = world.send(other, key)
    assert refused.status == 409
    assert key in refused.json()["message"]
    assert world.send(world.create_pipeline(), key).status == 200  # another route: another request


def test_a_refusal_is_not_kept(world: World) -> None:
    key = uuid.uuid4().hex
    name = unique("p")
    pipeline = world.pipeline(name)
    asked = Asked("POST", "/pipelines", {"name": name}, {})
    assert world.send(asked, key).status == 409
    assert world.send(Asked("DELETE", f"/pipelines/{pipeline}?cascade=true", None, {}), "").status == 200
    assert world.send(asked, key).status == 200


def test_without_a_key_all_is_done_again(world: World) -> None:
    asked = world.create_run()
    before = world.counts()["run"]
    assert world.send(asked, "").json()["run_id"] != world.send(asked, "").json()["run_id"]
    assert world.counts()["run"] == before + 2


# --- the checks see what they are there for

# The step host of a server in this process outlives it, as it is meant to: nobody waits for it.
outlived = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Starts a server in this process, whose code the test may have broken."""
    interval = sys.getswitchinterval()
    running: list[Any] = []

    def start() -> World:
        home = tmp_path / "home"
        running.append(start_in_background(config.load(home=str(home), port=0)))
        return World(running[0].url, home, tmp_path)

    yield start
    for each in running:
        each.stop()
    sys.setswitchinterval(interval)


@outlived
def test_a_server_that_keeps_no_answers_is_caught(broken: Callable[[], World], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Once, "keep", lambda *_: None)
    world = broken()
    with lossy(world.url) as proxy:
        # Changing a thing to what it is already, or archiving it twice, is the same as doing it once.
        harmless = {World.archive_experiment, World.unarchive_experiment, World.archive_run, World.unarchive_run}
        harmless |= {World.patch_pipeline, World.patch_version}
        for route in ROUTES:
            assert bool(complaints_of(world, proxy, route)) is (route not in harmless), route.__name__


@outlived
def test_a_server_that_asks_too_early_is_caught(broken: Callable[[], World], monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks for an earlier answer before the transaction of the effect only, as long as others are under way."""
    found = Once.found
    calls = itertools.count()
    monkeypatch.setattr(Once, "found", lambda self, conn: None if next(calls) < 8 else found(self, conn))
    world = broken()
    assert complaints_of_many_at_once(world, World.create_run, times=4) != []
