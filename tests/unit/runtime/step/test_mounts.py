"""Folders at other places: seen by the step alone, as root and as another user, and nothing is left of them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lodestep.runtime import mounts as subject

OTHER = 65534
# Applies the mounts as a child of a step host does, as the user that is asked for, and runs a program.
_DRIVER = """
import ctypes, importlib.util, json, os, sys, traceback
order = json.loads(sys.stdin.read())
spec = importlib.util.spec_from_file_location("mounts", order["module"])
mounts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mounts)
libc = ctypes.CDLL(None, use_errno=True)
if order["is_powerless"]:
    assert libc.unshare(0x10000000) == 0
    for name, text in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
        open("/proc/self/" + name, "w").write(text)
    for kind in ("user", "mnt"):
        open("/proc/sys/user/max_%s_namespaces" % kind, "w").write("0")
if order["user"] != os.getuid():
    os.setgroups([])
    os.setgid(order["user"])
    os.setuid(order["user"])
    libc.prctl(4, 1, 0, 0, 0)  # it may look at itself again
try:
    mounts.apply(order["mounts"], order["scratch"])
except OSError as error:
    print(json.dumps({"error": str(error)}))
    sys.exit(0)
os.chdir(order["work"])
said = {}
exec(order["program"], {"said": said, "os": os})
print(json.dumps(said))
"""

READ_ONLY = "try: open('/mnt/secret/new', 'w')\nexcept OSError as error: said['error'] = error.strerror"


class Place:
    """A folder for one test, whose owner is the user who runs the step."""

    def __init__(self, folder: Path, user: int) -> None:
        self.folder = folder
        self.user = user
        self.module = Path(subject.__file__)
        self.powerless = False
        for name in ("source", "more", "work"):
            self.new(name)

    def new(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True)
        for each in (path, *path.parents):
            if each == self.folder.parent:
                break
            os.chown(each, self.user, -1)
        return path

    def run(self, mounts: list[dict[str, Any]], program: str = "") -> dict[str, Any]:
        order = {
            "mounts": mounts,
            "scratch": str(self.folder / "scratch"),
            "work": str(self.folder / "work"),
            "module": str(self.module),
            "program": program,
            "user": self.user,
            "is_powerless": self.powerless,
        }
        said = subprocess.run(
            [sys.executable, "-I", "-c", _DRIVER], input=json.dumps(order), capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def mount(self, target: str, source: str = "source", **more: Any) -> dict[str, Any]:
        return {"kind": "folder", "target": target, "source": str(self.folder / source), **more}


def _can_have_user_namespace() -> bool:
    program = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000))"
    return subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


USERS = [
    pytest.param(0, id="root", marks=[pytest.mark.root, pytest.mark.skipif(os.getuid() != 0, reason="needs root")]),
    pytest.param(
        OTHER if os.getuid() == 0 else os.getuid(),
        id="other",
        marks=pytest.mark.skipif(not _can_have_user_namespace(), reason="this system has no user namespaces"),
    ),
]


@pytest.fixture(params=USERS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    before = Path("/proc/self/mounts").read_text()
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        os.chown(name, request.param, -1)
        folder = Path(name).resolve()
        yield Place(folder, request.param)
        for each in (folder, *folder.rglob("*")):
            assert not os.path.ismount(each)
    assert Path("/proc/self/mounts").read_text() == before


def test_a_folder_is_seen_at_a_place_that_exists(place: Place) -> None:
    (place.folder / "source" / "a").write_text("text")
    program = "said['a'] = open('/mnt/a').read(); open('/mnt/b', 'w').write('made')"
    before = os.listdir("/mnt")
    assert place.run([place.mount("/mnt")], program) == {"a": "text"}
    assert (place.folder / "source" / "b").read_text() == "made"
    assert os.listdir("/mnt") == before


@pytest.mark.parametrize("target", ["/no-such-place", "/no-such-place/deep/er", "/mnt/new", "/usr/share/new/deep"])
def test_a_folder_is_seen_where_nothing_is(place: Place, target: str) -> None:
    (place.folder / "source" / "a").write_text("text")
    program = (
        f"said['a'] = open({target!r} + '/a').read(); open({target!r} + '/b', 'w').write('made')\n"
        "said['work'] = os.getcwd(); said['bin'] = os.path.exists('/bin/sh'); said['null'] = open('/dev/null').read()\n"
        "said['others'] = len(os.listdir('/usr/share')) > 5\n"
        "said['pid'] = int(os.readlink('/proc/self')) == os.getpid()"
    )
    said = place.run([place.mount(target)], program)
    assert said == {
        "a": "text",
        "work": str(place.folder / "work"),
        "bin": True,
        "null": "",
        "others": True,
        "pid": True,
    }
    assert (place.folder / "source" / "b").read_text() == "made"
    top = "/" + target.split("/")[1]
    assert not os.path.exists(target)
    assert top in ("/mnt", "/usr") or not os.path.exists(top)


def test_several_folders(place: Place) -> None:
    mounts = [
        place.mount("/one"),
        place.mount("/two/deep", "more"),
        place.mount("/mnt/a"),
        place.mount("/mnt/b", "more"),
    ]
    program = "for path in ('/one', '/two/deep', '/mnt/a', '/mnt/b'): open(path + '/' + path.replace('/', '_'), 'w')"
    assert place.run(mounts, program) == {}
    assert sorted(os.listdir(place.folder / "source")) == ["_mnt_a", "_one"]
    assert sorted(os.listdir(place.folder / "more")) == ["_mnt_b", "_two_deep"]


def test_a_folder_within_another(place: Place) -> None:
    """As where one volume is mounted within another: what is written beside the inner one reaches the outer one."""
    mounts = [place.mount("/outer/inner", "more"), place.mount("/outer")]
    assert place.run(mounts, "open('/outer/a', 'w'); open('/outer/inner/b', 'w')") == {}
    assert sorted(os.listdir(place.folder / "source")) == ["a", "inner"]
    assert os.listdir(place.folder / "more") == ["b"]


def test_an_empty_folder_is_the_attempts_own(place: Place) -> None:
    mounts = [{"kind": "empty", "target": "/cache", "source": ""}, {"kind": "empty", "target": "/mnt/more"}]
    program = (
        "said['a'] = os.listdir('/cache') + os.listdir('/mnt/more'); open('/cache/x', 'w'); open('/mnt/more/y', 'w')"
    )
    assert place.run(mounts, program) == {"a": []}
    assert os.listdir(place.folder / "scratch" / "empty0") == ["x"]
    assert os.listdir(place.folder / "scratch" / "empty1") == ["y"]


def test_a_read_only_folder(place: Place) -> None:
    (place.folder / "source" / "key").write_text("hunter2")
    program = READ_ONLY + "\nsaid['key'] = open('/mnt/secret/key').read()"
    said = place.run([place.mount("/mnt/secret", read_only=True)], program)
    assert said == {"error": "Read-only file system", "key": "hunter2"}


def test_a_read_only_folder_below_flags_that_must_stay(place: Place) -> None:
    """/dev/shm is mounted nosuid and nodev: a user namespace may not take that away."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        os.chown(name, place.user, -1)
        said = place.run([place.mount("/mnt/secret", name, read_only=True)], READ_ONLY)
    assert said == {"error": "Read-only file system"}


def test_a_mutant_that_lets_all_be_written_is_caught(place: Place) -> None:
    text = place.module.read_text()
    assert text.count("        if place.is_read_only:\n") == 1
    place.module = place.folder / "mutant.py"
    place.module.write_text(text.replace("        if place.is_read_only:\n", "        if False:\n"))
    assert place.run([place.mount("/mnt/secret", read_only=True)], READ_ONLY) == {}


def test_a_source_that_is_not_there_is_made(place: Place) -> None:
    assert place.run([place.mount("/mnt/v", "volumes/new")], "open('/mnt/v/a', 'w')") == {}
    assert os.listdir(place.folder / "volumes" / "new") == ["a"]


def test_the_folder_that_is_covered_may_hold_the_attempt(place: Place) -> None:
    """A new place beside the home of the server: what the attempt writes still reaches its own folder."""
    target = str(place.folder / "beside" / "new")
    program = (
        f"open({target!r} + '/a', 'w'); open('mine', 'w'); open({str(place.folder)!r} + '/more/b', 'w')\n"
        f"open({str(place.folder)!r} + '/loose', 'w'); said['seen'] = sorted(os.listdir({str(place.folder)!r}))"
    )
    said = place.run([place.mount(target)], program)
    assert said == {"seen": ["beside", "loose", "more", "scratch", "source", "work"]}
    assert os.listdir(place.folder / "source") == ["a"]
    assert os.listdir(place.folder / "work") == ["mine"]
    assert os.listdir(place.folder / "more") == ["b"]
    assert sorted(os.listdir(place.folder)) == ["more", "scratch", "source", "work"]


def test_places_by_way_of_links(place: Place) -> None:
    real = place.new("real")
    (place.folder / "link").symlink_to(real)
    target = f"{place.folder}/link/new"
    assert place.run([place.mount(target)], f"open({target!r} + '/a', 'w')") == {}
    assert os.listdir(place.folder / "source") == ["a"]
    assert os.listdir(real) == []


def test_where_the_folder_is_there_already_nothing_is_needed(place: Place) -> None:
    place.powerless = place.user == 0
    assert place.run([place.mount(str(place.folder / "source"))], "said['ok'] = True") == {"ok": True}
    assert not (place.folder / "scratch").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/", "expected an absolute path below /"),
        ("relative/path", "expected an absolute path below /"),
        ("/mnt/../..", "expected an absolute path below /"),
        ("/proc", "expected an absolute path below /"),
        ("/etc/passwd", "there is a file"),
        ("/etc/passwd/below", "cannot show a folder at /etc/passwd/below"),
        ("/proc/new", "outside /proc"),
    ],
)
def test_a_place_that_can_be_none_is_told_in_words(place: Place, target: str, words: str) -> None:
    assert words in place.run([place.mount(target)])["error"]


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_where_no_namespace_is_allowed_it_is_told_in_words(tmp_path: Path) -> None:
    place = Place(tmp_path / "place", 0)
    place.powerless = True
    error = place.run([place.mount("/mnt/a")])["error"]
    assert error.startswith("this system does not let steps have folders at other paths (")
    assert "run the server as root, or allow user namespaces" in error
    assert not os.path.lexists("/mnt/a")


def test_what_is_left_in_the_attempt_can_be_removed(place: Place) -> None:
    place.run([place.mount("/new"), place.mount("/mnt/new")])
    shutil.rmtree(place.folder / "scratch")
    assert os.path.isdir("/bin")
