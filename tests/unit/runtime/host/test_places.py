"""Folders of attempts: the same, whether one was kept ready or not."""

import os
import stat
from pathlib import Path

import pytest

from lodestep.runtime.outcome import OUTCOME, STARTED, partial, read_json, write_json
from lodestep.runtime.places import Places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    (tmp_path / "hosts").mkdir()
    monkeypatch.chdir(tmp_path / "hosts")
    return Places("name")


def is_in_order(folder: Path) -> bool:
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "work", folder / "outputs")]
    write_json(str(folder), STARTED, {"a": 1})
    return modes == [0o700] * 3 and read_json(str(folder), STARTED) == {"a": 1}


def test_first_one_is_made_and_the_next_was_ready(places: Places, tmp_path: Path) -> None:
    places.keep_ready()
    assert os.listdir() == []  # nobody has asked for one yet
    assert places.make(str(tmp_path / "runs/one/1"))
    places.keep_ready()
    assert os.listdir() == ["name.spare"]
    ready = os.stat("name.spare").st_ino
    assert places.make(str(tmp_path / "runs/another/2"))  # of a new run
    assert (tmp_path / "runs/another/2").stat().st_ino == ready
    assert os.listdir() == []
    assert is_in_order(tmp_path / "runs/one/1")
    assert is_in_order(tmp_path / "runs/another/2")


def test_one_that_is_there_is_kept(places: Places, tmp_path: Path) -> None:
    attempt = tmp_path / "runs/one/1"
    assert places.make(str(attempt))
    places.keep_ready()
    (attempt / STARTED).write_text("{}")
    assert not places.make(str(attempt))
    assert (attempt / STARTED).read_text() == "{}"
    assert os.listdir() == ["name.spare"]


def test_empty_one_is_as_good_as_none(places: Places, tmp_path: Path) -> None:
    places.make(str(tmp_path / "runs/one/1"))
    places.keep_ready()
    (tmp_path / "runs/one/2").mkdir()
    places.make(str(tmp_path / "runs/one/2"))
    assert is_in_order(tmp_path / "runs/one/2")


def test_spare_that_was_removed_is_no_harm(places: Places, tmp_path: Path) -> None:
    places.make(str(tmp_path / "runs/one/1"))
    places.keep_ready()
    Path("name.spare").rename("elsewhere")
    assert places.make(str(tmp_path / "runs/one/2"))
    assert is_in_order(tmp_path / "runs/one/2")


def test_nothing_stays_when_the_host_ends_or_was_killed(places: Places, tmp_path: Path) -> None:
    places.make(str(tmp_path / "runs/one/1"))
    places.keep_ready()
    places.close()
    assert os.listdir() == []
    places.make(str(tmp_path / "runs/one/2"))
    places.keep_ready()
    Places("name")  # of the next host
    assert os.listdir() == []


def test_partial_files_that_are_left_do_not_show(tmp_path: Path) -> None:
    (tmp_path / partial(OUTCOME)).write_text("{much longer than what follows, and never whole")
    write_json(str(tmp_path), OUTCOME, {"a": 1})
    assert read_json(str(tmp_path), OUTCOME) == {"a": 1}
    assert os.listdir(tmp_path) == [OUTCOME]
