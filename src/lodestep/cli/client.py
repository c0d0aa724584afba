"""The calls to the server that the command line needs, typed. No retries, no state beyond the connection.

Server errors become the errors of `lodestep.errors`, so that they are told like our own.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3

from lodestep.cli import sse
from lodestep.cli.wire import Change, Problem, Run, Task, Value
from lodestep.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    LodestepError,
    NotFound,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

_V2 = "/apis/v2beta1"
_OWN = "/apis/lodestep/v1"
_TIMEOUT_S = 60
_CODES: dict[int, type[LodestepError]] = {
    3: InvalidInput,
    5: NotFound,
    6: AlreadyExists,
    7: PermissionDenied,
    9: FailedPrecondition,
    14: Unavailable,
    16: Unauthenticated,
}
_STATUSES: dict[int, type[LodestepError]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: AlreadyExists,
    413: TooLarge,
}


class Client:
    """A connection to one server."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S, maxsize=8)

    def close(self) -> None:
        self._http.clear()

    def status(self, *, timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
        return self._get(f"{_OWN}/status", timeout_s=timeout_s)

    def experiment_id(self, name: str) -> str:
        """The experiment of that name, which is made if it is not there."""
        where = {"predicates": [{"operation": "EQUALS", "key": "display_name", "string_value": name}]}
        found = self._get(f"{_V2}/experiments?page_size=1&filter={quote(json.dumps(where))}").get("experiments")
        if not found:
            found = [self._post(f"{_V2}/experiments", {"display_name": name})]
        return found[0]["experiment_id"]

    def experiment_names(self) -> dict[str, str]:
        """Names by id, of the newest two hundred."""
        answer = self._get(f"{_V2}/experiments?page_size=200&sort_by={quote('created_at desc')}")
        return {row["experiment_id"]: row.get("display_name", "") for row in answer.get("experiments", [])}

    def preflight(self, spec: Value) -> list[Problem]:
        """What of a pipeline cannot run there."""
        answer = self._post(f"{_OWN}/preflight", {"pipeline_spec": spec})
        return msgspec.convert(answer.get("problems") or [], list[Problem])

    def submit(self, spec: Value, *, name: str, experiment_id: str, parameters: dict[str, Value]) -> Run:
        body = {
            "display_name": name,
            "experiment_id": experiment_id,
            "pipeline_spec": spec,
            "runtime_config": {"parameters": parameters},
        }
        return run_of(self._post(f"{_V2}/runs", body))

    def run(self, run_id: str) -> Run:
        return run_of(self._get(f"{_V2}/runs/{quote(run_id)}"))

    def runs(
        self, *, limit: int = 20, experiment_id: str = "", predicates: list[dict[str, Value]] | None = None
    ) -> list[Run]:
        """Runs, newest first."""
        path = f"{_V2}/runs?page_size={min(limit, 200)}&sort_by={quote('created_at desc')}"
        if experiment_id:
            path += f"&experiment_id={quote(experiment_id)}"
        if predicates:
            path += f"&filter={quote(json.dumps({'predicates': predicates}))}"
        rows: list[Run] = []
        token = ""
        while len(rows) < limit:
            answer = self._get(path + (f"&page_token={quote(token)}" if token else ""))
            rows += [run_of(row) for row in answer.get("runs") or []]
            token = answer.get("next_page_token", "")
            if not token:
                break
        return rows[:limit]

    def tasks(self, run_id: str) -> list[Task]:
        return msgspec.convert(self.raw_tasks(run_id), list[Task])

    def raw_tasks(self, run_id: str) -> list[dict[str, Value]]:
        return self._get(f"{_OWN}/runs/{quote(run_id)}/tasks").get("tasks") or []

    def changes(self, run_id: str, last: str = "") -> Iterator[Change]:
        """What happens in a run from this call on, or from the change `last` on. Ends when the server ends it."""
        headers = {"accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        return _changes(self._send("GET", f"{_OWN}/runs/{quote(run_id)}/events", headers=headers, stream=True))

    def log(self, task_id: str, *, attempt: int = 0, follow: bool = False, timestamps: bool = False) -> Iterator[bytes]:
        """The log of an attempt, by default the last, as it comes."""
        query = "&".join(
            part
            for part in (
                f"attempt={attempt}" if attempt else "",
                "follow=true" if follow else "",
                "timestamps=true" if timestamps else "",
            )
            if part
        )
        answer = self._send("GET", f"{_OWN}/tasks/{quote(task_id)}/log?{query}", stream=True, forever=follow)
        try:
            yield from answer.stream(65536, decode_content=True)
        finally:
            answer.close()

    def terminate(self, run_id: str) -> None:
        self._post(f"{_V2}/runs/{quote(run_id)}:terminate", None)

    def retry(self, run_id: str) -> None:
        self._post(f"{_V2}/runs/{quote(run_id)}:retry", None)

    def _get(self, path: str, *, timeout_s: float = _TIMEOUT_S) -> dict[str, Any]:
        return _object(self._send("GET", path, timeout_s=timeout_s).data)

    def _post(self, path: str, body: Value) -> dict[str, Any]:
        data = b"" if body is None else msgspec.json.encode(body)
        return _object(self._send("POST", path, data=data, headers={"content-type": "application/json"}).data)

    def _send(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
        stream: bool = False,
        forever: bool = False,
        timeout_s: float = _TIMEOUT_S,
    ) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=timeout_s, read=None if forever or stream else timeout_s)
        try:
            answer = self._http.request(
                method,
                self.url + path,
                body=data,
                headers={**self._headers, **(headers or {})},
                preload_content=not stream,
                timeout=timeout,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(
                f"no answer from {self.url}: {_cause(error)}", hint="is the server still there? `lodestep doctor` tells"
            ) from error
        if answer.status >= 400:
            raise refusal(answer.status, answer.data, f"{method} {path.partition('?')[0]}")
        return answer


def _changes(answer: urllib3.BaseHTTPResponse) -> Iterator[Change]:
    try:
        for event in sse.events(answer.stream(65536, decode_content=True)):
            if event.name == "task":
                yield Change("task", event.id, task=msgspec.json.decode(event.data, type=Task))
            elif event.name == "run":
                yield Change("run", event.id, run=run_of(json.loads(event.data)))
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"the stream of changes broke off: {_cause(error)}") from error
    finally:
        answer.close()


def run_of(row: dict[str, Any]) -> Run:
    error = row.get("error") or {}
    spec = row.get("pipeline_spec") or {}
    spec = spec.get("pipeline_spec", spec)
    return Run(
        run_id=row["run_id"],
        display_name=row.get("display_name", ""),
        state=row.get("state", "PENDING"),
        experiment_id=row.get("experiment_id", ""),
        created_at=row.get("created_at", ""),
        finished_at=row.get("finished_at", ""),
        pipeline_name=(spec.get("pipelineInfo") or {}).get("name", ""),
        error=error.get("message", "") if isinstance(error, dict) else str(error),
        parameters=(row.get("runtime_config") or {}).get("parameters") or {},
    )


def _object(data: bytes) -> dict[str, Any]:
    if not data.strip():
        return {}
    try:
        answer = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise Unavailable(f"the server's answer is no JSON: {error}", hint="is that a Lodestep server?") from error
    return answer if isinstance(answer, dict) else {}


def refusal(status: int, data: bytes, what: str) -> LodestepError:
    """The error of an error body, in either of the reference's shapes."""
    try:
        body = json.loads(data)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    message = body.get("error_message") or body.get("message")
    message = message or f"{what}: {status} {data[:200].decode(errors='replace')}"
    for detail in body.get("details") or []:
        message = detail.get("message") or message
    kind = _CODES.get(body.get("code", 0)) or _STATUSES.get(status, Unavailable)
    return kind(message, hint=str(body.get("hint", "")))


def _cause(error: Exception) -> str:
    """The innermost reason: urllib3 wraps what the system said in several layers of its own words."""
    seen: BaseException = error
    while seen.__cause__ or getattr(seen, "reason", None):
        inner = seen.__cause__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return str(seen).rpartition(": ")[2] or type(seen).__name__
