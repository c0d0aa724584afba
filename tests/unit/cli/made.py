"""Tasks as the server answers them."""

from typing import Any

from lodestep.cli.wire import Artifact, Attempt, Failure, Task, Values

T0 = 1_700_000_000_000


def task(
    path: str, *, parent: str | None = None, kind: str = "executor", state: str = "SUCCEEDED", **fields: Any
) -> Task:
    """A task whose id is its path. The parent is what stands before the last slash, unless given."""
    name = path.rpartition("/")[2] or "root"
    above = path.rpartition("/")[0] if parent is None else parent
    begun = state not in ("WAITING", "PENDING", "SKIPPED")
    ended = state in ("SUCCEEDED", "FAILED", "CANCELED")
    values: dict[str, Any] = {
        "started_ms": T0 if begun else 0,
        "ended_ms": T0 + 1200 if ended else 0,
        "attempts": [Attempt(number=1, state=state)] if begun and kind == "executor" else [],
        **fields,
    }
    return Task(
        id=path or "root",
        path=path,
        name=name.partition("[")[0],
        kind=kind,
        parent_id="" if kind == "root" else above or "root",
        state=state,
        **values,
    )


def root(state: str = "RUNNING", **fields: Any) -> Task:
    return task("", kind="root", state=state, **fields)


def loop(path: str, states: list[str]) -> list[Task]:
    """A loop with one step in each iteration."""
    done = all(state == "SUCCEEDED" for state in states)
    tasks = [task(path, kind="loop", state="SUCCEEDED" if done else "RUNNING", iterations=len(states))]
    for number, state in enumerate(states):
        place = f"{path}[{number}]"
        tasks.append(task(place, parent=path, kind="iteration", state=state, iteration=number))
        tasks.append(
            task(f"{place}/train", parent=place, state=state, failure=failure() if state == "FAILED" else None)
        )
    return tasks


def failure(message: str = "ValueError: bad wine", **fields: Any) -> Failure:
    return Failure(kind="user_code", message=message, **fields)


def outputs(artifacts: dict[str, Artifact] | None = None, **parameters: Any) -> Values:
    return Values(parameters=parameters, artifacts={key: [value] for key, value in (artifacts or {}).items()})
