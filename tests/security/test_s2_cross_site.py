"""Pages of other sites have no effect on the server and read nothing of it, whatever they send and wherever to."""

from collections.abc import Iterator
from typing import Any

import pytest

from lodestep.api import guard
from lodestep.errors import PermissionDenied
from tests.security.rig import Served, entries, serving

_ORIGINS = """
null
http://evil.example
https://evil.example
http://evil.example:PORT
http://localhost
https://localhost
http://localhost:1
http://localhost:3000
http://127.0.0.1:PORT
http://[::1]:PORT
http://localhost.:PORT
http://evil.localhost:PORT
http://localhost.evil.example
http://localhost:PORT.evil.example
http://localhost:PORT@evil.example
http://a@localhost:PORT
http://localhost:PORT/
http://localhost:PORT/path
http://localhost:PORT#
http://localhost:PORT?
http://localhost:0PORT
http://localhost:PORT http://localhost:PORT
http://localhost:PORT, http://evil.example
http://evil.example, http://localhost:PORT
http:/localhost:PORT
http:localhost:PORT
//localhost:PORT
localhost:PORT
ftp://localhost:PORT
ws://localhost:PORT
file://
file:///etc/passwd
data:text/html,x
blob:http://localhost:PORT/0
about:blank
chrome-extension://abcdefghijklmnop
moz-extension://localhost:PORT
vscode-webview://localhost:PORT
"""
_SITES = ("cross-site", "same-site", "Cross-Site", "same-origin, cross-site", "unknown")
_WAYS = {  # how browsers mark what a page makes them fetch
    "fetch": ("cors", "empty"),
    "fetch without answer": ("no-cors", "empty"),
    "image": ("no-cors", "image"),
    "script": ("no-cors", "script"),
    "style": ("no-cors", "style"),
    "frame": ("navigate", "iframe"),
    "object": ("navigate", "object"),
    "window": ("navigate", "document"),
    "websocket": ("websocket", "websocket"),
    "worker": ("same-origin", "worker"),
}
FOREIGN: dict[str, list[str]] = {
    **{f"origin {origin}": [f"Origin: {origin}"] for origin in _ORIGINS.strip().split("\n")},
    "no origin": ["Origin:"],
    "two origins": ["Origin: http://localhost:PORT", "Origin: http://localhost:PORT"],
    "ours, then foreign": ["Origin: http://localhost:PORT", "Origin: http://evil.example"],
    **{f"site {site}": [f"Sec-Fetch-Site: {site}"] for site in _SITES},
    "two sites": ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"],
    "ours, from elsewhere": ["Origin: http://localhost:PORT", "Sec-Fetch-Site: cross-site"],
    "sandboxed, from here": ["Origin: null", "Sec-Fetch-Site: same-origin"],
    **{
        way: ["Sec-Fetch-Site: cross-site", f"Sec-Fetch-Mode: {mode}", f"Sec-Fetch-Dest: {dest}"]
        for way, (mode, dest) in _WAYS.items()
    },
    "preflight": [
        "Origin: http://evil.example",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
        "Access-Control-Request-Private-Network: true",
    ],
    "websocket upgrade": ["Origin: http://evil.example", "Connection: Upgrade", "Upgrade: websocket"],
}
_FOLLOWED_LINK = ("window", "/")  # a person opens the server's page from elsewhere: meant, see the guard
_BODY = '{"display_name": "from another site"}'
TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
_FORM_TYPES = (
    "text/plain",
    "text/plain;charset=utf-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "a/b",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("cross-site") / "home") as served:
        yield served


def ask(served: Served, method: str, path: str, lines: list[str], kind: str = "application/json") -> tuple[int, bytes]:
    """Status and the whole answer."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost:PORT", *lines]
    body = ""
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        body = _BODY
        head += [f"Content-Type: {kind}"] if kind else []
        head += [f"Content-Length: {len(body)}"]
    data = ("\r\n".join(head).replace("PORT", str(served.port)) + "\r\n\r\n" + body).encode()
    answer = served.wire.ask(data, head_only=method == "HEAD")
    return answer.status, answer.head.lower() + answer.body


def leaks(
    served: Served, forms: dict[str, list[str]], types: tuple[str, ...] = TYPES, *, where: str = "/"
) -> list[str]:
    """What reached a handler, was answered with anything but a refusal, or permits another site to read."""
    routes = [*entries(), ("OPTIONS", "/apis/v2beta1/runs"), ("PUT", "/apis/v2beta1/runs"), ("GET", "/none")]
    found: list[str] = []
    served.reached.clear()
    for method, path in (route for route in routes if route[1].startswith(where)):
        for form, lines in forms.items():
            if (form, path) == _FOLLOWED_LINK:
                continue
            for kind in types if method in ("POST", "PATCH", "DELETE") else types[:1]:
                status, said = ask(served, method, path, lines, kind)
                if served.reached or status not in (400, 403, 415) or b"access-control-" in said:
                    found.append(f"{form} ({kind}): {method} {path}: {status} reached {served.reached}")
                    served.reached.clear()
    return found


@pytest.mark.timeout(300)
def test_no_page_of_another_site_is_answered(served: Served) -> None:
    assert len(FOREIGN) >= 40
    assert leaks(served, FOREIGN) == []


def test_forms_of_old_browsers_that_do_not_say_where_they_come_from_are_refused(served: Served) -> None:
    served.reached.clear()
    for method, path in entries():
        for kind in _FORM_TYPES:
            if method == "GET" or (kind.startswith("multipart") and "/upload" in path):
                continue
            status, _ = ask(served, method, path, [], kind)
            assert status in (400, 415), (method, path, kind)
    assert served.reached == []


def test_no_answer_at_all_permits_another_site_to_read(served: Served) -> None:
    for method, path in entries():
        if not path.endswith("/events"):
            _, said = ask(served, method, path, [])
            assert b"access-control-" not in said, (method, path)
            assert b"cross-origin-resource-policy: same-origin" in said, (method, path)
            assert b"x-content-type-options: nosniff" in said, (method, path)
            assert b"frame-ancestors 'none'" in said or b"content-security-policy: sandbox" in said, (method, path)


def test_our_own_page_and_clients_that_are_no_browsers_reach_every_route(served: Served) -> None:
    """Else the refusals above would prove nothing."""
    for lines in (["Origin: http://localhost:PORT", "Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: none"], []):
        served.reached.clear()
        for method, path in entries():
            kind = "multipart/form-data; boundary=x" if "/upload" in path else "application/json"
            ask(served, method, path, lines, kind)
        assert len(served.reached) == len(entries())


@pytest.mark.parametrize(
    ("weak", "form"),
    [
        ("none", "origin http://evil.example"),
        ("null passes", "origin null"),
        ("begins like ours", "origin http://localhost:PORT.evil.example"),
        ("the name alone", "origin http://localhost:3000"),
        ("origins alone", "image"),
        ("sites alone", "origin http://evil.example:PORT"),
        ("changes alone", "script"),
        ("same-site passes", "site same-site"),
    ],
)
def test_a_weaker_check_is_found_out(served: Served, weak: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = guard._check_page

    def check(scope: Any, headers: Any, host: Any) -> None:
        origin = headers.get(b"origin", [b""])[0]
        passes = {
            "none": True,
            "null passes": origin == b"null",
            "begins like ours": origin.startswith(b"http://localhost:%d" % served.port),
            "the name alone": origin.startswith(b"http://localhost:"),
            "origins alone": not origin,
            "sites alone": b"sec-fetch-site" not in headers,
            "changes alone": scope["method"] == "GET",
            "same-site passes": headers.get(b"sec-fetch-site") == [b"same-site"],
        }
        if not passes[weak]:
            right(scope, headers, host)

    monkeypatch.setattr(guard, "_check_page", check)
    found = leaks(served, FOREIGN, TYPES[:1], where="/apis/v2beta1/runs")
    assert any(leak.startswith(form) for leak in found), found[:20]


def test_a_guard_that_takes_any_type_is_found_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_check_kind", lambda *_a, **_k: None)
    served.reached.clear()
    ask(served, "POST", "/apis/v2beta1/experiments", [], "text/plain")
    assert served.reached == ["POST /apis/v2beta1/experiments"]


def test_refusals_say_what_was_refused() -> None:
    with pytest.raises(PermissionDenied, match=r"evil\.example"):
        guard._check_page({}, {b"origin": [b"http://evil.example"]}, guard.Authority("localhost", 8888))
