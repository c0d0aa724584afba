"""No field of a step that names a path, a volume, a secret or a place leads the server outside its roots."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lodestep.config import Settings
from lodestep.engine import emulate, launching
from lodestep.engine.book import Book
from lodestep.engine.secrets import KeyedFiles
from lodestep.spec import validate
from tests.security import paths_corpus, watch
from tests.security.paths_corpus import CANARY
from tests.security.paths_rig import Step, document, get, post, run, tree
from tests.security.rig import Served, serving

IN_ENV = "IN_ENV"
DATASET = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
STRING = {"parameterType": "STRING"}
MADE = {"artifacts": {"made": DATASET}}


class Place(NamedTuple):
    served: Served
    home: Path
    outside: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("steps")
    home, outside = folder / "home", folder / "outside"
    outside.mkdir()
    (outside / "canary").write_text(CANARY)
    for path in (home / "secrets" / "gold" / "key", home / "configmaps" / "gold" / "key"):
        path.parent.mkdir(parents=True)
        path.write_text("gold")
    with serving(home, cache=False) as served:
        yield Place(served, home, outside)


def leaks(place: Place, steps: list[Step], *, root: str = "") -> list[str]:
    """What a run of these steps made the server touch, change or tell outside its home."""
    before = tree(place.outside.parent)
    with watch.outside(place.home) as touched:
        tasks = run(place.served, steps, root=root)
    made = {name for name in set(tree(place.outside.parent)) ^ set(before) if not name.startswith(place.home.name)}
    found = [*touched, *(f"made or removed {name}" for name in made)]
    return found + [f"told by {task['name']}" for task in tasks if CANARY in repr(task)]


def names(place: Place) -> list[str]:
    return [name for name in paths_corpus.names(place.outside) if "\ud800" not in name]


def _secret(name: str, key: str) -> dict[str, Any]:
    return {"secretAsEnv": [{"secretName": name, "keyToEnv": [{"secretKey": key, "envVar": IN_ENV}]}]}


def _config_map(name: str, key: str) -> dict[str, Any]:
    return {"configMapAsEnv": [{"configMapName": name, "keyToEnv": [{"configMapKey": key, "envVar": IN_ENV}]}]}


FIELDS: dict[str, Any] = {
    "secret name": lambda name: _secret(name, "key"),
    "secret key": lambda name: _secret("gold", name),
    "config map name": lambda name: _config_map(name, "key"),
    "config map key": lambda name: _config_map("gold", name),
    "secret volume": lambda name: {"secretAsVolume": [{"secretName": name, "mountPath": "/mnt/x"}]},
    "config map volume": lambda name: {"configMapAsVolume": [{"configMapName": name, "mountPath": "/mnt/x"}]},
    "claim": lambda name: {"pvcMount": [{"constant": name, "mountPath": "/mnt/x"}]},
    "sub path": lambda name: {"pvcMount": [{"constant": "claim", "mountPath": "/mnt/x", "subPath": name}]},
}


@pytest.mark.parametrize("field", FIELDS)
def test_no_setting_leads_outside(place: Place, field: str) -> None:
    assert leaks(place, [Step(platform=FIELDS[field](name)) for name in names(place)]) == []


def test_settings_that_name_what_is_there_are_taken(place: Place) -> None:
    """Else the refusals above would prove nothing."""
    good = {"secret key": "key", "config map key": "key", "claim": "claim", "sub path": "below/it"}
    steps = [Step(platform=make(good.get(field, "gold"))) for field, make in FIELDS.items()]
    tasks = [task for task in run(place.served, steps) if task.get("path")]
    assert [task["state"] for task in tasks] == ["SUCCEEDED"] * len(FIELDS), tasks


@pytest.mark.parametrize("image", ["argostub/createpvc", "argostub/deletepvc"])
def test_no_volume_is_made_or_removed_outside(place: Place, image: str) -> None:
    executor = {"container": {"image": image}}
    outputs = {"parameters": {"name": STRING}} if image.endswith("createpvc") else {}
    steps = [Step(executor=executor, outputs=outputs, inputs={"pvc_name": name}) for name in names(place) if name]
    assert leaks(place, steps) == []
    assert (place.home / "lodestep.db").exists()
    assert (place.home / "secrets" / "gold" / "key").exists()


def _named(kind: str, name: str, file: str = "") -> Step:
    """A step whose own name, or whose output's, is `name`."""
    if kind == "task":
        return Step(name=name, outputs={**MADE, "parameters": {"said": STRING}})
    return Step(name=file, outputs={kind: {name: DATASET if kind == "artifacts" else STRING}})


@pytest.mark.parametrize("kind", ["task", "artifacts", "parameters"])
def test_no_name_of_a_task_or_an_output_leads_outside(place: Place, kind: str) -> None:
    """Those that would are refused; the others, in one run, are names of files and no more."""
    taken: list[Step] = []
    for number, name in enumerate(names(place)):
        if not name and kind == "task":
            continue
        step = _named(kind, name, f"step-{number}")
        status, _ = post(place.served, "/apis/lodestep/v1/preflight", {"pipeline_spec": document([step])})
        assert status in (200, 400, 413), name
        assert status != 200 or "/" not in name, name
        taken += [step] if status == 200 else []
    assert len(taken) > 10
    assert leaks(place, taken) == []


@pytest.mark.parametrize("scheme", ["s3://", "minio://", "gs://", "mlpipeline://", "", "x:", "s3:/", "://"])
def test_no_root_of_an_object_store_leads_outside(tmp_path: Path, scheme: str) -> None:
    settings = Settings(home=str(tmp_path))
    launcher = launching.Launcher(book=Book.__new__(Book), settings=settings)  # which it does not look into here
    for name in paths_corpus.names(Path("/outside")):
        if scheme or not name.startswith("/"):
            root = launcher.local_root(f"{scheme}{name}")
            assert ".." not in root.parts, name
            assert root.is_relative_to(tmp_path / "artifacts"), name


def test_a_root_that_seems_to_climb_is_a_folder_below_the_home(place: Place) -> None:
    for root in ("s3://bucket/../../../../outside", "../../outside", "s3://../../../outside"):
        assert leaks(place, [Step(outputs=MADE)], root=root) == []


def test_importing_opens_nothing_and_what_was_imported_is_not_served(place: Place) -> None:
    uris = [uri for uri in paths_corpus.uris(place.home / "artifacts", place.outside, place.home) if uri]
    steps = [
        Step(
            executor={
                "importer": {
                    "artifactUri": {"constant": uri},
                    "typeSchema": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
                }
            },
            outputs=MADE,
        )
        for uri in uris
    ]
    assert leaks(place, steps) == []
    ids: list[str] = []
    token = ""
    while not ids or token:
        page = get(place.served, f"/apis/lodestep/v1/artifacts?page_size=200&page_token={token}")
        ids += [artifact["artifact_id"] for artifact in page["artifacts"]]
        token = page.get("next_page_token", "")
    assert len(ids) >= 400
    with watch.outside(place.home / "artifacts") as touched:
        for artifact_id in ids:
            target = f"/apis/lodestep/v1/artifacts/{artifact_id}:download"
            head = f"GET {target} HTTP/1.1\r\nHost: localhost:{place.served.port}\r\n\r\n"
            answer = place.served.wire.ask(head.encode())
            assert answer.status in (200, 403, 404)  # some are folders that other tests made below the home
            assert CANARY.encode() not in answer.body
    assert touched == []


def test_names_that_are_not_checked_are_found_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "_file_names", lambda *_given: iter(()))
    climb = "../" * 20 + str(place.outside)[1:]
    for kind in ("artifacts", "parameters"):
        found = leaks(place, [_named(kind, f"{climb}/canary", "step")])
        assert any(line.startswith(("open ", "told ")) for line in found), (kind, found)
    assert leaks(place, [_named("task", f"{climb}/made")]) != []


def test_weaker_checks_are_found_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    climb = "../../outside"
    monkeypatch.setattr(KeyedFiles, "_checked", lambda _self, name: name)
    found = leaks(place, [Step(platform=_secret(climb, "canary"))])
    assert any("outside" in line for line in found), found

    def unchecked(self: emulate.Emulation, name: str) -> Path:
        folder = Path(os.path.normpath(self._volumes / name))
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    monkeypatch.setattr(emulate.Emulation, "volume", unchecked)
    found = leaks(place, [Step(platform=FIELDS["claim"](f"{climb}/claimed"))])
    assert any("made or removed" in line for line in found), found
