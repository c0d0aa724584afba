"""A name of the attacker's that resolves to this machine opens nothing: every route, every method, every form."""

from collections.abc import Iterator

import pytest

from lodestep.api import authority, guard
from tests.security.rig import METHODS, Served, paths, serving

_HOSTS = """
evil.example
evil.example:PORT
localhost.evil.example
evil.localhost
evil.localhost:PORT
127.0.0.1.evil.example:PORT
127.0.0.1.nip.io:PORT
7f000001.rebind.example
localhost.
localhost.:PORT
127.0.0.1.
localhost..
local..host
.localhost
a@localhost
a:b@localhost:PORT
localhost@evil.example
localhost:PORT@evil.example
evil.example#localhost
localhost#evil.example
localhost/evil.example
localhost?evil.example
localhost\\evil.example
localhost,evil.example
localhost, localhost
localhost;evil.example
localhost evil.example
localhost\tevil.example
http://localhost
//localhost:PORT
:PORT
localhost:
localhost:0
localhost:1
localhost:80
localhost:PORT0
localhost:0PORT
localhost:+PORT
localhost:-1
localhost:99999
localhost:PORT:PORT
localhost:PORTx
127.0.0.1:1
[::1]:1
::1
[::1
::1]
[::1]x
[::1%25lo]:PORT
[::1%lo]
[::]
[::ffff:127.0.0.1]:PORT
[::ffff:203.0.113.7]
[localhost]
0.0.0.0
0
127.1:PORT
2130706433
0x7f000001
0177.0.0.1
127.0.0.01
127.0.0.1e
128.0.0.1
203.0.113.7:PORT
192.168.0.1
loc%61lhost
localhost%00
*
*.localhost
'localhost'
"localhost"
-localhost
localhost-
localhóst
ｌocalhost
xn--localhst-c4a
"""
_NAME = "Host: "
FORMS: dict[str, list[str]] = {
    **{f"host {host!r}": [_NAME + host] for host in _HOSTS.strip().split("\n")},
    "empty": [_NAME],
    "none": [],
    "the same twice": [_NAME + "localhost:PORT", _NAME + "localhost:PORT"],
    "ours, then foreign": [_NAME + "localhost:PORT", _NAME + "evil.example"],
    "foreign, then ours": [_NAME + "evil.example", _NAME + "localhost:PORT"],
    "space before the colon": ["Host : localhost:PORT"],
    "folded": ["Host: evil.example", " localhost:PORT"],
    "folded from the start": ["Host:", "\tevil.example"],
    "forwarded as ours": [_NAME + "evil.example", "X-Forwarded-Host: localhost:PORT", "Forwarded: host=localhost"],
    "named by another header": ["X-Host: localhost:PORT", "X-Forwarded-Host: localhost:PORT"],
    "named in HTTP/2 words": [":authority: localhost:PORT"],
    "websocket": [_NAME + "evil.example:PORT", "Connection: Upgrade", "Upgrade: websocket"],
    "event stream": [_NAME + "evil.example:PORT", "Accept: text/event-stream"],
}
_OURS = ("localhost", "localhost:PORT", "LOCALHOST:PORT", "127.0.0.1", "127.0.0.1:PORT", "[::1]", "[::1]:PORT")
_TARGETS = {
    "absolute and foreign": "http://evil.example{path}",
    "absolute and ours": "http://localhost:PORT{path}",
    "absolute with a user": "http://localhost:PORT@evil.example{path}",
    "an authority": "localhost:PORT",
    "an asterisk": "*",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("rebinding") / "home") as served:
        yield served


def _request(method: str, target: str, lines: list[str], *, version: str = "1.1") -> bytes:
    head = [f"{method} {target} HTTP/{version}", *lines]
    if method in ("POST", "PUT", "PATCH"):
        head += ["Content-Type: application/json", "Content-Length: 2"]
    body = "{}" if method in ("POST", "PUT", "PATCH") else ""
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def leaks(
    served: Served, forms: dict[str, list[str]], *, where: list[str], methods: tuple[str, ...] = METHODS
) -> list[str]:
    """What was answered with anything but a refusal, or reached a handler."""
    found: list[str] = []
    served.reached.clear()
    for path in where:
        for method in methods:
            for form, lines in forms.items():
                data = _request(method, path, [line.replace("PORT", str(served.port)) for line in lines])
                answer = served.wire.ask(data, head_only=method == "HEAD")
                refused = answer.status in (400, 403) and (method == "HEAD" or b'message":' in answer.body)
                if served.reached or not refused:
                    found.append(f"{form}: {method} {path}: {answer.status} reached {served.reached}")
                    served.reached.clear()
    return found


def test_there_are_enough_forms_and_routes() -> None:
    assert len(FORMS) >= 60
    assert len(paths()) >= 25


@pytest.mark.timeout(300)
def test_no_foreign_host_is_answered(served: Served) -> None:
    assert leaks(served, FORMS, where=[*paths(), "/", "/nothing-here"]) == []


@pytest.mark.parametrize("target", _TARGETS)
def test_no_target_names_another_authority(served: Served, target: str) -> None:
    served.reached.clear()
    for path in paths():
        for method in METHODS:
            asked = _TARGETS[target].format(path=path).replace("PORT", str(served.port))
            for host in ("localhost:PORT", "evil.example"):
                data = _request(method, asked, [_NAME + host.replace("PORT", str(served.port))])
                assert served.wire.ask(data, head_only=method == "HEAD").status in (400, 403), (method, asked, host)
    assert served.reached == []


def test_an_old_protocol_without_a_host_is_refused(served: Served) -> None:
    for path in paths():
        assert served.wire.ask(_request("GET", path, [], version="1.0")).status == 403, path
    assert served.wire.ask(_request("GET", "/", [_NAME + "evil.example"], version="1.0")).status == 403


def test_our_names_reach_every_route(served: Served) -> None:
    """Else the refusals above would prove nothing."""
    for host in _OURS:
        served.reached.clear()
        for path in paths():
            served.wire.ask(_request("GET", path, [_NAME + host.replace("PORT", str(served.port))]))
        assert len(served.reached) > 15, host


@pytest.mark.parametrize(
    ("weak", "form"),
    [
        ("any host", "host 'evil.example'"),
        ("ends with a name of ours", "host 'evil.localhost'"),
        ("begins with a name of ours", "host 'localhost.evil.example'"),
        ("a trailing dot is dropped", "host 'localhost.'"),
        ("the user is dropped", "host 'a:b@localhost:PORT'"),
        ("any port", "host 'localhost:1'"),
        ("what a proxy says", "forwarded as ours"),
    ],
)
def test_a_weaker_check_is_found_out(served: Served, weak: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = authority.Authority("localhost", None)

    def checked(_self: object, scope: dict[str, object], headers: dict[bytes, list[bytes]]) -> authority.Authority:
        hosts = headers.get(b"host", [b""])
        host = hosts[0]
        forwarded = any(name == b"x-forwarded-host" for name, _ in scope["headers"])  # type: ignore[attr-defined]
        passes = {
            "any host": True,
            "ends with a name of ours": host.endswith(b"localhost"),
            "begins with a name of ours": host.startswith(b"localhost"),
            "a trailing dot is dropped": host.rstrip(b".") == b"localhost",
            "the user is dropped": host.rpartition(b"@")[2].startswith(b"localhost"),
            "any port": host.partition(b":")[0] == b"localhost",
            "what a proxy says": forwarded,
        }
        if passes[weak]:
            return ours
        raise guard.PermissionDenied("refused")

    monkeypatch.setattr(guard._Guard, "_checked_host", checked)
    found = leaks(served, FORMS, where=["/apis/v2beta1/runs"], methods=("GET", "DELETE"))
    assert any(leak.startswith(form) for leak in found), found
