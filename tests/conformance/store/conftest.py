from collections.abc import Iterator
from pathlib import Path

import pytest

from lodestep.clock import ManualClock
from lodestep.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "home", ManualClock())
    yield opened
    opened.close()
