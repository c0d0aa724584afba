"""Rows and values for the store's tests, and what runs units against a store."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from lodestep.core.model import ArtifactValue, Attempt, Task, TaskKind, Values
from lodestep.core.states import AttemptStatus, TaskStatus
from lodestep.store import experiments, runs, specs
from lodestep.store.db import Connection
from lodestep.store.rows import ExperimentRow, PipelineRow, RunRow, VersionRow
from lodestep.store.store import Store

T = TypeVar("T")

SPEC = b'{"pipeline_spec":{"root":{}}}'


def write(store: Store, unit: Callable[[Connection], T], *, durable: bool = False) -> T:
    async def go() -> T:
        return await store.write(unit, durable=durable)

    return asyncio.run(go())


def together(store: Store, *units: Callable[[Connection], Any]) -> list[Any]:
    """Run units in one group of the writer; what each gave or raised."""

    async def go() -> list[Any]:
        return await asyncio.gather(*(store.write(unit) for unit in units), return_exceptions=True)

    return asyncio.run(go())


def run(number: int = 0, **changes: Any) -> RunRow:
    row = RunRow(
        id=f"run-{number:07}",
        name=f"train {number}",
        experiment_id="exp-1",
        spec_digest="d1",
        pipeline_name="p",
        created_ms=1000 + number,
        scheduled_ms=1000 + number,
    )
    return msgspec.structs.replace(row, **changes)


def experiment(number: int = 1, **changes: Any) -> ExperimentRow:
    row = ExperimentRow(id=f"exp-{number}", name=f"experiment {number}", created_ms=1000 + number)
    return msgspec.structs.replace(row, **changes)


def pipeline(number: int = 1, **changes: Any) -> PipelineRow:
    row = PipelineRow(id=f"pipe-{number}", name=f"pipeline {number}", created_ms=1000 + number)
    return msgspec.structs.replace(row, **changes)


def version(number: int = 1, **changes: Any) -> VersionRow:
    row = VersionRow(
        id=f"ver-{number}",
        pipeline_id="pipe-1",
        name=f"v{number}",
        spec_digest="d1",
        created_ms=1000 + number,
    )
    return msgspec.structs.replace(row, **changes)


def task(number: int = 0, run_id: str = "run-0000000", **changes: Any) -> Task:
    made = Task(
        id=f"{run_id}-task-{number:06}",
        run_id=run_id,
        path=f"loop[{number}]/train",
        name="train",
        display_name="train",
        kind=TaskKind.EXECUTOR,
        component="comp-train",
        parent_id="loop",
        iteration=number,
        state=TaskStatus.WAITING,
        inputs=Values(parameters={"n": number}),
        created_ms=1000 + number,
    )
    return msgspec.structs.replace(made, **changes)


def attempt(number: int = 1, task_id: str = "run-0000000-task-000000", **changes: Any) -> Attempt:
    made = Attempt(id=f"{task_id}-{number}", task_id=task_id, number=number, generation=0, state=AttemptStatus.CREATED)
    return msgspec.structs.replace(made, **changes)


def artifact(number: int = 1, **changes: Any) -> ArtifactValue:
    made = ArtifactValue(
        id=f"art-{number}", name=f"data {number}", type="system.Dataset", uri=f"file:///a/{number}", size=3
    )
    return msgspec.structs.replace(made, **changes)


def seed(conn: Connection, rows: Sequence[RunRow] = ()) -> None:
    """A spec, an experiment and some runs."""
    specs.put(conn, "d1", SPEC)
    experiments.insert(conn, experiment())
    for row in rows:
        runs.insert(conn, row)


def end_run(conn: Connection, run_id: str, state: str = "SUCCEEDED", generation: int = 0) -> int:
    return runs.update_state(
        conn,
        run_id,
        state=state,
        failure=None,
        generation=generation,
        history=b"[]",
        started_ms=1,
        ended_ms=2,
    )


class Predicate(msgspec.Struct, frozen=True):
    key: str
    operation: str
    values: list[Any]


class Sort(msgspec.Struct, frozen=True):
    field: str
    descending: bool


class Query(msgspec.Struct, frozen=True):
    predicates: list[Predicate]
    sort: Sort
    page_size: int
    cursor: tuple[Any, str] | None


def where(key: str, operation: str, values: list[Any]) -> Predicate:
    return Predicate(key, operation, values)


def asked(
    predicates: Sequence[Predicate] = (),
    *,
    sort: str = "created_at",
    descending: bool = False,
    size: int = 20,
    cursor: tuple[Any, str] | None = None,
) -> Query:
    return Query(list(predicates), Sort(sort, descending), size, cursor)
