"""The page at `/`: honest, plain, and nothing that a name says can change it."""

import asyncio
import base64
import hashlib
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from lodestep.store.db import Connection
from tests.conformance.store import made
from tests.unit.api.inside import Answer, Inside

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</td></table><h1>owned</h1>",
    "javascript:alert(1)",
    "&lt;script&gt;",
    "</style><script>alert(1)</script>",
    "<!--",
    "<base href=//evil.example>",
    "‮desrever",
]


def page(inside: Inside, *names: str, state: str = "SUCCEEDED") -> Answer:
    async def go() -> Answer:
        def unit(conn: Connection) -> None:
            rows = [
                made.run(number, name=name, pipeline_name=name, state=state, started_ms=2000, ended_ms=3500)
                for number, name in enumerate(names)
            ]
            made.seed(conn, rows)

        await inside.store.write(unit)
        return await inside.ask("GET", "/")

    return asyncio.run(go())


def test_hostile_names_are_only_text(inside: Inside) -> None:
    text = page(inside, *HOSTILE).body.decode()
    plain = page_of_harmless_names(inside.home.parent / "other")
    assert re.findall(r"<[/a-z!][^\s>]*", text) == re.findall(r"<[/a-z!][^\s>]*", plain)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&amp;lt;script&amp;gt;" in text


def page_of_harmless_names(home: Path) -> str:
    inside = Inside(home)
    text = page(inside, *["harmless"] * len(HOSTILE)).body.decode()
    inside.close()
    return text


def test_a_hostile_id_makes_a_harmless_link(inside: Inside) -> None:
    async def go() -> str:
        row = made.run(0, id='x" onclick="alert(1)//../../<b>')
        await inside.store.write(lambda conn: made.seed(conn, [row]))
        return (await inside.ask("GET", "/")).body.decode()

    (link,) = re.findall(r"<a [^>]*>", asyncio.run(go()))
    assert link.count('"') == 2
    assert "onclick=" not in link


def test_the_policy_allows_the_style_alone(inside: Inside) -> None:
    answer = page(inside, "run")
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.body.decode()
    assert "style=" not in answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_knows_dark_mode(inside: Inside) -> None:
    text = page(inside, "run").body.decode()
    assert "prefers-color-scheme: dark" in text
    assert "color-scheme: light dark" in text


def test_the_page_tells_what_is(inside: Inside) -> None:
    text = page(inside, "mine", state="FAILED").body.decode()
    for words in (
        "mine",
        "Failed",
        "1.5 s",
        "1 min 1 s",
        f"Home <code>{inside.home}</code>",
        "http://127.0.0.1:8888/apis/v2beta1",
    ):
        assert words in text, words
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert facts == {
        "Open runs": "1",
        "Running steps": "2",
        "Waiting steps": "3",
        "Runs so far": "1",
        "Up for": "1 min 1 s",
    }


def test_the_page_shows_the_latest_twenty(inside: Inside) -> None:
    text = page(inside, *[f"number-{number:02}" for number in range(30)]).body.decode()
    shown = re.findall(r">(number-\d\d)</a>", text)
    assert shown == [f"number-{number:02}" for number in range(29, 9, -1)]


def test_without_runs_the_page_says_how_to_start_one(inside: Inside) -> None:
    text = page(inside).body.decode()
    assert "lodestep run" in text
    assert 'kfp.Client(host="http://127.0.0.1:8888")' in text


def test_a_store_that_cannot_write_is_an_alarm(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(inside.store), "failure", property(lambda _: "the disk <failed>"))
    assert '<p class="alarm">the disk &lt;failed&gt;</p>' in page(inside).body.decode()


def test_running_runs_are_looked_at_more_often(inside: Inside) -> None:
    assert 'http-equiv="refresh" content="2"' in page(inside, "r", state="RUNNING").body.decode()


def test_a_browser_shows_it_light_and_dark(inside: Inside, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no browser on this machine")
    file = tmp_path / "page.html"
    # The policy is a header, which a file has not: the same text as an element of the page.
    answer = page(inside, *HOSTILE, *(f"run {number}" for number in range(5)))
    policy = answer.headers["content-security-policy"].replace("; frame-ancestors 'none'", "")
    element = f'<meta http-equiv="content-security-policy" content="{policy}">'
    file.write_text(answer.body.decode().replace('<meta charset="utf-8">', f'<meta charset="utf-8">{element}', 1))
    corners: dict[str, tuple[int, int, int]] = {}
    for mode, options in {"light": [], "dark": ["--blink-settings=preferredColorScheme=0"]}.items():
        shot = tmp_path / f"{mode}.png"
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1000,800",
        ]
        folder = f"--user-data-dir={tmp_path / 'browser'}"
        done = subprocess.run(
            [*command, folder, *options, f"--screenshot={shot}", file.as_uri()],
            capture_output=True,
            timeout=60,
            check=False,
        )
        if not shot.exists():
            pytest.skip(f"the browser takes no pictures here: {done.stderr[-300:]!r}")
        corners[mode] = first_pixel(shot.read_bytes())
    assert corners == {"light": (0xFB, 0xFB, 0xFC), "dark": (0x12, 0x15, 0x1A)}


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The colour of the upper left corner: of the first pixel no filter changes anything."""
    data, at = b"", 8
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    pixel = zlib.decompress(data)[1:4]
    return pixel[0], pixel[1], pixel[2]
