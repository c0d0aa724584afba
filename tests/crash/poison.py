"""A home full of runs, and ways to spoil a part of it: rows, specs, events, outcome files, attempt folders.

Each poison has a victim of its own, so what came of it can be told apart.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.contract import pipelines
from tests.contract.rig import V2, uploaded
from tests.crash.test_kill_anywhere import step_hosts
from tests.e2e.conftest import LiveServer

ENDED, WAITING, LOST = 12, 12, 12  # runs of each kind in a home
GARBAGE: list[Any] = ["not json", "{", "[1, 2", "", "null", "[[1]]", '{"id": 5}', b"\xff\xfe\x00", b"", -1, "\x00"]
BAD_TEXT = "CAST(x'ff80' AS TEXT)"  # text in the eyes of the database, but no UTF-8


class Home(NamedTuple):
    """What there is to spoil. `waiting` are open runs whose step has ended unseen, `lost` such whose step died."""

    ended: list[str]
    artifacts: list[str]  # runs that have ended and made one
    waiting: list[str]
    lost: list[str]
    healthy: list[str]  # open runs that are never spoilt
    pipelines: list[str]
    experiments: list[str]


class Poison(NamedTuple):
    name: str
    victim: str
    apply: Callable[[sqlite3.Connection, Path], None]
    is_run: bool = True
    is_named: bool = False  # nothing may go on as if nothing were wrong


def build(home: Path, folder: Path) -> Home:
    """A home whose server and step hosts were killed in the middle of their work."""
    home.mkdir()
    (home / "lodestep.toml").write_text("[runner]\nparallel_attempts = 64\n")
    specs = {
        pipeline.name: pipelines.spec(pipeline, folder)
        for pipeline in (pipelines.hello, pipelines.held, pipelines.passes_on)
    }
    server = LiveServer(home).start()
    number = iter(range(10_000))

    def run(pipeline: str, experiment: str, /, **parameters: str) -> str:
        spec = json.loads(json.dumps(specs[pipeline]))
        spec["pipelineInfo"]["description"] = f"number {next(number)}"  # a spec of its own
        body = {
            "display_name": "r",
            "pipeline_spec": spec,
            "runtime_config": {"parameters": parameters},
            "experiment_id": experiment,
        }
        return server.json("POST", f"{V2}/runs", body)["run_id"]

    experiments = [
        server.json("POST", f"{V2}/experiments", {"display_name": f"e{n}"})["experiment_id"] for n in range(6)
    ]
    made = [
        server.json("POST", f"{V2}/pipelines", {"name": f"p{n}", "tags": {"a": "b"}})["pipeline_id"] for n in range(6)
    ]
    for each in made:
        uploaded(server, specs["hello"], path="upload_version", name="v", pipelineid=each)
    ended = [run("hello", experiments[0], name=f"n{n}") for n in range(ENDED)]
    artifacts = [run("passes-on", experiments[0], text=f"text {n}") for n in range(4)]
    for each in (*ended, *artifacts):
        server.wait(each)
    folders = [folder / f"held{n}" for n in range(WAITING + LOST + 4)]
    for each in folders:
        each.mkdir()
    held = [run("held", experiments[0], folder=str(each)) for each in folders]
    _until(lambda: all((each / "started").exists() for each in folders))
    server.kill()
    for each in folders[: WAITING + 2]:
        (each / "go").touch()
    _until(lambda: all(list((home / "runs" / each).glob("*/outcome.json")) for each in held[: WAITING + 2]))
    end_hosts(home)
    shutil.rmtree(home / "hosts")
    for each in folders:
        (each / "go").touch()
    lost = held[WAITING + 2 :]
    return Home(
        ended, artifacts, held[:WAITING], lost[:LOST], [*held[WAITING : WAITING + 2], *lost[LOST:]], made, experiments
    )


def end_hosts(home: Path) -> None:
    for pid in step_hosts(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _until(lambda: not step_hosts(home))


def _until(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)


def spoil(home: Path, poisons: list[Poison]) -> None:
    """Apply them as a foreign hand would, that heeds no rules of the schema."""
    conn = sqlite3.connect(home / "lodestep.db", isolation_level=None)
    conn.text_factory = bytes
    conn.execute("PRAGMA ignore_check_constraints = ON")
    rules = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in rules:
        conn.execute(f"DROP TRIGGER {name.decode()}")
    for poison in poisons:
        poison.apply(conn, home)
    for _, text in rules:
        conn.execute(text.decode())
    conn.close()


# --- what can be spoilt


def poisons(home: Home, chance: random.Random, count: int) -> list[Poison]:
    """`count` poisons with a victim each, of all kinds in turn."""
    pools = {name: chance.sample(ids, len(ids)) for name, ids in home._asdict().items() if name != "healthy"}
    made: list[Poison] = []
    kinds = chance.sample(_KINDS, len(_KINDS))
    while len(made) < count:
        for pool, make in kinds:
            if pools[pool] and len(made) < count:
                made.append(make(pools[pool].pop(), chance))
        assert any(pools[pool] for pool, _ in kinds) or len(made) == count
    return made


def update(table: str, column: str, key: str, victim: str, value: Any) -> Callable[[sqlite3.Connection, Path], None]:
    def apply(conn: sqlite3.Connection, _: Path) -> None:
        stored = BAD_TEXT if value == BAD_TEXT else ":value"
        given = {"id": victim} if value == BAD_TEXT else {"id": victim, "value": value}
        conn.execute(f"UPDATE OR IGNORE {table} SET {column} = {stored} WHERE {key} = :id", given)

    return apply


_RUN = {
    "text": ["name", "description", "namespace", "service_account", "pipeline_name", "pipeline_id", "version_id"],
    "number": ["generation", "created_ms", "scheduled_ms", "started_ms", "ended_ms"],
    "json": ["runtime_config", "history", "failure"],
}
_HARD: dict[str, list[Any]] = {
    "text": [BAD_TEXT, b"\xff"],
    "number": ["yesterday", b"\xff", 1.5],
    "json": ["not json", "{", b"\xff\x00", "[[1]]", '{"kind": 7}', "5"],
}


def _row_of_ended(victim: str, chance: random.Random) -> Poison:
    kind = chance.choice(list(_RUN))
    column, value = chance.choice(_RUN[kind]), chance.choice(_HARD[kind])
    if (column, value) == ("runtime_config", '{"kind": 7}'):
        value = "[]"
    return Poison(f"run.{column} = {value!r}", victim, update("run", column, "id", victim, value), is_named=True)


def _odd_row(victim: str, chance: random.Random) -> Poison:
    """What the database can hold and nobody meant."""
    column = chance.choice(
        [*_RUN["text"], *_RUN["number"], "state", "storage_state", "experiment_id", "spec_digest", "header"]
    )
    value = chance.choice([-1, 2**62, -(2**63), "", "\x00", "x" * 100_000, "<script>", 5])
    return Poison(f"run.{column} = {str(value)[:20]!r}", victim, update("run", column, "id", victim, value))


def _open_row(victim: str, chance: random.Random) -> Poison:
    column = chance.choice(
        ["header", "spec_digest", "state", "history", "generation", "name", "runtime_config", "inline_spec"]
    )
    value = chance.choice([*GARBAGE, BAD_TEXT])
    return Poison(f"open run.{column} = {value!r}", victim, update("run", column, "id", victim, value))


def _header(victim: str, chance: random.Random) -> Poison:
    def apply(conn: sqlite3.Connection, _: Path) -> None:
        (data,) = conn.execute("SELECT header FROM run WHERE id = ?", (victim,)).fetchone()
        conn.execute("UPDATE run SET header = ? WHERE id = ?", (mutated(data, chance), victim))

    return Poison("header", victim, apply)


def _event(victim: str, chance: random.Random) -> Poison:
    def apply(conn: sqlite3.Connection, _: Path) -> None:
        found = conn.execute("SELECT seq, body FROM event WHERE run_id = ?", (victim,)).fetchall()
        seq, body = chance.choice(found)
        match chance.randrange(4):
            case 0:
                conn.execute("DELETE FROM event WHERE run_id = ? AND seq = ?", (victim, seq))
            case 1:
                garbage = chance.choice(GARBAGE)
                conn.execute("UPDATE event SET body = ? WHERE run_id = ? AND seq = ?", (garbage, victim, seq))
            case _:
                spoilt = mutated(body, chance)
                conn.execute("UPDATE event SET body = ? WHERE run_id = ? AND seq = ?", (spoilt, victim, seq))

    return Poison("event", victim, apply)


def _spec(victim: str, chance: random.Random) -> Poison:
    def apply(conn: sqlite3.Connection, _: Path) -> None:
        given = {"id": victim}
        digest, data = conn.execute(
            "SELECT digest, canonical FROM spec JOIN run ON run.spec_digest = digest WHERE id = :id", given
        ).fetchone()
        if chance.randrange(6) == 0:
            conn.execute("PRAGMA foreign_keys = OFF")
            conn.execute("DELETE FROM spec WHERE digest = ?", (digest,))
        else:
            conn.execute("UPDATE spec SET canonical = ? WHERE digest = ?", (mutated(data, chance), digest))

    return Poison("spec", victim, apply)


def _document(table: str) -> Callable[[str, random.Random], Poison]:
    def make(victim: str, chance: random.Random) -> Poison:
        def apply(conn: sqlite3.Connection, _: Path) -> None:
            row_id, data = chance.choice(
                conn.execute(f"SELECT id, doc FROM {table} WHERE run_id = ?", (victim,)).fetchall()
            )
            value = chance.choice([*GARBAGE, *[mutated(data, chance)] * 8])
            conn.execute(f"UPDATE {table} SET doc = ? WHERE id = ?", (value, row_id))

        return Poison(f"{table}.doc", victim, apply)

    return make


def _artifact(victim: str, chance: random.Random) -> Poison:
    def apply(conn: sqlite3.Connection, home: Path) -> None:
        ((row_id, uri),) = conn.execute("SELECT id, uri FROM artifact WHERE run_id = ?", (victim,)).fetchall()
        path = Path(uri.decode().removeprefix("file://"))
        if chance.randrange(3) == 0:
            _spoil_file(path, chance)
        else:
            column = chance.choice(["value", "uri", "size", "created_ms", "name", "run_id", "digest"])
            odd = [
                "file:///etc/passwd",
                "file://" + "/.." * 9 + "/etc/passwd",
                "s3://x/y",
                "/etc",
                f"file://{home}/lodestep.db",
            ]
            value = chance.choice([*GARBAGE, BAD_TEXT, 2**62, *odd])
            update("artifact", column, "id", row_id.decode(), value)(conn, home)

    return Poison("artifact", victim, apply)


def _cached(victim: str, chance: random.Random) -> Poison:
    return Poison("cache", victim, update("cache_entry", "outputs", "run_id", victim, chance.choice(GARBAGE)))


def _resource(table: str, columns: dict[str, list[str]]) -> Callable[[str, random.Random], Poison]:
    def make(victim: str, chance: random.Random) -> Poison:
        kind = chance.choice(list(columns))
        column, value = chance.choice(columns[kind]), chance.choice(_HARD[kind])
        key = "pipeline_id" if table == "pipeline_version" else "id"
        apply = update(table, column, key, victim, value)
        return Poison(f"{table}.{column} = {value!r}", victim, apply, is_run=False, is_named=True)

    return make


def _outcome(victim: str, chance: random.Random) -> Poison:
    def apply(_: sqlite3.Connection, home: Path) -> None:
        (path,) = (home / "runs" / victim).glob("*/outcome.json")
        if chance.randrange(2):
            _spoil_file(path, chance)
        else:
            path.write_bytes(mutated(path.read_bytes(), chance))

    return Poison("outcome", victim, apply)


def _file(victim: str, chance: random.Random) -> Poison:
    def apply(_: sqlite3.Connection, home: Path) -> None:
        found = sorted(path for path in (home / "runs" / victim).rglob("*") if path.is_file())
        if found:
            _spoil_file(chance.choice(found), chance)

    return Poison("file", victim, apply)


def _folder(victim: str, chance: random.Random) -> Poison:
    def apply(_: sqlite3.Connection, home: Path) -> None:
        run = home / "runs" / victim
        target = chance.choice([run, *[path for path in run.rglob("*") if path.is_dir()]])
        match chance.randrange(4):
            case 0:
                shutil.rmtree(target)
            case 1:
                shutil.rmtree(target)
                target.write_bytes(b"a file")
            case 2:
                shutil.rmtree(target)
                target.symlink_to("/etc")
            case _:
                for path in target.iterdir():
                    _spoil_file(path, chance)

    return Poison("folder", victim, apply)


def _spoil_file(path: Path, chance: random.Random) -> None:
    """A file cut short, replaced, or turned into something that is no file."""
    data = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    match chance.randrange(9):
        case 0:
            path.write_bytes(data[: len(data) // 2])
        case 1:
            path.write_bytes(b"")
        case 2:
            path.mkdir()
        case 3:
            path.write_bytes(os.urandom(0) + b"\xff\x00{[")
        case 4:
            path.symlink_to("/no/such/file")
        case 5:
            path.symlink_to("/etc/passwd")
        case 6:
            path.symlink_to("/dev/zero")
        case 7:
            os.mkfifo(path)
        case _:
            pass  # gone


_KINDS: list[tuple[str, Callable[[str, random.Random], Poison]]] = [
    ("ended", _row_of_ended),
    ("ended", _odd_row),
    ("ended", _document("task")),
    ("ended", _document("attempt")),
    ("ended", _event),
    ("ended", _spec),
    ("ended", _file),
    ("ended", _folder),
    ("ended", _cached),
    ("artifacts", _artifact),
    ("waiting", _open_row),
    ("waiting", _header),
    ("waiting", _event),
    ("waiting", _spec),
    ("waiting", _outcome),
    ("waiting", _outcome),
    ("waiting", _file),
    ("waiting", _folder),
    ("lost", _open_row),
    ("lost", _event),
    ("lost", _spec),
    ("lost", _document("task")),
    ("lost", _document("attempt")),
    ("lost", _file),
    ("lost", _folder),
    (
        "pipelines",
        _resource("pipeline", {"text": ["display_name", "description"], "json": ["tags"], "number": ["created_ms"]}),
    ),
    (
        "pipelines",
        _resource(
            "pipeline_version", {"text": ["display_name", "description", "code_source_url"], "number": ["created_ms"]}
        ),
    ),
    ("experiments", _resource("experiment", {"text": ["description"], "number": ["created_ms", "last_run_ms"]})),
]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The text of a JSON value, spoilt: as bytes, or in one place of the value."""
    match chance.randrange(5):
        case 0:
            return data[: chance.randrange(len(data) or 1)]
        case 1:
            spoilt = bytearray(data or b" ")
            for _ in range(chance.randrange(1, 4)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            return bytes(spoilt)
        case _:
            value = json.loads(data)
            _change(value, chance)
            return json.dumps(value).encode()


def _change(value: Any, chance: random.Random) -> None:
    """Put something else in the place of one part."""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        found = waiting.pop()
        keys = list(found) if isinstance(found, dict) else list(range(len(found)))
        places += [(found, key) for key in keys]
        waiting += [found[key] for key in keys if isinstance(found[key], dict | list)]
    if not places:
        return
    parent, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent["unknown"] = parent.pop(key)
        case _:
            parent[key] = chance.choice(
                [None, 5, -1, 1.5, "x", "", [], {}, [1], {"a": 1}, True, 2**62, "\x00", "../../x"]
            )
