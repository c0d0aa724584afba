"""An application of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.api.inside import Inside


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    made = Inside(tmp_path / "home")
    yield made
    made.close()
