"""Secrets and config maps as files."""

import stat
from pathlib import Path

import pytest

from lodestep.cli import keyed
from lodestep.cli.kinds import CONFIG_MAP, SECRET
from lodestep.engine.secrets import KeyedFiles
from lodestep.errors import InvalidInput, NotFound


@pytest.fixture
def secrets(tmp_path: Path) -> keyed.Collection:
    return keyed.Collection(tmp_path / "home", SECRET)


def test_what_is_set_is_what_a_step_reads(secrets: keyed.Collection, tmp_path: Path) -> None:
    secrets.put("db", {"user": b"me", "password": b"a b=c\n"})
    secrets.put("db", {"user": b"you"})
    reader = KeyedFiles(tmp_path / "home" / "secrets", "secret")
    assert reader.values("db") == {"user": "you", "password": "a b=c\n"}


def test_nobody_else_can_read_it(secrets: keyed.Collection, tmp_path: Path) -> None:
    folder = secrets.put("db", {"user": b"me"})
    for path, mode in ((folder / "user", 0o600), (folder, 0o700), (folder.parent, 0o700), (tmp_path / "home", 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("name", "key"), [("../x", "k"), ("a/b", "k"), (".", "k"), ("", "k"), ("ok", ".."), ("ok", "a/b"), ("ok", "")]
)
def test_names_cannot_lead_elsewhere(secrets: keyed.Collection, tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(InvalidInput):
        secrets.put(name, {"fine": b"1", key: b"2"})
    assert not (tmp_path / "home").exists()


def test_list_gives_names_and_keys_alone(secrets: keyed.Collection, tmp_path: Path) -> None:
    assert secrets.listed() == {}
    secrets.put("b", {"y": b"1", "x": b"2"})
    secrets.put("a", {"k": b"3"})
    assert secrets.listed() == {"a": ["k"], "b": ["x", "y"]}
    assert keyed.Collection(tmp_path / "home", CONFIG_MAP).listed() == {}


def test_delete_a_key_or_all(secrets: keyed.Collection) -> None:
    secrets.put("db", {"x": b"1", "y": b"2"})
    with pytest.raises(NotFound, match="no key 'z'"):
        secrets.delete("db", ("x", "z"))
    secrets.delete("db", ("x",))
    assert secrets.listed() == {"db": ["y"]}
    secrets.delete("db", ())
    assert secrets.listed() == {}
    with pytest.raises(NotFound, match="no secret 'db'"):
        secrets.delete("db", ())


def test_values_from_files_and_texts_with_an_at(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"\x00\xff")
    assert keyed.pairs((f"a=@{tmp_path / 'v'}", "b=@@x", "c=d=e")) == {"a": b"\x00\xff", "b": b"@x", "c": b"d=e"}
    with pytest.raises(NotFound):
        keyed.pairs(("a=@/nowhere/at/all",))


def test_a_bare_word_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidInput) as refused:
        keyed.pairs(("hunter2",))
    assert "hunter2" not in str(refused.value)
