"""Lists: every row once whatever happens meanwhile, the filters' meaning, totals, and what they cost."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lodestep.clock import ManualClock
from lodestep.errors import InvalidInput
from lodestep.store import artifacts, db, experiments, listing, migrate, pipelines, runs, specs, tasks
from lodestep.store.db import Connection
from lodestep.store.rows import RunRow
from lodestep.store.store import Store
from tests.conformance.store import made
from tests.conformance.store.made import asked, where

_STATES = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]
_TEXTS = ["", "a", "A", "%", "_", "!", "a%b", "a_b", "a!b", "x' OR '1'='1", "ü", "\\", '"']


def _walk(conn: Connection, query: Any, **scope: Any) -> tuple[list[RunRow], int]:
    """All pages of a list, one after the other."""
    found: list[RunRow] = []
    cursor: Any = None
    while True:
        rows, total, cursor = runs.page(conn, msgspec.structs.replace(query, cursor=cursor), **scope)
        assert len(rows) <= query.page_size
        found += rows
        if cursor is None:
            return found, total


_rows = st.lists(
    st.builds(
        made.run,
        st.just(0),
        name=st.sampled_from(_TEXTS),
        description=st.sampled_from(_TEXTS),
        experiment_id=st.sampled_from(["exp-1", "exp-2"]),
        namespace=st.sampled_from(["", "team"]),
        storage_state=st.sampled_from(["AVAILABLE", "ARCHIVED"]),
        state=st.sampled_from(_STATES),
        created_ms=st.integers(0, 5),
        ended_ms=st.integers(0, 3),
    ),
    max_size=25,
)
_TEXT_FIELDS = {"name": "name", "description": "description", "state": "state", "storage_state": "storage_state"}
_MEANING: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda a, b: a == b,
    "NOT_EQUALS": lambda a, b: a != b,
    "GREATER_THAN": lambda a, b: a > b,
    "GREATER_THAN_EQUALS": lambda a, b: a >= b,
    "LESS_THAN": lambda a, b: a < b,
    "LESS_THAN_EQUALS": lambda a, b: a <= b,
}
_predicates = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["name", "state", "storage_state"]),
            st.sampled_from(sorted(_MEANING)),
            st.sampled_from([*_TEXTS, *_STATES, "AVAILABLE"]).map(lambda text: [text]),
        ),
        st.tuples(st.just("created_at"), st.sampled_from(sorted(_MEANING)), st.integers(0, 5).map(lambda n: [n])),
        st.tuples(
            st.sampled_from(["name", "state", "experiment_id"]),
            st.just("IN"),
            st.lists(st.sampled_from([*_TEXTS, *_STATES, "exp-1"]), min_size=1, max_size=4),
        ),
        st.tuples(
            st.sampled_from(["name", "description"]),
            st.just("IS_SUBSTRING"),
            st.sampled_from(_TEXTS).map(lambda t: [t]),
        ),
    ),
    max_size=3,
)
_COLUMNS = {**runs.FIELDS}


def _matches(row: RunRow, predicate: tuple[str, str, list[Any]]) -> bool:
    key, operation, values = predicate
    stored = getattr(row, _COLUMNS[key])
    if operation == "IN":
        return stored in values
    if operation == "IS_SUBSTRING":
        return _folded(values[0]) in _folded(stored)
    return _MEANING[operation](stored, values[0])


def _folded(text: str) -> str:
    """Substrings are looked for without regard to the case of ASCII letters."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=_rows,
    predicates=_predicates,
    sort=st.sampled_from(sorted(runs.FIELDS)),
    descending=st.booleans(),
    size=st.integers(1, 10),
    experiment_id=st.sampled_from([None, "exp-1"]),
    namespace=st.sampled_from([None, "team"]),
)
def test_lists_mean_what_a_plain_search_means(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[RunRow],
    predicates: list[tuple[str, str, list[Any]]],
    sort: str,
    descending: bool,
    size: int,
    experiment_id: str | None,
    namespace: str | None,
) -> None:
    rows = [msgspec.structs.replace(row, id=f"{place * 7 % 26:02}") for place, row in enumerate(rows)]
    conn = sqlite3.connect(":memory:", isolation_level=None)
    for statement in migrate.statements(migrate.released()[0]):
        conn.execute(statement)
    made.seed(conn, rows)
    query = asked([where(*each) for each in predicates], sort=sort, descending=descending, size=size)
    found, total = _walk(conn, query, experiment_id=experiment_id, namespace=namespace)
    conn.close()

    expected = [
        row
        for row in rows
        if all(_matches(row, predicate) for predicate in predicates)
        and experiment_id in (None, row.experiment_id)
        and namespace in (None, row.namespace)
    ]
    expected.sort(key=lambda row: (getattr(row, _COLUMNS[sort]), row.id), reverse=descending)
    assert [row.id for row in found] == [row.id for row in expected]
    assert total == len(expected)


def test_every_row_is_shown_once_while_others_come_and_go(store: Store) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(number) for number in range(100)]))
    seen: list[str] = []
    query = asked(size=7, descending=True)
    step = 0
    while True:
        rows, _, cursor = store.read_now(lambda conn, query=query: runs.page(conn, query))
        seen += [row.id for row in rows]
        if cursor is None:
            break
        query = msgspec.structs.replace(query, cursor=cursor)
        step += 1
        last = seen[-1]

        def meanwhile(conn: Connection, last: str = last, step: int = step) -> None:
            runs.insert(conn, made.run(1000 + step))
            runs.delete(conn, last)  # the very row that the next page goes on from

        made.write(store, meanwhile)
    assert seen == [f"run-{number:07}" for number in reversed(range(100))]


def test_totals_follow_every_change(store: Store) -> None:
    def total(*predicates: Any, **scope: Any) -> int:
        return store.read_now(lambda conn: runs.page(conn, asked(predicates), **scope))[1]

    made.write(store, lambda conn: made.seed(conn, [made.run(n, experiment_id=f"exp-{n % 2}") for n in range(10)]))
    assert total() == 10
    assert total(experiment_id="exp-1") == 5
    assert total(namespace="team") == 0
    made.write(store, lambda conn: made.end_run(conn, "run-0000001", "FAILED"))
    made.write(store, lambda conn: runs.set_storage_state(conn, "run-0000001", "ARCHIVED"))
    assert total(where("state", "EQUALS", ["FAILED"])) == 1
    assert total(where("state", "IN", ["FAILED", "PENDING"]), experiment_id="exp-1") == 5
    assert total(where("storage_state", "NOT_EQUALS", ["ARCHIVED"])) == 9
    assert total(where("experiment_id", "EQUALS", ["exp-1"]), where("storage_state", "EQUALS", ["AVAILABLE"])) == 4
    made.write(store, lambda conn: runs.delete(conn, "run-0000001"))
    assert total(where("state", "EQUALS", ["FAILED"])) == 0
    assert total() == 9
    assert store.check() == []


def test_a_tag_is_found_by_its_very_key_and_value(store: Store) -> None:
    def unit(conn: Connection) -> None:
        for number, tags in enumerate([{"team": "a"}, {"team": "b"}, {'we"ird.': "a"}, {}]):
            pipelines.insert(conn, made.pipeline(number, tags=tags))

    made.write(store, unit)

    def found(key: str, value: str) -> list[str]:
        query = asked([where(f"tags.{key}", "EQUALS", [value])])
        return [row.id for row in store.read_now(lambda conn: pipelines.page(conn, query))[0]]

    assert found("team", "a") == ["pipe-0"]
    assert found('we"ird.', "a") == ["pipe-2"]
    assert found("tea", "a") == []
    assert found("team", "") == []


def test_an_unknown_field_is_refused_and_the_known_ones_are_named(store: Store) -> None:
    for query in (asked([where("pipeline", "EQUALS", ["p"])]), asked(sort="pipeline")):
        with pytest.raises(InvalidInput, match=r"pipeline.*created_at"):
            store.read_now(lambda conn, query=query: runs.page(conn, query))


def test_values_never_become_part_of_a_statement(store: Store) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(0)]))
    texts: list[str] = []
    hostile = "SENTINEL'; DROP TABLE run; --"

    class Listening:
        def __init__(self, conn: Connection) -> None:
            self._conn = conn

        def execute(self, text: str, *given: Any) -> Any:
            texts.append(text)
            return self._conn.execute(text, *given)

    predicates = [where("name", operation, [hostile]) for operation in (*_MEANING, "IN", "IS_SUBSTRING")]
    query = asked([*predicates, where(f"tags.{hostile}", "EQUALS", [hostile])], cursor=(hostile, hostile))
    plain = asked(predicates, cursor=(hostile, hostile))
    store.read_now(lambda conn: runs.page(Listening(conn), plain, experiment_id=hostile, namespace=hostile))  # pyright: ignore[reportArgumentType]
    store.read_now(lambda conn: pipelines.page(Listening(conn), query, namespace=hostile))  # pyright: ignore[reportArgumentType]
    assert len(texts) == 4
    assert not [text for text in texts if "SENTINEL" in text]


def _plans(store: Store, work: Callable[[Any], Any]) -> list[str]:
    """What the database says of how it answers each query of `work`."""
    plans: list[str] = []

    class Explaining:
        def __init__(self, conn: Connection) -> None:
            self._conn = conn

        def execute(self, text: str, given: Any = ()) -> Any:
            plans.extend(row[3] for row in self._conn.execute(f"EXPLAIN QUERY PLAN {text}", given))
            return self._conn.execute(text, given)

    store.read_now(lambda conn: work(Explaining(conn)))
    assert plans
    return plans


_AVAILABLE = ("storage_state", "EQUALS", ["AVAILABLE"])
_CURSOR: Any = (1000, "x")
_DEFAULT_LISTS: Sequence[Callable[[Any], Any]] = [
    *(
        lambda conn, s=scope, p=predicates, d=descending: runs.page(
            conn, asked([where(*each) for each in p], descending=d, cursor=_CURSOR), **s
        )
        for scope in ({}, {"experiment_id": "exp-1"}, {"namespace": "n"})
        for predicates in ([], [_AVAILABLE])
        for descending in (False, True)
    ),
    *(
        lambda conn, s=sort: runs.page(conn, asked(sort=s, descending=True, cursor=("x", "y")))
        for sort in ("name", "state", "created_at", "scheduled_at", "finished_at", "run_id")
    ),
    lambda conn: runs.page(conn, asked([where("state", "EQUALS", ["FAILED"])], descending=True, cursor=_CURSOR)),
    lambda conn: runs.page(conn, asked([where("recurring_run_id", "EQUALS", ["r"])], cursor=_CURSOR)),
    lambda conn: experiments.page(conn, asked(cursor=_CURSOR)),
    lambda conn: experiments.page(conn, asked(cursor=_CURSOR), namespace="n"),
    lambda conn: experiments.page(conn, asked(sort="last_run_created_at", descending=True, cursor=_CURSOR)),
    lambda conn: pipelines.page(conn, asked(cursor=_CURSOR)),
    lambda conn: pipelines.page(conn, asked(cursor=_CURSOR), namespace="n"),
    lambda conn: pipelines.page_of_versions(conn, "p", asked(descending=True, cursor=_CURSOR)),
    lambda conn: pipelines.newest_version(conn, "p"),
    lambda conn: artifacts.page(conn, asked(cursor=_CURSOR)),
    lambda conn: artifacts.page(conn, asked(cursor=_CURSOR), namespace="n"),
    lambda conn: artifacts.page(conn, asked(cursor=_CURSOR), run_id="r"),
    lambda conn: tasks.of_run(conn, "r"),
    lambda conn: tasks.of_run(conn, "r", after_rev=5),
    lambda conn: tasks.page(conn, "r", after=5),
    lambda conn: tasks.page(conn, "r", parent_id="p", after=5),
    lambda conn: runs.changed_after(conn, 5),
]


@pytest.mark.parametrize("place", range(len(_DEFAULT_LISTS)))
def test_no_usual_list_scans_or_sorts(store: Store, place: int) -> None:
    plans = _plans(store, _DEFAULT_LISTS[place])
    # Counting walks an index of one column's worth; a table is never walked, and nothing is sorted.
    bad = [plan for plan in plans if plan.startswith("SCAN") and "USING" not in plan and "counted" not in plan]
    assert [plan for plan in bad if "run_count" not in plan and "chosen" not in plan] == []
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []


def test_the_check_of_plans_catches_a_missing_index(store: Store) -> None:
    made.write(store, lambda conn: conn.execute("DROP INDEX run_created"))
    plans = _plans(store, lambda conn: runs.page(conn, asked(cursor=_CURSOR)))
    assert [plan for plan in plans if "TEMP B-TREE" in plan]


@pytest.mark.budget
def test_a_page_among_many_runs_costs_little(tmp_path: Path) -> None:
    """20,000 here, so that the test is short; the plans above are why it stays so at a million."""
    store = Store.open(tmp_path, ManualClock())
    made.write(store, lambda conn: made.seed(conn, [made.run(number) for number in range(20_000)]))
    query = asked(size=100, descending=True)
    laps: list[float] = []
    for _ in range(60):
        start = time.thread_time()
        rows, total, cursor = store.read_now(lambda conn, query=query: runs.page(conn, query, namespace=""))
        laps.append(time.thread_time() - start)
        assert (len(rows), total) == (100, 20_000)
        query = msgspec.structs.replace(query, cursor=cursor)
    store.close()
    laps.sort()
    assert laps[30] < 0.002
    assert laps[58] < 0.010


def test_a_count_goes_only_so_far(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made.write(store, lambda conn: made.seed(conn, [made.run(number) for number in range(30)]))
    monkeypatch.setattr(listing, "COUNTED_TO", 20)
    assert store.read_now(lambda conn: runs.page(conn, asked([where("name", "IS_SUBSTRING", ["train"])])))[1] == 20
    assert store.read_now(lambda conn: runs.page(conn, asked()))[1] == 30


def test_inline_specs_come_with_the_page(store: Store) -> None:
    def unit(conn: Connection) -> None:
        made.seed(conn, [made.run(0, inline_spec=True), made.run(1)])
        specs.put(conn, "d2", b"{}")
        runs.insert(conn, made.run(2, inline_spec=True, spec_digest="d2"))

    made.write(store, unit)
    rows = store.read_now(lambda conn: runs.page(conn, asked(), with_specs=True))[0]
    assert [row.spec for row in rows] == [made.SPEC, None, b"{}"]
    assert [row.spec for row in store.read_now(lambda conn: runs.page(conn, asked()))[0]] == [None] * 3


def test_the_file_is_never_opened_by_other_means(store: Store) -> None:
    """Closing any other descriptor of the file would drop the locks of all connections of the process."""
    opened: list[str] = []
    source = "".join(path.read_text() for path in Path(db.__file__).parent.glob("*.py"))
    opened += [line for line in source.splitlines() if "open(" in line and "path" in line and "db." not in line]
    assert [line.strip() for line in opened if "os.open(path, os.O_RDWR" not in line] == []
