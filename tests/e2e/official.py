"""What the tests of the official client have in common."""

import json
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def runs_api(client: kfp.Client) -> Any:
    return client._run_api


def unique(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def where(key: str, operation: str | int, **value: Any) -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


def until(seen: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def ended(client: kfp.Client, run_id: str) -> Any:
    return client.wait_for_run_completion(run_id, timeout=60, sleep_duration=0.05)
