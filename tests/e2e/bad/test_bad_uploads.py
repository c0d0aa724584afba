"""Uploads that are none: broken forms, bombs, bodies that break off. Each is refused, and nothing is half-written."""

import gzip
import io
import json
import socket
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.contract.rig import V2, form, send, unique, upload, upload_refusal
from tests.e2e.watched import Watched, connect, head

MIB = 1024 * 1024


def typed_form(data: bytes, **options: str) -> tuple[bytes, str]:
    body, headers = form(data, **options)
    return body, headers["content-type"]


BODY, BODY_KIND = typed_form(b"{}")
BOUNDARY = BODY_KIND.partition("boundary=")[2].encode()
KIND = "multipart/form-data; boundary=x"
FORMS: dict[str, tuple[bytes, str]] = {
    "no form": (b"{}", "application/json"),
    "no kind": (b"{}", ""),
    "no boundary": (BODY, "multipart/form-data"),
    "empty boundary": (BODY, "multipart/form-data; boundary="),
    "another boundary": (BODY, KIND),
    "a long boundary": (BODY, f"multipart/form-data; boundary={'x' * 5000}"),
    "empty": (b"", KIND),
    "only the end": (b"--x--\r\n", KIND),
    "cut in the head": (BODY[:40], BODY_KIND),
    "cut in the file": (BODY[: BODY.index(b"{}") + 1], BODY_KIND),
    "cut before the end": (BODY[: BODY.rindex(BOUNDARY)], BODY_KIND),
    "no field": (b"--x\r\nContent-Disposition: form-data\r\n\r\nz\r\n--x--\r\n", KIND),
    "no disposition": (b"--x\r\n\r\nz\r\n--x--\r\n", KIND),
    "a text for the file": (
        b'--x\r\nContent-Disposition: form-data; name="uploadfile"\r\n\r\nz\r\n--x--\r\n',
        KIND,
    ),
    "binary headers": (b"--x\r\n\xff\x00: \xfe\r\n\r\nz\r\n--x--\r\n", KIND),
    "a header without end": (b"--x\r\nContent-Disposition: " + b"a" * 200_000, KIND),
    "bare line feeds": (b'--x\nContent-Disposition: form-data; name="uploadfile"; filename="a"\n\nz\n--x--\n', KIND),
    "an empty file": typed_form(b""),
    "many fields": (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nz\r\n' % n for n in range(2000))
        + b"--x--\r\n",
        KIND,
    ),
    "many files": (
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="f"\r\n\r\n{}\r\n' for _ in range(200)
        )
        + b"--x--\r\n",
        KIND,
    ),
    "another field": typed_form(b"{}", field="file"),
}


@pytest.mark.parametrize("path", ["upload", "upload_version"])
@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none_is_refused(server: Watched, pipeline: Any, name: str, path: str) -> None:
    data, kind = FORMS[name]
    headers = {"content-type": kind} if kind else {}
    query = {"pipelineid": pipeline["pipeline_id"]} if path == "upload_version" else {}
    answer = send(server.url, "POST", f"{V2}/pipelines/{path}", data, headers, name=unique("form"), **query)
    upload_refusal(answer)


@pytest.mark.parametrize("filename", ["a\x00b.yaml", "../../etc/passwd", "\ud800.yaml", "x" * 5000, "\r\nx: y", ""])
def test_hostile_file_names_are_only_names(server: Watched, filename: str) -> None:
    name = filename.encode("utf-8", "surrogatepass")
    data = b'--x\r\nContent-Disposition: form-data; name="uploadfile"; filename="' + name + b'"\r\n\r\n{}\r\n--x--\r\n'
    upload_refusal(send(server.url, "POST", f"{V2}/pipelines/upload", data, {"content-type": KIND}))


@pytest.mark.parametrize(
    "query", ["name=%ff", "name=%00", "name=a%0ab", "display_name=%1b", "tags=%ff", "name=" + "x" * 4000]
)
def test_hostile_queries_are_refused(server: Watched, hello: Any, query: str) -> None:
    body, headers = form(json.dumps(hello).encode())
    answer = send(server.url, "POST", f"{V2}/pipelines/upload?{query}", body, headers)
    if query == "name=%ff":  # the replacement character is a name like any other
        assert answer.status == 200
        server.json("DELETE", f"{V2}/pipelines/{answer.json()['pipeline_id']}?cascade=true")
        return
    upload_refusal(answer)


def test_uploads_that_are_too_large_are_refused(server: Watched) -> None:
    answer = upload(server, b" " * (33 * MIB), name=unique("large"))
    assert "at most" in upload_refusal(answer)
    answer = upload(server, b"#" * (32 * MIB + 1), name=unique("large"))
    assert "at most" in upload_refusal(answer)


def bomb_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("pipeline.yaml", "w") as member:
        for _ in range(400):
            member.write(b"\0" * MIB)
    return out.getvalue()


@pytest.mark.parametrize("data", [gzip.compress(b"\0" * (400 * MIB), 1), bomb_zip()], ids=["gzip", "zip"])
def test_bombs_are_refused_before_they_go_off(server: Watched, data: bytes) -> None:
    assert server.process is not None
    before = peak(server.process.pid)
    assert "more than" in upload_refusal(upload(server, data, name=unique("bomb"), filename="pipeline.zip"))
    assert peak(server.process.pid) - before < 150 * MIB


def peak(pid: int) -> int:
    """The most memory that the process ever had, in bytes."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


# --- connections


@pytest.mark.parametrize("path", ["experiments", "runs", "pipelines/upload"])
def test_a_body_that_breaks_off_has_no_effect(server: Watched, hello: Any, path: str) -> None:
    if path == "pipelines/upload":
        body, headers = form(json.dumps(hello).encode())
        kind = headers["content-type"]
    else:
        body, kind = json.dumps({"display_name": "cut", "pipeline_spec": hello}).encode(), "application/json"
        if path == "experiments":
            body = b'{"display_name": "cut"}'
    for cut in (1, len(body) // 2, len(body) - 1):
        with connect(server) as wire:
            lines = (f"Content-Type: {kind}", f"Content-Length: {len(body)}")
            wire.sendall(head(server, f"{V2}/{path}?name=cut", *lines) + body[:cut])
            wire.shutdown(socket.SHUT_WR)
            answer = wire.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 4"), answer


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"fffffffffffffffff\r\n{}", b"2\r\n{}xx0\r\n\r\n"], ids=range(4)
)
def test_broken_chunks_are_refused(server: Watched, chunk: bytes) -> None:
    with connect(server) as wire:
        wire.sendall(head(server, f"{V2}/experiments", "Content-Type: application/json", "Transfer-Encoding: chunked"))
        wire.sendall(chunk)
        wire.shutdown(socket.SHUT_WR)
        answer = wire.recv(65536)
        assert not answer or answer.startswith(b"HTTP/1.1 4"), answer
