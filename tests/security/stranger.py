"""What another user of the machine tries. Runs as a program: becomes that user, then prints which tries succeeded.

Everything is imported while the interpreter can still be read: the other user may have no access to it.
"""

import contextlib
import encodings.idna  # noqa: F401 - connecting by name needs it, and it could not be loaded later
import http.client
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

UID = 65534


def main() -> None:
    told = json.loads(sys.argv[1])
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    succeeded: dict[str, str] = {}
    for name, probe in probes(told).items():
        with contextlib.suppress(OSError, http.client.HTTPException):
            if result := probe():
                succeeded[name] = repr(result)[:200]
    print(json.dumps(succeeded))


def probes(told: dict[str, str]) -> dict[str, Callable[[], object]]:
    """What succeeds returns something."""
    port, home = int(told["port"]), Path(told["home"])
    found: dict[str, Callable[[], object]] = {
        "ask whether it is well": lambda: _asked(port, "GET", "/apis/v2beta1/healthz"),
        "list runs": lambda: _asked(port, "GET", "/apis/v2beta1/runs"),
        "open the page": lambda: _asked(port, "GET", "/"),
        "follow events": lambda: _asked(port, "GET", "/apis/lodestep/v1/runs/0/events"),
        "create": lambda: _asked(port, "POST", "/apis/v2beta1/experiments", '{"display_name": "stranger"}'),
        "upload": lambda: _asked(port, "POST", "/apis/v2beta1/pipelines/upload", "--x--", kind="multipart/form-data"),
        "create and hang up at once": lambda: _hung_up(port),
        "create and send no more": lambda: _half_closed(port),
        "say that a proxy sent it": lambda: _asked(port, "GET", "/apis/v2beta1/runs", proxied=True),
        "guess a token": lambda: _asked(port, "GET", "/apis/v2beta1/runs", token="guess"),
        "come by a mapped address": lambda: _asked(port, "GET", "/apis/v2beta1/runs", address="::ffff:127.0.0.1"),
        "come by another loopback address": lambda: _asked(port, "GET", "/apis/v2beta1/runs", address="127.0.0.1"),
        "take the port over": lambda: _taken_over(port),
        "list the home": lambda: os.listdir(home),
        "write into the home": lambda: (home / "stranger").write_text("was here"),
    }
    for name, path in told.items():
        if name.startswith("file "):
            found[f"read {name}"] = lambda path=path: Path(path).read_bytes() or "empty"
            found[f"change {name}"] = lambda path=path: _opened(path, os.O_WRONLY)
        if name.startswith("socket "):
            found[f"connect to {name}"] = lambda path=path: _connected(path)
        if name.startswith("process "):
            found[f"signal {name}"] = lambda path=path: os.kill(int(path), 0) is None
            for part in ("environ", "mem", "maps"):
                found[f"read {part} of {name}"] = lambda path=path, part=part: _opened(f"/proc/{path}/{part}")
            found[f"look into the files of {name}"] = lambda path=path: os.listdir(f"/proc/{path}/fd")
    return found


def _asked(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    *,
    kind: str = "application/json",
    address: str = "127.0.0.1",
    proxied: bool = False,
    token: str = "",
) -> object:
    """An answer other than a refusal."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    headers = {"Host": f"localhost:{port}", "Content-Type": kind}
    if proxied:
        headers |= {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Remote-User": "root"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.read()
    return None if answer.status in (401, 403) else (answer.status, said[:100])


def _creation(port: int, name: str) -> bytes:
    body = json.dumps({"display_name": name})
    head = f"POST /apis/v2beta1/experiments HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _hung_up(port: int) -> None:
    """Many times, for it is a race. Whether it had an effect, the server's owner can tell."""
    for number in range(50):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(_creation(port, f"stranger {number}"))


def _half_closed(port: int) -> object:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(_creation(port, "stranger who sends no more"))
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(1000)
    return said if said and b" 403 " not in said[:20] else None


def _taken_over(port: int) -> object:
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        rival.bind(("127.0.0.1", port))
        rival.listen()
        return "listening"


def _opened(path: str, flags: int = os.O_RDONLY) -> object:
    os.close(os.open(path, flags))
    return "opened"


def _connected(path: str) -> object:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return "connected"


if __name__ == "__main__":
    main()
