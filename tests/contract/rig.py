"""How the tests of the interface send what no client would, and compare what comes back."""

import json
import re
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.e2e.conftest import LiveServer

V2 = "/apis/v2beta1"
OWN = "/apis/lodestep/v1"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_http = urllib3.PoolManager(retries=False, timeout=60)


def unique(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def send(
    url: str,
    method: str,
    path: str,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    **query: str,
) -> urllib3.BaseHTTPResponse:
    """A request of any bytes."""
    asked = f"{url}{path}?{urlencode(query)}" if query else url + path
    given = headers if headers is not None else {"content-type": "application/json"}
    return _http.request(method, asked, body=data, headers=given)


def form(data: bytes, *, field: str = "uploadfile", filename: str = "pipeline.yaml") -> tuple[bytes, dict[str, str]]:
    """A multipart body with one file, and the headers that announce it."""
    body, kind = urllib3.encode_multipart_formdata({field: (filename, data, "application/octet-stream")})
    return body, {"content-type": kind}


def upload(
    server: LiveServer, data: bytes, *, path: str = "upload", filename: str = "pipeline.yaml", **query: str
) -> Any:
    body, headers = form(data, filename=filename)
    return send(server.url, "POST", f"{V2}/pipelines/{path}", body, headers, **query)


def uploaded(server: LiveServer, spec: Any, *, path: str = "upload", **query: str) -> Any:
    """The pipeline or version that an upload made."""
    answer = upload(server, json.dumps(spec).encode(), path=path, filename="pipeline.json", **query)
    assert answer.status == 200, answer.data
    return answer.json()


def shape(value: Any) -> Any:
    """A message with what differs from run to run replaced: ids and times."""
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
        case str() if value == "1970-01-01T00:00:00Z":
            return "NEVER"
        case str():
            return _TIME.sub("TIME", _UUID.sub("ID", value))
        case _:
            return value


def refusal(answer: Any, status: int, code: int) -> str:
    """Assert that an answer is an error in the shape of the reference's gateway. Returns its message."""
    body = answer.json()
    assert answer.status == status, body
    assert body["code"] == code
    assert body["message"]
    assert body["message"] in body["error"]
    assert body["details"] == [
        {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": body["message"]}
    ]
    assert "Traceback" not in answer.data.decode()
    return body["message"]


def upload_refusal(answer: Any, status: int = 400) -> str:
    """Assert that an answer is an error in the shape of the upload endpoints. Returns its details."""
    body = answer.json()
    assert answer.status == status, body
    assert set(body) == {"error_message", "error_details"}
    assert body["error_message"]
    assert "Traceback" not in answer.data.decode()
    return body["error_details"]


def experiment(server: LiveServer, **fields: Any) -> Any:
    """A new experiment."""
    return server.json("POST", f"{V2}/experiments", {"display_name": unique("experiment"), **fields})


def started(server: LiveServer, spec: Any, **fields: Any) -> Any:
    """A new run."""
    return server.json("POST", f"{V2}/runs", {"display_name": "a run", "pipeline_spec": spec, **fields})


TABLES = ("experiment", "pipeline", "pipeline_version", "run", "spec", "task", "attempt", "event", "request")


def counts(home: Path) -> dict[str, int]:
    """How many rows each table has."""
    conn = sqlite3.connect(f"file:{home / 'lodestep.db'}?mode=ro", uri=True)
    try:
        return {table: conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    finally:
        conn.close()
