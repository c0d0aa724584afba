"""What the server says becomes our errors and values."""

import json
from typing import Any

import pytest

from lodestep.cli import client
from lodestep.cli.client import Client
from lodestep.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    LodestepError,
    NotFound,
    TooLarge,
    Unavailable,
)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (
            404,
            {"code": 5, "message": "chain: inner", "details": [{"code": 5, "message": "run 'x' not found"}]},
            NotFound,
            "run 'x' not found",
        ),
        (400, {"code": 9, "message": "it has ended"}, FailedPrecondition, "it has ended"),
        (400, {"error_message": "no YAML", "error_details": "…"}, InvalidInput, "no YAML"),
        (409, {"code": 6, "message": "there"}, AlreadyExists, "there"),
        (413, {"message": "too large"}, TooLarge, "too large"),
        (502, "<html>a proxy</html>", Unavailable, "a proxy"),
        (500, [1], Unavailable, "500"),
    ],
)
def test_error_bodies(status: int, body: Any, kind: type[LodestepError], said: str) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = client.refusal(status, data, "GET /x")
    assert type(error) is kind
    assert said in error.message


def test_a_server_that_is_not_there_is_told_in_words() -> None:
    with pytest.raises(Unavailable) as refused:
        Client("http://127.0.0.1:9").status(timeout_s=2)
    assert "http://127.0.0.1:9" in refused.value.message
    assert "refused" in refused.value.message
    assert "HTTPConnection" not in refused.value.message


def test_a_run_of_the_wire() -> None:
    run = client.run_of(
        {
            "run_id": "r",
            "display_name": "wine",
            "state": "FAILED",
            "error": {"code": 2, "message": "train failed"},
            "pipeline_spec": {"pipeline_spec": {"pipelineInfo": {"name": "wine"}}, "platform_spec": {}},
            "runtime_config": {"parameters": {"n": 1}},
        }
    )
    assert (run.pipeline_name, run.error, run.parameters) == ("wine", "train failed", {"n": 1})
