"""A server for the tests that only need one to be there."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import pipelines
from tests.e2e.conftest import LiveServer


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("contract") / "home").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A compiled pipeline as a document."""
    return pipelines.spec(pipelines.hello, tmp_path_factory.mktemp("hello"))
