"""The resolver of local artifacts: what it opens the door to, and what it refuses without a look."""

import os
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from lodestep.artifacts.local import local_path
from lodestep.errors import LodestepError, NotFound, PermissionDenied


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "artifacts"
    (root / "run" / "deep folder").mkdir(parents=True)
    (root / "run" / "model").write_text("weights")
    (root / "run" / "deep folder" / "50% of it?#.txt").write_text("half")
    (tmp_path / "artifacts-beside").mkdir()
    (tmp_path / "artifacts-beside" / "secret").write_text("secret")
    return root


def outcome(uri: str, *roots: Path) -> type[LodestepError] | Path:
    try:
        return local_path(uri, roots)
    except LodestepError as error:
        return type(error)


def test_files_and_folders_below_a_root_are_found_by_path_and_by_uri(root: Path) -> None:
    file, folder = root / "run" / "model", root / "run"
    for path in (file, folder):
        for uri in (str(path), path.as_uri(), f"file://localhost{path}", f"FILE://{path}", f"{path.as_uri()}/"):
            assert local_path(uri, [root.parent / "nothing-here", root]) == path


def test_uris_are_decoded_exactly_once(root: Path) -> None:
    odd = root / "run" / "deep folder" / "50% of it?#.txt"
    assert local_path(f"file://{quote(str(odd))}", [root]) == odd
    assert local_path(str(odd), [root]) == odd
    assert outcome(f"file://{quote(quote(str(odd)))}", root) is NotFound
    (root / "run" / "%2e%2e").mkdir()
    assert local_path(f"file://{root}/run/%252e%252e", [root]) == root / "run" / "%2e%2e"


@pytest.mark.parametrize(
    "form",
    [
        "{outside}",
        "file://{outside}",
        "{root}/../{name}/secret",
        "file://{root}/../{name}/secret",
        "file://{root}/%2e%2e/{name}/secret",
        "file://{root}/run/..%2f..%2f{name}/secret",
        "file:///{root}/../{name}/secret",
        "/{outside}",
        "file:///{outside}",
        "file://{outside}%00.txt",
        "{outside}\0",
        "file://elsewhere{outside}",
        "file://127.0.0.1{outside}",
        "file://user@localhost{outside}",
        "file:{outside}",
        "{root}",
        "{root}/",
        "file://{root}",
    ],
)
def test_what_is_outside_is_refused_alike_whether_it_exists_or_not(root: Path, form: str) -> None:
    outside = root.parent / "artifacts-beside" / "secret"
    uri = form.format(outside=outside, root=root, name="artifacts-beside")
    with pytest.raises(PermissionDenied) as while_there:
        local_path(uri, [root])
    outside.unlink()
    with pytest.raises(PermissionDenied) as once_gone:
        local_path(uri, [root])
    assert str(while_there.value) == str(once_gone.value)


@pytest.mark.parametrize(
    "uri",
    [
        *("", ".", "run/model", "\\etc\\passwd", "~/x", "/\ud800", "/a\nb", "/a\x7fb", "/" + "../" * 40 + "etc/passwd"),
        *("s3://bucket/key", "gs://b/k", "http://localhost/x", "data:text/plain,x"),
        *("file:", "file://", "file://localhost", "file:///a?b", "file:///a#b", "file:///\udcff\ud800"),
        *("file:///a%0ab", "file:///a%00b"),
    ],
)
def test_what_is_no_plain_local_path_is_refused(root: Path, uri: str) -> None:
    assert outcome(uri, root, Path("/")) is PermissionDenied


def test_links_may_lead_inside_but_not_out(root: Path) -> None:
    beside = root.parent / "artifacts-beside"
    (root / "inside").symlink_to(root / "run")
    (root / "file-out").symlink_to(beside / "secret")
    (root / "folder-out").symlink_to(beside)
    (root / "dangling-out").symlink_to(beside / "not-there")
    (root / "dangling-in").symlink_to(root / "not-there")
    (root / "circle").symlink_to(root / "circle")
    assert local_path(f"{root}/inside/model", [root]) == root / "run" / "model"
    for name in ("file-out", "folder-out", "folder-out/secret", "folder-out/not-there", "dangling-out"):
        assert outcome(f"{root}/{name}", root) is PermissionDenied, name
    assert outcome(f"{root}/circle", root) is PermissionDenied
    for name in ("dangling-in", "run/model/below-a-file", "x" * 300, "y/" * 3000):
        assert outcome(f"{root}/{name}", root) is NotFound, name


def test_a_root_that_is_itself_a_link_is_a_root(root: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(root)
    assert local_path(f"{linked}/run/model", [linked]) == root / "run" / "model"
    assert local_path(f"{root}/run/model", [linked]) == root / "run" / "model"


def test_what_is_neither_file_nor_folder_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        assert outcome(f"{root}/pipe", root) is PermissionDenied
        assert outcome(f"{root}/socket", root) is PermissionDenied
    assert outcome("/dev/zero", Path("/dev")) is PermissionDenied


def test_without_roots_everything_is_refused(root: Path) -> None:
    assert outcome(f"{root}/run/model") is PermissionDenied


def test_long_uris_are_shown_in_part(root: Path) -> None:
    with pytest.raises(PermissionDenied) as refused:
        local_path("/" + "z" * 100_000, [root])
    assert len(str(refused.value)) < 400
