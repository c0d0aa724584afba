"""No path or URI that anybody sends makes the server open, list or make anything outside its roots."""

import io
import os
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_from_bytes

import pytest

from lodestep import jsonio
from lodestep.api.own import artifacts as own_artifacts
from lodestep.core.model import ArtifactValue
from lodestep.errors import LodestepError
from lodestep.store import artifacts
from tests.security import paths_corpus, watch
from tests.security.paths_corpus import CANARY
from tests.security.paths_rig import Step, document
from tests.security.rig import Answer, Served, serving


class Place(NamedTuple):
    served: Served
    home: Path
    root: Path
    outside: Path
    """Where files of another purpose lie: nothing may be read, made or removed there."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("paths")
    home, outside = folder / "home", folder / "outside"
    root = home / "artifacts"
    (root / "run" / "deep").mkdir(parents=True)
    (root / "run" / "model").write_text("weights")
    (root / "run" / "deep" / "part").write_text("a part")
    outside.mkdir()
    (outside / "canary").write_text(CANARY)
    secret = home / "secrets" / "gold"
    secret.mkdir(parents=True)
    (secret / "key").write_text(CANARY)
    for name, target in {"out": outside, "home": home, "root": Path("/"), "up": Path("../../outside")}.items():
        (root / f"link-{name}").symlink_to(target)
    (root / "link-file").symlink_to(outside / "canary")
    os.mkfifo(root / "fifo")
    (root / "run" / "deep" / "link").symlink_to(outside)
    (root / "run" / "deep" / "link-file").symlink_to(outside / "canary")
    with serving(home) as served:
        yield Place(served, home, root, outside)


def ask(place: Place, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> Answer:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost:{place.served.port}\r\n"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return place.served.wire.ask(f"{head}\r\n".encode() + body)


def segment(text: str) -> str:
    return quote_from_bytes(text.encode(errors="surrogatepass"), safe="")


def keep(place: Place, uris: list[str]) -> list[str]:
    """Artifacts of these URIs, as an importer would have recorded them; their ids."""
    ids = [f"artifact-{number}" for number in range(len(uris))]
    with sqlite3.connect(place.home / "lodestep.db", timeout=20) as conn:
        conn.row_factory = None
        conn.execute("DELETE FROM artifact")
        for artifact_id, uri in zip(ids, uris, strict=True):
            value = ArtifactValue(id=artifact_id, name="imported", type="system.Dataset", uri=uri)
            artifacts.record(conn, "some-run", artifact_id, outputs={"artifact": [value]})
    conn.close()
    return ids


# artifacts


def downloads(place: Place, uris: list[str]) -> list[str]:
    """What was served, opened or told, of artifacts that lie outside."""
    ids = keep(place, uris)
    found: list[str] = []
    with watch.outside(place.root) as touched:
        for artifact_id, uri in zip(ids, uris, strict=True):
            answer = ask(place, "GET", f"/apis/lodestep/v1/artifacts/{artifact_id}:download")
            if answer.status not in (400, 403, 404) or CANARY.encode() in answer.body:
                found.append(f"{uri!r}: {answer.status} {answer.body[:80]!r}")
    return found + touched


def test_no_artifact_outside_is_downloaded(place: Place) -> None:
    uris = paths_corpus.uris(place.root, place.outside, place.home)
    assert len(uris) >= 500
    assert downloads(place, uris) == []


def test_refusals_do_not_tell_what_exists(place: Place) -> None:
    there, missing = f"file://{place.outside}/canary", f"file://{place.outside}/canarx"
    ids = keep(place, [there, missing])
    answers = [ask(place, "GET", f"/apis/lodestep/v1/artifacts/{artifact_id}:download") for artifact_id in ids]
    assert answers[0].status == answers[1].status == 403
    assert answers[0].body.replace(b"canary", b"canarx") == answers[1].body


def test_artifacts_inside_are_downloaded_and_links_in_them_are_not_followed(place: Place) -> None:
    file, folder = f"file://{place.root}/run/model", f"file://{place.root}/run"
    ids = keep(place, [file, str(place.root / "run" / "model"), folder])
    with watch.outside(place.root) as touched:
        answers = [ask(place, "GET", f"/apis/lodestep/v1/artifacts/{artifact_id}:download") for artifact_id in ids]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert answers[0].body == answers[1].body == b"weights"
    assert b"attachment" in answers[0].head
    assert CANARY.encode() not in answers[2].body
    assert touched == []


def test_a_weaker_resolver_is_found_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchecked(uri: str, _roots: Any) -> Path:
        return Path(uri.removeprefix("file://").replace("\x00", ""))

    def by_prefix(uri: str, roots: Any) -> Path:
        path = Path(os.path.normpath(uri.removeprefix("file://").replace("\x00", "")))
        if not str(path).startswith(str(roots[0])):
            raise LodestepError("outside")
        return path

    for weaker, leak in ((unchecked, "outside/canary"), (by_prefix, "link-file")):
        monkeypatch.setattr(own_artifacts, "local_path", weaker)
        found = downloads(place, [f"file://{place.outside}/canary", f"file://{place.root}/link-file"])
        assert any(leak in line and "200" in line for line in found), (weaker, found)
        assert any(line.startswith("open ") for line in found), (weaker, found)


# ids in paths, and queries

_BY_ID = (
    "GET /apis/lodestep/v1/artifacts/{}:download",
    "GET /apis/lodestep/v1/artifacts/{}",
    "GET /apis/lodestep/v1/tasks/{}/log",
    "GET /apis/lodestep/v1/tasks/{}",
    "GET /apis/lodestep/v1/runs/{}/tasks",
    "GET /apis/v2beta1/runs/{}",
    "DELETE /apis/v2beta1/runs/{}",
    "POST /apis/v2beta1/runs/{}:terminate",
    "GET /apis/v2beta1/pipelines/{}",
    "GET /apis/v2beta1/pipelines/names/{}",
)
_BY_QUERY = (
    "/apis/lodestep/v1/artifacts?run_id={}",
    "/apis/v2beta1/runs?experiment_id={}",
    "/apis/v2beta1/runs?namespace={}",
    "/apis/v2beta1/runs?page_token={}",
    "/apis/lodestep/v1/tasks/x/log?attempt={}",
)


@pytest.mark.parametrize("route", _BY_ID)
def test_no_id_leads_to_a_file(place: Place, route: str) -> None:
    method, _, target = route.partition(" ")
    names = paths_corpus.names(place.outside)
    with watch.outside() as touched:
        for name in names:
            for written in {segment(name), quote(name, safe="/%", errors="surrogatepass")}:
                answer = ask(place, method, target.format(written))
                assert answer.status in (0, 400, 403, 404, 405, 414, 431) or _is_another(answer), (written, answer)
                assert CANARY.encode() not in answer.body
    assert touched == []


def _is_another(answer: Answer) -> bool:
    """An empty name, or one that ends another way, is the address of another route: a list, most of the time."""
    return answer.status == 200 and (b'"total_size"' in answer.body or answer.body in (b'{"artifacts":[]}', b"{}"))


@pytest.mark.parametrize("target", _BY_QUERY)
def test_no_query_leads_to_a_file(place: Place, target: str) -> None:
    with watch.outside() as touched:
        for name in paths_corpus.names(place.outside):
            answer = ask(place, "GET", target.format(segment(name)))
            assert answer.status in (200, 400, 404, 431), (name, answer)
            assert CANARY.encode() not in answer.body
    assert touched == []


# uploads


def test_no_name_of_an_uploaded_file_leads_anywhere(place: Place) -> None:
    spec = jsonio.encode(document([Step()])["pipeline_spec"])
    with watch.outside(place.home) as touched:
        for number, name in enumerate(paths_corpus.names(place.outside)):
            given = name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")
            head = f'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="{given}"\r\n\r\n'
            body = head.encode(errors="surrogatepass") + spec + b"\r\n--x--\r\n"
            target = f"/apis/v2beta1/pipelines/upload?name=upload-{number}"
            answer = ask(place, "POST", target, body, "multipart/form-data; boundary=x")
            assert answer.status in (200, 400), (name, answer)
    assert touched == []


def test_no_member_of_an_uploaded_archive_is_written(place: Place) -> None:
    with watch.outside(place.home) as touched:
        for name in paths_corpus.names(place.outside)[:200]:
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
                member = tarfile.TarInfo(name.replace("\x00", "") or "x")
                spec = jsonio.encode(document([Step()])["pipeline_spec"])
                member.size = len(spec)
                archive.addfile(member, io.BytesIO(spec))
            head = b'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="p.tar.gz"\r\n\r\n'
            body = head + data.getvalue() + b"\r\n--x--\r\n"
            answer = ask(place, "POST", "/apis/v2beta1/pipelines/upload", body, "multipart/form-data; boundary=x")
            assert answer.status in (200, 400, 409), (name, answer)
    assert touched == []
    assert [path.name for path in place.outside.iterdir()] == ["canary"]
