"""Each resource: what is put in comes out, what clashes is named, what is removed is gone."""

import msgspec
import pytest

from lodestep import jsonio
from lodestep.core.model import Failure, FailureKind, Moment, Values
from lodestep.core.states import AttemptStatus, TaskStatus
from lodestep.errors import AlreadyExists, FailedPrecondition, InvalidInput, InvariantError, NotFound
from lodestep.store import (
    artifacts,
    cache,
    events,
    experiments,
    pipelines,
    requests,
    revisions,
    runs,
    specs,
    tasks,
)
from lodestep.store.db import Connection
from lodestep.store.store import Store
from tests.conformance.store import made

RUN = "run-0000000"


@pytest.fixture
def seeded(store: Store) -> Store:
    made.write(store, lambda conn: made.seed(conn, [made.run(0), made.run(1)]))
    return store


def test_an_experiment_comes_back(store: Store) -> None:
    row = made.experiment(7, description="d", namespace="team", last_run_ms=5)
    made.write(store, lambda conn: experiments.insert(conn, row))
    assert store.read_now(lambda conn: experiments.get(conn, row.id)) == row
    assert store.read_now(lambda conn: experiments.by_name(conn, row.name, "team")) == row
    assert store.read_now(lambda conn: experiments.by_name(conn, row.name)) is None
    assert store.read_now(lambda conn: experiments.get(conn, "other")) is None


def test_an_experiment_changes_and_goes(store: Store) -> None:
    def unit(conn: Connection) -> None:
        experiments.insert(conn, made.experiment(1))
        experiments.set_storage_state(conn, "exp-1", "ARCHIVED")
        experiments.note_run(conn, "exp-1", 20)
        experiments.note_run(conn, "exp-1", 10)
        row = experiments.get(conn, "exp-1")
        assert row
        assert (row.storage_state, row.last_run_ms) == ("ARCHIVED", 20)
        experiments.delete(conn, "exp-1")
        assert experiments.get(conn, "exp-1") is None
        with pytest.raises(NotFound, match="exp-1"):
            experiments.delete(conn, "exp-1")
        with pytest.raises(NotFound, match="exp-1"):
            experiments.set_storage_state(conn, "exp-1", "AVAILABLE")

    made.write(store, unit)


def test_names_are_unique_in_their_namespace(store: Store) -> None:
    def unit(conn: Connection) -> None:
        made.seed(conn)
        experiments.insert(conn, made.experiment(2, name="experiment 1", namespace="team"))
        with pytest.raises(AlreadyExists, match="experiment with the name 'experiment 1'"):
            experiments.insert(conn, made.experiment(3, name="experiment 1"))
        pipelines.insert(conn, made.pipeline(1))
        pipelines.insert(conn, made.pipeline(2, name="pipeline 1", namespace="team"))
        with pytest.raises(AlreadyExists, match="pipeline with the name 'pipeline 1' exists in namespace 'team'"):
            pipelines.insert(conn, made.pipeline(3, name="pipeline 1", namespace="team"))
        pipelines.insert_version(conn, made.version(1))
        pipelines.insert_version(conn, made.version(2, name="v1", pipeline_id="pipe-2"))
        with pytest.raises(AlreadyExists, match="pipeline 'pipe-1' has a version with the name 'v1'"):
            pipelines.insert_version(conn, made.version(3, name="v1"))

    made.write(store, unit)


def test_a_pipeline_and_its_versions_come_back(store: Store) -> None:
    tags = {"team": "vision", 'odd "key"': "ü"}

    def unit(conn: Connection) -> None:
        made.seed(conn)
        specs.put(conn, "d2", b"{}")
        pipelines.insert(conn, made.pipeline(1, tags=tags))
        pipelines.insert_version(conn, made.version(1, tags=tags))
        pipelines.insert_version(conn, made.version(2, spec_digest="d2"))

    made.write(store, unit)
    found = store.read_now(lambda conn: pipelines.get(conn, "pipe-1"))
    assert found == made.pipeline(1, tags=tags)
    assert store.read_now(lambda conn: pipelines.by_name(conn, "pipeline 1")) == found
    version = store.read_now(lambda conn: pipelines.get_version(conn, "ver-1"))
    assert version == made.version(1, tags=tags, spec=made.SPEC)
    newest = store.read_now(lambda conn: pipelines.newest_version(conn, "pipe-1"))
    assert newest
    assert (newest.id, newest.spec) == ("ver-2", b"{}")
    assert store.read_now(lambda conn: pipelines.version_by_name(conn, "pipe-1", "v1")) == version
    assert store.read_now(lambda conn: pipelines.newest_version(conn, "pipe-9")) is None


def test_a_pipeline_changes_and_goes(store: Store) -> None:
    def unit(conn: Connection) -> None:
        made.seed(conn)
        specs.put(conn, "d2", b"{}")
        pipelines.insert(conn, made.pipeline(1))
        pipelines.insert_version(conn, made.version(1, spec_digest="d2"))
        pipelines.insert_version(conn, made.version(2, spec_digest="d2"))
        pipelines.update(conn, "pipe-1", display_name="New", tags={"a": "b"})
        pipelines.update_version(conn, "ver-1", display_name="New", tags={})
        assert pipelines.get(conn, "pipe-1") == made.pipeline(1, display_name="New", tags={"a": "b"})
        with pytest.raises(FailedPrecondition, match="2 versions"):
            pipelines.delete(conn, "pipe-1")
        pipelines.delete_version(conn, "ver-1")
        assert specs.get(conn, "d2") == b"{}"
        pipelines.delete(conn, "pipe-1", cascade=True)
        assert specs.get(conn, "d2") is None
        for missing in (
            lambda: pipelines.delete(conn, "pipe-1"),
            lambda: pipelines.delete_version(conn, "ver-1"),
            lambda: pipelines.update(conn, "pipe-1", display_name="", tags={}),
            lambda: pipelines.update_version(conn, "ver-1", display_name="", tags={}),
        ):
            with pytest.raises(NotFound, match=r"pipe-1|ver-1"):
                missing()

    made.write(store, unit)


def test_a_run_comes_back_with_its_inline_spec_on_demand(store: Store) -> None:
    failure = jsonio.encode(Failure(kind=FailureKind.EXIT, message="m"))
    row = made.run(5, inline_spec=True, runtime_config=b'{"parameters":{"a":1}}', failure=failure, history=b"[]")
    made.write(store, lambda conn: made.seed(conn, [row, made.run(6)]))
    found = store.read_now(lambda conn: runs.get(conn, row.id))
    assert found == msgspec.structs.replace(row, rev=1)
    with_spec = store.read_now(lambda conn: runs.get(conn, row.id, with_spec=True))
    assert with_spec == msgspec.structs.replace(row, rev=1, spec=made.SPEC)
    referred = store.read_now(lambda conn: runs.get(conn, made.run(6).id, with_spec=True))
    assert referred
    assert referred.spec is None


def test_every_change_of_a_run_has_a_greater_revision(seeded: Store) -> None:
    def unit(conn: Connection) -> list[int]:
        return [
            made.end_run(conn, RUN, "RUNNING"),
            tasks.upsert_tasks(conn, [made.task(0)]),
            runs.set_storage_state(conn, RUN, "ARCHIVED"),
            runs.insert(conn, made.run(2)),
        ]

    revs = made.write(seeded, unit)
    assert revs == sorted(set(revs))
    assert seeded.read_now(revisions.newest) == revs[-1]
    changed = seeded.read_now(lambda conn: runs.changed_after(conn, revs[0]))
    assert [row.id for row in changed] == [RUN, "run-0000002"]


def test_open_runs_are_those_that_have_not_ended(seeded: Store) -> None:
    assert seeded.read_now(runs.open_ids) == [RUN, "run-0000001"]
    made.write(seeded, lambda conn: made.end_run(conn, RUN))
    assert seeded.read_now(runs.open_ids) == ["run-0000001"]
    assert seeded.read_now(lambda conn: runs.is_terminal(conn, RUN))
    assert not seeded.read_now(lambda conn: runs.is_terminal(conn, "run-0000001"))
    with pytest.raises(NotFound):
        seeded.read_now(lambda conn: runs.is_terminal(conn, "none"))
    assert seeded.read_now(runs.counts) == {"SUCCEEDED": 1, "PENDING": 1}


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"])
def test_an_ended_run_moves_only_in_a_new_generation(seeded: Store, state: str) -> None:
    made.write(seeded, lambda conn: made.end_run(conn, RUN, state))
    with pytest.raises(InvariantError, match="new generation"):
        made.write(seeded, lambda conn: made.end_run(conn, RUN, "RUNNING"))
    made.write(seeded, lambda conn: made.end_run(conn, RUN, state))
    made.write(seeded, lambda conn: made.end_run(conn, RUN, "RUNNING", generation=1))
    with pytest.raises(InvariantError, match="new generation"):
        made.write(seeded, lambda conn: made.end_run(conn, RUN, "RUNNING", generation=0))


def test_an_unknown_run_cannot_be_changed(seeded: Store) -> None:
    for change in (
        lambda conn: made.end_run(conn, "none"),
        lambda conn: runs.set_storage_state(conn, "none", "ARCHIVED"),
        lambda conn: runs.delete(conn, "none"),
    ):
        with pytest.raises(NotFound, match="'none'"):
            made.write(seeded, change)


def test_a_state_that_no_run_has_is_refused(seeded: Store) -> None:
    with pytest.raises(InvariantError):
        made.write(seeded, lambda conn: made.end_run(conn, RUN, "DONE"))


def test_archiving_an_experiment_s_runs(seeded: Store) -> None:
    made.write(seeded, lambda conn: runs.insert(conn, made.run(2, experiment_id="exp-2")))
    assert made.write(seeded, lambda conn: runs.archive_all_of(conn, "exp-1")) == [RUN, "run-0000001"]
    assert made.write(seeded, lambda conn: runs.archive_all_of(conn, "exp-1")) == []
    other = seeded.read_now(lambda conn: runs.get(conn, "run-0000002"))
    assert other
    assert other.storage_state == "AVAILABLE"


def test_a_task_comes_back_with_its_attempts(seeded: Store) -> None:
    failure = Failure(kind=FailureKind.SIGNAL, message="killed", signal=9)
    first = made.attempt(1, state=AttemptStatus.FAILED, failure=failure, ended_ms=5)
    second = made.attempt(2, generation=1)
    task = made.task(
        0, state=TaskStatus.RUNNING, history=[Moment("RUNNING", 4, "it can")], outputs=Values(parameters={"x": [1]})
    )
    task.attempts = [first]

    def unit(conn: Connection) -> None:
        tasks.upsert_tasks(conn, [task])
        tasks.upsert_attempts(conn, RUN, [first, second])

    made.write(seeded, unit)
    assert task.attempts == [first]
    expected = msgspec.structs.replace(task, attempts=[first, second])
    assert seeded.read_now(lambda conn: tasks.get(conn, task.id)) == expected
    assert seeded.read_now(lambda conn: tasks.of_run(conn, RUN)) == [expected]
    assert seeded.read_now(lambda conn: tasks.get(conn, "none")) is None
    assert seeded.read_now(lambda conn: tasks.counts(conn, RUN)) == {"RUNNING": 1}


@pytest.mark.parametrize("count", [0, 1, 3, 4, 15, 63, 64, 65, 149, 1000])
def test_any_number_of_tasks_is_written_and_changed(seeded: Store, count: int) -> None:
    given = [made.task(number) for number in range(count)]
    made.write(seeded, lambda conn: tasks.upsert_tasks(conn, given))
    assert seeded.read_now(lambda conn: tasks.of_run(conn, RUN)) == given
    changed = [msgspec.structs.replace(task, state=TaskStatus.PENDING) for task in reversed(given)]
    made.write(seeded, lambda conn: tasks.upsert_tasks(conn, changed))
    assert seeded.read_now(lambda conn: tasks.of_run(conn, RUN)) == changed[::-1]


def test_tasks_are_read_page_by_page_and_by_what_changed(seeded: Store) -> None:
    given = [made.task(number, parent_id="a" if number % 3 else "b") for number in range(100)]
    first = made.write(seeded, lambda conn: tasks.upsert_tasks(conn, given))
    again = msgspec.structs.replace(given[7], state=TaskStatus.PENDING)
    made.write(seeded, lambda conn: tasks.upsert_tasks(conn, [again]))
    given[7] = again
    assert seeded.read_now(lambda conn: tasks.of_run(conn, RUN, after_rev=first)) == [again]

    def all_pages(parent_id: str | None) -> list[str]:
        found: list[str] = []
        after: int | None = 0
        while after is not None:
            place = after
            some, after = seeded.read_now(
                lambda conn, place=place: tasks.page(conn, RUN, parent_id=parent_id, after=place, limit=10)
            )
            found += [task.id for task in some]
        return found

    assert all_pages(None) == [task.id for task in given]
    assert all_pages("b") == [task.id for task in given if task.parent_id == "b"]


def test_an_ended_attempt_changes_no_more(seeded: Store) -> None:
    ended = made.attempt(1, state=AttemptStatus.SUCCEEDED, ended_ms=9)

    def unit(conn: Connection) -> None:
        tasks.upsert_tasks(conn, [made.task(0)])
        tasks.upsert_attempts(conn, RUN, [made.attempt(1)])
        tasks.upsert_attempts(conn, RUN, [ended])
        tasks.upsert_attempts(conn, RUN, [ended])  # the same again: let through, nothing changes

    made.write(seeded, unit)
    for late in (
        msgspec.structs.replace(ended, state=AttemptStatus.FAILED),
        msgspec.structs.replace(ended, ended_ms=10),
        msgspec.structs.replace(ended, state=AttemptStatus.RUNNING),
    ):
        with pytest.raises(InvariantError, match="an attempt that has ended changes no more"):
            made.write(seeded, lambda conn, late=late: tasks.upsert_attempts(conn, RUN, [late]))


def test_a_task_has_one_attempt_of_a_number(seeded: Store) -> None:
    made.write(seeded, lambda conn: tasks.upsert_tasks(conn, [made.task(0)]))
    made.write(seeded, lambda conn: tasks.upsert_attempts(conn, RUN, [made.attempt(1)]))
    with pytest.raises(AlreadyExists, match=r"attempt\.number"):
        made.write(seeded, lambda conn: tasks.upsert_attempts(conn, RUN, [made.attempt(1, id="another")]))


def test_a_succeeded_task_moves_no_more_but_a_failed_one_may(seeded: Store) -> None:
    made.write(
        seeded,
        lambda conn: tasks.upsert_tasks(
            conn, [made.task(0, state=TaskStatus.SUCCEEDED), made.task(1, state=TaskStatus.FAILED)]
        ),
    )
    with pytest.raises(InvariantError, match="moves no more"):
        made.write(seeded, lambda conn: tasks.upsert_tasks(conn, [made.task(0)]))
    made.write(seeded, lambda conn: tasks.upsert_tasks(conn, [made.task(1)]))


def test_events_are_a_log(seeded: Store) -> None:
    made.write(seeded, lambda conn: events.append(conn, RUN, 1, [b"a", b"b"], 5))
    made.write(seeded, lambda conn: events.append(conn, RUN, 3, [b"c"], 6))
    assert seeded.read_now(lambda conn: events.of_run(conn, RUN)) == [b"a", b"b", b"c"]
    assert seeded.read_now(lambda conn: events.of_run(conn, RUN, after_seq=2)) == [b"c"]
    with pytest.raises(AlreadyExists):
        made.write(seeded, lambda conn: events.append(conn, RUN, 3, [b"other"], 6))


def test_the_cache_gives_the_newest_first_and_keeps_to_its_scope(store: Store) -> None:
    outputs = Values(parameters={"x": 1}, artifacts={"model": [made.artifact()]})

    def unit(conn: Connection) -> None:
        for number, (pipeline, namespace) in enumerate([("p", ""), ("p", ""), ("q", ""), ("p", "team")]):
            cache.put(
                conn,
                "f",
                namespace,
                pipeline,
                task_id=f"t{number}",
                run_id=f"r{number}",
                outputs=outputs,
                created_ms=number,
            )
        cache.put(conn, "f", "", "p", task_id="t0", run_id="r0", outputs=outputs, created_ms=9)

    made.write(store, unit)
    found = store.read_now(lambda conn: cache.find(conn, "f", "", "p", limit=5))
    assert [(entry.task_id, entry.created_ms) for entry in found] == [("t0", 9), ("t1", 1)]
    assert found[0].outputs == outputs
    assert len(store.read_now(lambda conn: cache.find(conn, "f", "", "p"))) == 1
    made.write(store, lambda conn: cache.delete(conn, "r0"))
    assert [e.task_id for e in store.read_now(lambda conn: cache.find(conn, "f", "", "p"))] == ["t1"]
    assert store.read_now(lambda conn: cache.find(conn, "g", "", "p")) == []


def test_artifacts_and_who_made_and_took_them(seeded: Store) -> None:
    one, two = made.artifact(1, metadata={"a": [1]}), made.artifact(2)

    def unit(conn: Connection) -> None:
        tasks.upsert_tasks(conn, [made.task(0), made.task(1)])
        artifacts.record(conn, RUN, made.task(0).id, outputs={"data": [one], "more": [two]}, namespace="n", at_ms=7)
        artifacts.record(conn, RUN, made.task(1).id, inputs={"data": [one], "plain": [made.artifact(9, id="")]})
        artifacts.record(conn, RUN, made.task(1).id, inputs={"data": [one]})  # written again at its end

    made.write(seeded, unit)
    found = seeded.read_now(lambda conn: artifacts.get(conn, "art-1"))
    assert found
    assert (found.run_id, found.task_id, found.key, found.uri, found.created_ms) == (
        RUN,
        made.task(0).id,
        "data",
        one.uri,
        7,
    )
    assert jsonio.decode_as(found.value, type(one)) == one
    assert [a.id for a in seeded.read_now(lambda conn: artifacts.of_run(conn, RUN))] == ["art-1", "art-2"]
    assert [a.id for a in seeded.read_now(lambda conn: artifacts.by_uri(conn, two.uri))] == ["art-2"]
    links = seeded.read_now(lambda conn: artifacts.links_of(conn, "art-1"))
    assert [(link.task_id, link.kind, link.key) for link in links] == [
        (made.task(0).id, "OUTPUT", "data"),
        (made.task(1).id, "INPUT", "data"),
    ]
    assert len(seeded.read_now(lambda conn: artifacts.links_of_run(conn, RUN))) == 3
    assert seeded.read_now(lambda conn: artifacts.get(conn, "none")) is None


def test_an_answer_is_kept_with_its_effect(store: Store) -> None:
    def put(conn: Connection) -> None:
        requests.put(conn, "k", "POST /runs", digest="d", status=200, headers={"x": "y"}, body=b"{}", created_ms=5)

    made.write(store, put)
    found = store.read_now(lambda conn: requests.find(conn, "k", "POST /runs", digest="d"))
    assert found
    assert (found.status, found.headers, found.body) == (200, {"x": "y"}, b"{}")
    assert store.read_now(lambda conn: requests.find(conn, "k", "POST /pipelines")) is None
    with pytest.raises(InvalidInput, match="'k' was used for another request"):
        store.read_now(lambda conn: requests.find(conn, "k", "POST /runs", digest="other"))
    with pytest.raises(AlreadyExists):
        made.write(store, put)
    assert made.write(store, lambda conn: requests.sweep(conn, 5)) == 0
    assert made.write(store, lambda conn: requests.sweep(conn, 6)) == 1


def test_deleting_a_run_leaves_nothing_of_it_and_all_of_others(seeded: Store) -> None:
    def fill(conn: Connection) -> None:
        specs.put(conn, "own", b"{}")
        runs.insert(conn, made.run(2, spec_digest="own", inline_spec=True))
        for run_id in ("run-0000001", "run-0000002"):
            task = made.task(0, run_id)
            tasks.upsert_tasks(conn, [task])
            tasks.upsert_attempts(conn, run_id, [made.attempt(1, task.id)])
            events.append(conn, run_id, 1, [b"e"], 0)
            own, shared = made.artifact(1, id=f"{run_id}-own"), made.artifact(2)
            artifacts.record(conn, run_id, task.id, outputs={"own": [own], "shared": [shared]})
            cache.put(conn, "f", "", "p", task_id=task.id, run_id=run_id, outputs=Values(), created_ms=0)

    made.write(seeded, fill)
    made.write(seeded, lambda conn: runs.delete(conn, "run-0000002"))

    def left(conn: Connection) -> dict[str, int]:
        names = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}

    counts = seeded.read_now(left)
    assert {name: counts[name] for name in ("run", "task", "attempt", "event", "cache_entry", "spec")} == {
        "run": 2,
        "task": 1,
        "attempt": 1,
        "event": 1,
        "cache_entry": 1,
        "spec": 1,
    }
    kept = seeded.read_now(lambda conn: artifacts.of_run(conn, "run-0000001"))
    assert [artifact.id for artifact in kept] == ["art-2", "run-0000001-own"]
    made.write(seeded, lambda conn: runs.delete(conn, "run-0000001"))
    assert seeded.read_now(left)["artifact"] == 0
    assert seeded.check() == []


def test_check_names_what_dangles(seeded: Store) -> None:
    def spoil(conn: Connection) -> None:
        made.end_run(conn, RUN)
        tasks.upsert_tasks(conn, [made.task(0)])
        tasks.upsert_tasks(conn, [made.task(1, state=TaskStatus.FAILED, parent_id="")])
        tasks.upsert_attempts(conn, RUN, [made.attempt(1, made.task(1).id)])
        events.append(conn, "run-0000001", 2, [b"e"], 0)
        artifacts.record(conn, RUN, "no-task", outputs={"a": [made.artifact()]})
        cache.put(conn, "f", "", "p", task_id="no-task", run_id=RUN, outputs=Values(), created_ms=0)
        conn.execute("UPDATE run_count SET n = n + 1 WHERE experiment_id = '*' AND state = 'PENDING'")

    made.write(seeded, spoil)
    assert {(problem.table, problem.message) for problem in seeded.check()} == {
        ("run", "it has moved on, but has no events"),
        ("run", "it has ended, but a task of it has not"),
        ("run", "its events are not numbered without a gap"),
        ("task", "its parent is gone"),
        ("attempt", "it has not ended, but its task has"),
        ("artifact_task", "its task is gone"),
        ("cache_entry", "its task is gone"),
        ("run_count", "the count of runs is wrong"),
    }
