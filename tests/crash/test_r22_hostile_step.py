"""A step that spoils its own folder ends in words like any other, and holds up nobody."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.contract import pipelines
from tests.contract.rig import OWN, V2
from tests.e2e.conftest import LiveServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kfp import dsl

step = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)


@step
def spoil(kind: str, fail: bool) -> str:
    import os

    folder = os.path.dirname(os.getcwd())
    names = [
        "outcome.json",
        ".outcome.json.partial",
        "error.json",
        ".error.json.partial",
        "log",
        "log.times",
        "started.json",
    ]
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.unlink(path)
        if kind == "folder":
            os.makedirs(os.path.join(path, "deep"))
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "endless":
            os.symlink("/dev/zero", path)
        else:
            os.symlink("/no/such/file", path)
    print("said something")
    if fail:
        raise ValueError("as it was told")
    return "done"


@dsl.pipeline(name="spoils")
def spoils(kind: str, fail: bool) -> str:
    spoiling = spoil(kind=kind, fail=fail)
    spoiling.set_caching_options(False)
    return spoiling.output


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("hostile") / "home").start()
    yield server
    if server.alive:
        server.stop()


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("kind", ["folder", "pipe", "endless", "dangling"])
def test_a_step_that_spoils_its_folder_ends(served: LiveServer, tmp_path: Path, kind: str, fail: bool) -> None:
    spec, hello = pipelines.spec(spoils, tmp_path), pipelines.spec(pipelines.hello, tmp_path)
    body: dict[str, Any] = {
        "display_name": "spoils",
        "pipeline_spec": spec,
        "runtime_config": {"parameters": {"kind": kind, "fail": fail}},
    }
    run_id = served.json("POST", f"{V2}/runs", body)["run_id"]
    beside = served.json("POST", f"{V2}/runs", {"display_name": "beside", "pipeline_spec": hello})["run_id"]
    ended = served.wait(run_id, 20)
    assert ended["state"] == ("FAILED" if fail else "SUCCEEDED"), served.story(run_id)
    if fail:
        assert len(ended["error"]["message"]) > 8
    for task in served.tasks(run_id):
        for query in ("", "?timestamps=true&limit=100", "?follow=true"):
            assert served.request("GET", f"{OWN}/tasks/{task['id']}/log{query}").status == 200
    assert served.wait(beside, 20)["state"] == "SUCCEEDED"
