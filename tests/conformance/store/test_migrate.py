"""Upgrades: a copy first, all or nothing, finished by the next start, refused when the database is newer."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lodestep.clock import ManualClock
from lodestep.errors import FailedPrecondition
from lodestep.store import db, migrate
from lodestep.store.db import Corrupt
from lodestep.store.store import Store
from tests.conformance.store import made, scrap

_SECOND = """
-- A made-up second script.
CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, text TEXT NOT NULL);

INSERT INTO note (id, text) SELECT id, name FROM experiment;
ALTER TABLE experiment ADD COLUMN note_id TEXT NOT NULL DEFAULT '';
UPDATE experiment SET note_id = id;
CREATE TRIGGER note_kept BEFORE DELETE ON note
BEGIN
    SELECT RAISE(ABORT, 'notes; they are kept');
END;
"""

# Migrates with a connection that ends the process at the statement with a given number, each time in a fork of its own.
_KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from lodestep.store import db, migrate

path, second = Path(sys.argv[1]), Path(sys.argv[2]).read_text()
scripts = migrate.released() + ([second] if second else [])

class Fatal(sqlite3.Connection):
    left = 0
    def execute(self, *given):
        Fatal.left -= 1
        if Fatal.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*given)

base = path.read_bytes() if path.exists() else None
kills = 0
while True:
    for left in path.parent.glob("lodestep.db*"):
        left.unlink()
    if base:
        path.write_bytes(base)
    kills += 1
    pid = os.fork()
    if pid == 0:
        conn = sqlite3.connect(path, isolation_level=None, factory=Fatal)
        conn.execute("PRAGMA journal_mode = WAL")
        Fatal.left = kills
        migrate.bring_up(conn, path, scripts)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    found = sqlite3.connect(path, isolation_level=None)
    before = db.schema(found)
    migrate.bring_up(found, path, scripts)
    assert db.schema(found) == len(scripts)
    assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tables = [row[0] for row in found.execute("SELECT name FROM sqlite_master ORDER BY name")]
    kept = found.execute("SELECT count(*) FROM experiment").fetchone()[0]
    found.close()
    print(kills, before, len(tables), kept, flush=True)
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
"""


def _schema(path: Path) -> list[tuple[str, str]]:
    conn = sqlite3.connect(path)
    found = conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    conn.close()
    return found


def _home(tmp_path: Path) -> Path:
    """A home with a row, closed."""
    store = Store.open(tmp_path / "home", ManualClock())
    made.write(store, made.seed)
    store.close()
    return store.path


def test_the_number_of_scripts_is_the_number_that_starts_rely_on() -> None:
    assert len(migrate.released()) == migrate.SCHEMA


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    path = _home(tmp_path)
    before = _schema(path)
    Store.open(path.parent, ManualClock()).close()
    assert _schema(path) == before
    assert sorted(each.name for each in path.parent.iterdir()) == [db.FILE]


def test_a_newer_schema_is_refused_with_both_numbers(tmp_path: Path) -> None:
    path = _home(tmp_path)
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    with pytest.raises(FailedPrecondition, match=f"schema 99, this program knows schemas up to {migrate.SCHEMA}"):
        Store.open(path.parent, ManualClock())


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / db.FILE).write_text("this is a text file, not a database" * 100)
    with pytest.raises(Corrupt, match=r"lodestep\.db"):
        Store.open(tmp_path, ManualClock())


def test_a_copy_is_made_before_an_upgrade(tmp_path: Path) -> None:
    path = _home(tmp_path)
    before = _schema(path)
    conn = db.open_writer(path)
    migrate.bring_up(conn, path, [*migrate.released(), _SECOND])
    assert conn.execute("SELECT id, text FROM note").fetchall() == [("exp-1", "experiment 1")]
    with pytest.raises(sqlite3.IntegrityError, match="notes; they are kept"):
        conn.execute("DELETE FROM note")
    conn.close()
    copied = path.with_name(f"{db.FILE}.schema-{migrate.SCHEMA}")
    assert _schema(copied) == before
    assert sorted(each.name for each in path.parent.iterdir()) == [db.FILE, copied.name]


def test_a_script_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = _home(tmp_path)
    before = _schema(path)
    conn = db.open_writer(path)
    with pytest.raises(sqlite3.OperationalError):
        migrate.bring_up(conn, path, [*migrate.released(), _SECOND + "INSERT INTO nowhere VALUES (1);\n"])
    assert db.schema(conn) == migrate.SCHEMA
    conn.close()
    assert _schema(path) == before


def test_a_script_that_ends_within_a_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="within a statement"):
        list(migrate.statements("CREATE TABLE a (b);\nCREATE TABLE c"))


@pytest.mark.parametrize("second", ["", _SECOND], ids=["from-nothing", "from-the-first"])
def test_killed_at_any_statement_the_next_start_finishes(tmp_path: Path, second: str) -> None:
    path = _home(tmp_path) if second else tmp_path / "home" / db.FILE
    path.parent.mkdir(exist_ok=True)
    script = tmp_path / "second.sql"
    script.write_text(second)
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, path, script], capture_output=True, text=True, check=False, timeout=100
    )
    assert ended.returncode == 0, ended.stderr
    rounds = [line.split() for line in ended.stdout.splitlines()]
    expected = len(list(migrate.statements(second or migrate.released()[0])))
    assert len(rounds) > expected
    assert {int(before) for _, before, _, _ in rounds[:-1]} == {migrate.SCHEMA if second else 0}
    assert len({tables for _, _, tables, _ in rounds}) == 1
    assert {kept for _, _, _, kept in rounds} == {"1" if second else "0"}


def test_a_backup_of_a_working_store_is_whole(tmp_path: Path, store: Store) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(number) for number in range(50)]))
    made.write(store, lambda conn: scrap.put(conn, "run-0000001", b"e"))
    target = tmp_path / "copy" / "lodestep.db"
    target.parent.mkdir()
    store.backup(target)
    made.write(store, lambda conn: scrap.put(conn, "run-0000001", b"later"))
    restored = Store.open(target.parent, ManualClock())
    assert [body for _, _, body in restored.read_now(scrap.take_all)] == [b"e"]
    assert restored.check() == []
    restored.close()
