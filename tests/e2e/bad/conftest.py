"""The server that bad input is sent to, and what must not have changed after each."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import pipelines, rig
from tests.contract.rig import V2
from tests.e2e.watched import Watched, nothing_half_written


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    server = Watched(tmp_path_factory.mktemp("bad") / "home").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return pipelines.spec(pipelines.hello, tmp_path_factory.mktemp("hello"))


@pytest.fixture(scope="module")
def pipeline(server: Watched, hello: dict[str, Any]) -> Any:
    server.json("POST", f"{V2}/experiments", {"display_name": "there"})
    return rig.uploaded(server, hello, name="there")


@pytest.fixture(autouse=True)
def _nothing_is_half_written(server: Watched, pipeline: Any) -> Iterator[None]:
    with nothing_half_written(server):
        yield
