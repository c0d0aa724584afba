"""Artifacts over HTTP: what is known of them, and their bytes, which never come from elsewhere."""

import asyncio
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lodestep.store import artifacts, tasks
from lodestep.store.db import Connection
from tests.conformance.store import made
from tests.unit.api.inside import Inside

RUN = "run-0000000"
PATH = "/apis/lodestep/v1/artifacts"


async def put(inside: Inside, *values: Any) -> None:
    def unit(conn: Connection) -> None:
        made.seed(conn, [made.run(0)])
        tasks.upsert_tasks(conn, [made.task(0)])
        artifacts.record(conn, RUN, made.task(0).id, outputs={"data": list(values)}, at_ms=1000)

    await inside.store.write(unit)


def at(path: Path | str, number: int = 1, **changes: Any) -> Any:
    return made.artifact(number, uri=f"file://{path}", **changes)


def folder(inside: Inside) -> Path:
    path = inside.home / "artifacts" / "p"
    path.mkdir(parents=True, exist_ok=True)
    return path


def downloaded(inside: Inside, value: Any) -> Any:
    async def go() -> Any:
        await put(inside, value)
        return await inside.ask("GET", f"{PATH}/{value.id}:download")

    return asyncio.run(go())


def test_an_artifact_is_shown_with_its_metadata(inside: Inside) -> None:
    async def go() -> Any:
        await put(inside, made.artifact(1, metadata={"lines": 3}, digest="d"), made.artifact(2, size=-1))
        return [
            (await inside.ask("GET", path)).json()
            for path in (f"{PATH}/art-1", PATH, f"{PATH}?run_id={RUN}", f"{PATH}?page_size=1", f"{PATH}/art-2")
        ]

    one, everything, of_run, page, other = asyncio.run(go())
    assert one == {
        "artifact_id": "art-1",
        "name": "data 1",
        "type": "system.Dataset",
        "uri": "file:///a/1",
        "metadata": {"lines": 3},
        "created_at": "1970-01-01T00:00:01Z",
        "run_id": RUN,
        "producer_task_id": made.task(0).id,
        "producer_key": "data",
        "size": 3,
        "digest": "d",
    }
    assert [row["artifact_id"] for row in everything["artifacts"]] == ["art-1", "art-2"]
    assert everything["total_size"] == 2
    assert of_run["artifacts"] == everything["artifacts"]
    assert len(page["artifacts"]) == 1
    assert page["next_page_token"]
    assert "size" not in other


def test_a_file_is_downloaded_as_it_is(inside: Inside) -> None:
    path = folder(inside) / "data.bin"
    path.write_bytes(os.urandom(300_000))
    answer = downloaded(inside, at(path))
    assert (answer.status, answer.body) == (200, path.read_bytes())
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="data.bin"')
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == "300000"


def test_a_page_is_stored_and_never_shown(inside: Inside) -> None:
    path = folder(inside) / "page.html"
    path.write_text("<script>alert(1)</script>")
    answer = downloaded(inside, at(path))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


def test_a_folder_is_downloaded_as_a_tar(inside: Inside, tmp_path: Path) -> None:
    path = folder(inside) / "model"
    (path / "deep" / "deeper").mkdir(parents=True)
    long = "n" * 200
    files = {"a.txt": b"a", "deep/b.bin": os.urandom(100_000), f"deep/deeper/{long}": b"", "ünï 日本": b"text"}
    for name, data in files.items():
        (path / name).write_bytes(data)
    (tmp_path / "secret").write_text("secret")
    (path / "link").symlink_to(tmp_path / "secret")
    (path / "folder-link").symlink_to(tmp_path)
    os.mkfifo(path / "pipe")
    answer = downloaded(inside, at(path))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-tar"
    assert 'filename="model.tar"' in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.body), mode="r:") as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert found == files


def test_an_empty_folder_is_an_empty_tar(inside: Inside) -> None:
    path = folder(inside) / "nothing"
    path.mkdir()
    with tarfile.open(fileobj=io.BytesIO(downloaded(inside, at(path)).body), mode="r:") as tar:
        assert tar.getnames() == []


@pytest.mark.parametrize("name", ['a"b.txt', "a\nb", "ünï.txt", "..", "a;b", "x" * 200])
def test_names_are_made_plain(inside: Inside, name: str) -> None:
    path = folder(inside) / (name if name != ".." else "dots..")
    path.write_text("x")
    answer = downloaded(inside, at(path) if "\n" not in name else at(str(path).replace("\n", "%0A")))
    if "\n" in name:
        assert answer.status == 403
        return
    assert answer.status == 200
    assert "\n" not in answer.headers["content-disposition"]
    assert answer.headers["content-disposition"].count('"') == 2


def test_bytes_that_are_gone_are_404(inside: Inside) -> None:
    answer = downloaded(inside, at(folder(inside) / "gone"))
    assert answer.status == 404
    assert "not there any more" in answer.json()["message"]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "s3://bucket/key",
        "file://HOME/lodestep.db",
        "file://HOME/artifacts/../lodestep.db",
        "file://HOME/secrets/s/k",
    ],
)
def test_nothing_outside_is_served(inside: Inside, uri: str) -> None:
    value = made.artifact(1, uri=uri.replace("HOME", str(inside.home)))
    assert downloaded(inside, value).status == 403


def test_a_link_that_leads_outside_is_not_followed(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = folder(inside) / "link"
    path.symlink_to(tmp_path / "secret")
    assert downloaded(inside, at(path)).status == 403


def test_a_workspace_and_named_roots_are_served(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    inside = Inside(tmp_path / "home", artifact_roots=[str(other)])
    workspace = inside.home / "runs" / RUN / "workspace"
    workspace.mkdir(parents=True)
    for path in (workspace / "file", other / "file"):
        path.write_text(str(path))

    async def go() -> list[bytes]:
        await put(inside, at(workspace / "file", 1), at(other / "file", 2))
        return [(await inside.ask("GET", f"{PATH}/art-{number}:download")).body for number in (1, 2)]

    assert asyncio.run(go()) == [str(workspace / "file").encode(), str(other / "file").encode()]
    inside.close()


def test_what_is_not_there_is_404(inside: Inside) -> None:
    for path in (f"{PATH}/none", f"{PATH}/none:download", f"{PATH}?run_id=none"):
        assert asyncio.run(inside.ask("GET", path)).status == 404
