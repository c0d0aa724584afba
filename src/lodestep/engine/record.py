"""A decision on its way into the store: events, and what they changed, in one transaction.

What is written is frozen before it is handed to the writer's thread, and the loop steps no run before that is done.
"""

from collections.abc import Callable

import msgspec

from lodestep import ids, jsonio
from lodestep.core.commands import Command, Decision, FinishRun
from lodestep.core.events import AttemptEnded, Event
from lodestep.core.model import ArtifactValue, Attempt, Failure, FailureKind, Moment, Task, TaskKind, Values
from lodestep.core.state import RunState
from lodestep.core.states import TASK_TERMINAL, RunStatus, TaskStatus
from lodestep.engine.book import OpenRun
from lodestep.errors import LodestepError
from lodestep.store import artifacts, cache, events, runs, tasks
from lodestep.store.db import Connection

_EXECUTED = (TaskKind.EXECUTOR, TaskKind.IMPORTER)


Also = Callable[[Connection], None]  # what the one who asked wants written in the same transaction


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be written of one run."""

    run_id: str
    namespace: str
    pipeline_name: str
    first_seq: int
    at_ms: int
    events: list[bytes]
    tasks: list[Task]
    attempts: list[Attempt]
    run: dict[str, object] | None
    also: list[Also]


class Change:
    """What the events of one turn led to in one run."""

    def __init__(self, opened: OpenRun) -> None:
        self.opened = opened
        self.events: list[bytes] = []
        self.commands: list[Command] = []
        self.also: list[Also] = []
        self._tasks: dict[str, Task] = {}
        self._attempts: dict[str, Attempt] = {}
        self._run_changed = False

    @property
    def ends_run(self) -> bool:
        return any(isinstance(command, FinishRun) for command in self.commands)

    def add(self, event: Event, decision: Decision) -> None:
        """Take in what an event led to. One that led to nothing leaves no trace."""
        if not (decision.tasks or decision.attempts or decision.commands or decision.run_changed):
            return
        self.events.append(jsonio.encode(event))
        self._tasks.update((task.id, task) for task in decision.tasks)
        self._attempts.update((attempt.id, attempt) for attempt in decision.attempts)
        self._run_changed = self._run_changed or decision.run_changed

    def freeze(self, at_ms: int) -> Unit:
        state = self.opened.state
        first = self.opened.next_seq
        self.opened.next_seq += len(self.events)
        return Unit(
            run_id=self.opened.run_id,
            namespace=state.header.namespace,
            pipeline_name=state.header.pipeline_name,
            first_seq=first,
            at_ms=at_ms,
            events=self.events,
            tasks=list(self._tasks.values()),
            attempts=list(self._attempts.values()),
            run=_run_of(state) if self._run_changed else None,
            also=self.also,
        )


def _run_of(state: RunState) -> dict[str, object]:
    """The columns of a run's row that its events move."""
    return {
        "state": state.status.value,
        "failure": jsonio.encode(state.failure) if state.failure else None,
        "generation": state.generation,
        "history": jsonio.encode(state.history),
        "started_ms": state.started_ms,
        "ended_ms": state.ended_ms,
    }


def write(conn: Connection, unit: Unit) -> tuple[str, int]:
    """Write a unit. Returns the run and its newest revision."""
    events.append(conn, unit.run_id, unit.first_seq, unit.events, unit.at_ms)
    rev = 0
    if unit.run is not None:
        rev = runs.update_state(conn, unit.run_id, **unit.run)  # pyright: ignore[reportArgumentType] - frozen above
    if unit.tasks:
        rev = tasks.upsert_tasks(conn, unit.tasks)
        tasks.upsert_attempts(conn, unit.run_id, unit.attempts)
    for task in unit.tasks:
        if task.kind in _EXECUTED and task.state in TASK_TERMINAL:
            _write_artifacts(conn, unit, task)
            _write_cache(conn, unit, task)
    for write_too in unit.also:
        write_too(conn)
    return unit.run_id, rev


def _write_artifacts(conn: Connection, unit: Unit, task: Task) -> None:
    inputs, outputs = task.inputs.artifacts, task.outputs.artifacts
    if inputs or outputs:
        artifacts.record(
            conn, unit.run_id, task.id, inputs=inputs, outputs=outputs, namespace=unit.namespace, at_ms=unit.at_ms
        )


def _write_cache(conn: Connection, unit: Unit, task: Task) -> None:
    if task.fingerprint and task.state is TaskStatus.SUCCEEDED and not task.cached_from:
        cache.put(
            conn,
            task.fingerprint,
            unit.namespace,
            unit.pipeline_name,
            task_id=task.id,
            run_id=unit.run_id,
            outputs=task.outputs,
            created_ms=unit.at_ms,
        )


def with_artifact_ids(event: Event) -> Event:
    """Give the artifacts of an ended attempt their ids: derived, so that an end that is seen twice names the same."""
    if not isinstance(event, AttemptEnded) or not event.outcome.outputs.artifacts:
        return event
    outputs = event.outcome.outputs
    named = {
        key: [_named(value, event, key, position) for position, value in enumerate(group)]
        for key, group in outputs.artifacts.items()
    }
    outcome = msgspec.structs.replace(event.outcome, outputs=Values(parameters=outputs.parameters, artifacts=named))
    return msgspec.structs.replace(event, outcome=outcome)


def _named(value: ArtifactValue, event: AttemptEnded, key: str, position: int) -> ArtifactValue:
    if value.id:
        return value
    artifact_id = ids.derived_id(event.attempt_id, key, str(position))
    return msgspec.structs.replace(value, id=artifact_id, producer_task_id=event.task_id, producer_key=key)


def mend(conn: Connection, state: RunState) -> None:
    """Have a run's row say what its events say, after something else has written it."""
    runs.update_state(conn, state.header.run_id, **_run_of(state))  # pyright: ignore[reportArgumentType] - as in `write`


PARKED = RunStatus.FAILED


def park(conn: Connection, run_id: str, error: Exception, at_ms: int) -> None:
    """End a run whose log or spec cannot be read or led to a bug of ours. Its log stays for whoever looks into it."""
    row = runs.get(conn, run_id, salvage=True)
    if row is None or runs.is_terminal(conn, run_id):
        return
    failure = Failure(
        kind=FailureKind.SYSTEM,
        message=f"the engine could not go on with this run: {error}",
        hint="this is a fault of Lodestep, or of its files: the server's log has the story",
        retryable=False,
    )
    history = [Moment(PARKED, at_ms, failure.message)]
    try:
        history = [*jsonio.decode_as(row.history, list[Moment]), *history]
    except (LodestepError, TypeError):
        pass  # the row is what is damaged; its end must be written all the same
    runs.park(
        conn,
        run_id,
        state=PARKED,
        failure=jsonio.encode(failure),
        history=jsonio.encode(history),
        ended_ms=at_ms,
    )
