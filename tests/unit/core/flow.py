"""Drives the machine by hand: feed an event, look at the decision.

Every step is checked: the invariants hold, the decision names every task that changed, and a replay of what has been
fed gives the same state.
"""

from typing import Any

from lodestep import jsonio
from lodestep.core import check, machine, plan
from lodestep.core.commands import Cancel, Command, Decision, Launch, LookUpCache, StartTimer
from lodestep.core.events import (
    AttemptEnded,
    AttemptStarted,
    CacheAnswered,
    CancelRequested,
    Event,
    RetryRequested,
    RunStarted,
    TimerFired,
)
from lodestep.core.model import ArtifactValue, CacheHit, Failure, FailureKind, Outcome, RunHeader, Task, Values
from lodestep.core.state import task_id
from lodestep.core.states import AttemptStatus
from lodestep.spec import load
from lodestep.spec.document import PipelineDocument

Json = dict[str, Any]
START_MS = 1_700_000_000_000
INT = {"parameterType": "NUMBER_INTEGER"}
TEXT = {"parameterType": "STRING"}
LIST = {"parameterType": "LIST"}
STRUCT = {"parameterType": "STRUCT"}
STATUS = {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}
DATASET = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
ALWAYS = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}


def leaf(
    inputs: Json | None = None, outputs: Json | None = None, *, artifacts: Json | None = None, makes: Json | None = None
) -> Json:
    """A component that runs something."""
    return {
        "executorLabel": "exec",
        "inputDefinitions": {"parameters": inputs or {}, "artifacts": artifacts or {}},
        "outputDefinitions": {"parameters": outputs or {}, "artifacts": makes or {}},
    }


def dag(
    tasks: Json,
    inputs: Json | None = None,
    outputs: Json | None = None,
    artifacts: Json | None = None,
    *,
    kind: Json = LIST,
) -> Json:
    """A component that is a DAG. `outputs`: name → (task, output) or a list of them (one of), all of type `kind`."""
    parameters: Json = {}
    for name, source in (outputs or {}).items():
        many = [
            {"producerSubtask": t, "outputParameterKey": k} for t, k in (source if isinstance(source, list) else [])
        ]
        parameters[name] = (
            {"valueFromOneof": {"parameterSelectors": many}}
            if many
            else {"valueFromParameter": {"producerSubtask": source[0], "outputParameterKey": source[1]}}
        )
    return {
        "inputDefinitions": {"parameters": inputs or {}, "artifacts": artifacts or {}},
        "dag": {"tasks": tasks, "outputs": {"parameters": parameters}},
        "outputDefinitions": {"parameters": dict.fromkeys(parameters, kind)},
    }


def task(component: str, *after: str, condition: str = "", **inputs: Any) -> Json:
    """A task; an input is a constant, `parent("x")`, `out("task", "key")` or a source in full."""
    found: Json = {"componentRef": {"name": component}, "dependentTasks": list(after)}
    found["inputs"] = {"parameters": {name.replace("__", "-"): _source(value) for name, value in inputs.items()}}
    if condition:
        found["triggerPolicy"] = {"condition": condition}
    return found


def _source(value: Any) -> Json:
    if isinstance(value, dict) and value.keys() & _SOURCES:
        return value
    return {"runtimeValue": {"constant": value}}


_SOURCES = {"componentInputParameter", "taskOutputParameter", "taskFinalStatus", "runtimeValue"}


def parent(name: str, selector: str = "") -> Json:
    return {"componentInputParameter": name} | ({"parameterExpressionSelector": selector} if selector else {})


def out(producer: str, key: str = "Output") -> Json:
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}


def status_of(producer: str) -> Json:
    return {"taskFinalStatus": {"producerTask": producer}}


def loop(component: str, items: Any, item: str = "item", *after: str, limit: int = 0, **inputs: Any) -> Json:
    """A loop over a list, or over the input that `items` (a source) fills."""
    found = task(component, *after, **inputs)
    over: Json = {"raw": jsonio.encode_text(items)}
    if isinstance(items, dict):
        found["inputs"]["parameters"]["all"] = items
        over = {"inputParameter": "all"}
    found["parameterIterator"] = {"items": over, "itemInput": item}
    if limit:
        found["iteratorPolicy"] = {"parallelismLimit": limit}
    return found


def pipeline(tasks: Json, inputs: Json | None = None, outputs: Json | None = None, **components: Json) -> Json:
    """A pipeline with the components `plain` (no inputs), `int` (x) and those given (`_` stands for `-`)."""
    known = {"plain": leaf(outputs={"Output": INT}), "int": leaf({"x": INT}, {"Output": INT})}
    return {
        "pipelineInfo": {"name": "tested"},
        "schemaVersion": "2.1.0",
        "components": known | {name.replace("_", "-"): component for name, component in components.items()},
        "deploymentSpec": {"executors": {"exec": {"container": {"image": "none", "command": ["true"]}}}},
        "root": dag(tasks, inputs, outputs),
    }


class Flow:
    """A run of a pipeline, started."""

    def __init__(
        self, document: Json | PipelineDocument, parameters: Json | None = None, *, started: bool = True, **header: Any
    ) -> None:
        loaded = document if isinstance(document, PipelineDocument) else load.from_wire(document)
        self.header = RunHeader(
            run_id="run-1",
            name="a run",
            pipeline_name="tested",
            resource_name="tested-abcde",
            spec_digest=loaded.digest,
            created_ms=START_MS,
            parameters=parameters or {},
            **header,
        )
        self.plan = plan.build(loaded)
        self.state = machine.new_state(self.header, self.plan)
        self.events: list[Event] = []
        self.at_ms = START_MS
        self.last = Decision()
        if started:
            self.feed(RunStarted(at_ms=self.now()))

    def now(self) -> int:
        self.at_ms += 1000
        return self.at_ms

    def feed(self, event: Event) -> Decision:
        before = {key: jsonio.encode(found) for key, found in self.state.tasks.items()}
        self.events.append(event)
        self.last = machine.step(self.state, event)
        check.invariants(self.state)
        named = {found.id for found in self.last.tasks}
        changed = {key for key, found in self.state.tasks.items() if before.get(key) != jsonio.encode(found)}
        assert changed <= named
        again = machine.replay(self.header, self.plan, self.events)
        assert check.snapshot(again) == check.snapshot(self.state)
        return self.last

    def task(self, path: str) -> Task:
        return self.state.tasks[task_id("run-1", path)]

    def states(self) -> dict[str, str]:
        return {found.path: found.state.value for found in self.state.tasks.values() if found.path}

    def attempt(self, path: str) -> str:
        return self.task(path).attempts[-1].id

    def begin(self, path: str) -> Decision:
        return self.feed(AttemptStarted(at_ms=self.now(), attempt_id=self.attempt(path), task_id=self.task(path).id))

    def end(self, path: str, state: AttemptStatus, *, failure: Failure | None = None, **outputs: Any) -> Decision:
        found = Values()
        for name, value in outputs.items():
            if isinstance(value, ArtifactValue):
                found.artifacts[name] = [value]
            else:
                found.parameters[name] = value
        outcome = Outcome(state=state, outputs=found, failure=failure, ended_ms=self.now())
        return self.feed(
            AttemptEnded(at_ms=self.at_ms, attempt_id=self.attempt(path), task_id=self.task(path).id, outcome=outcome)
        )

    def ok(self, *paths: str, **outputs: Any) -> Decision:
        """These tasks succeed, in this order."""
        for path in paths:
            self.end(path, AttemptStatus.SUCCEEDED, **(outputs or {"Output": 1}))
        return self.last

    def fail(self, path: str, *, retryable: bool = True) -> Decision:
        failure = Failure(kind=FailureKind.EXIT, message="exit code 3", exit_code=3, retryable=retryable)
        return self.end(path, AttemptStatus.FAILED, failure=failure)

    def lose(self, path: str) -> Decision:
        failure = Failure(kind=FailureKind.LOST, message="the step host died")
        return self.end(path, AttemptStatus.LOST, failure=failure)

    def miss(self, path: str) -> Decision:
        return self.feed(CacheAnswered(at_ms=self.now(), task_id=self.task(path).id, reason="nothing found"))

    def hit(self, path: str, **outputs: Any) -> Decision:
        hit = CacheHit(task_id="earlier", run_id="run-0", outputs=Values(parameters=outputs))
        answer = CacheAnswered(at_ms=self.now(), task_id=self.task(path).id, hit=hit, reason="taken from run-0")
        return self.feed(answer)

    def fire(self) -> Decision:
        timer = next(node.timer for node in self.state.nodes.values() if node.timer)
        return self.feed(TimerFired(at_ms=self.now(), timer=timer.timer))

    def cancel(self) -> Decision:
        return self.feed(CancelRequested(at_ms=self.now(), reason="a person asked for it"))

    def retry(self) -> Decision:
        return self.feed(RetryRequested(at_ms=self.now()))

    def launched(self) -> list[str]:
        """The paths that the last decision launches."""
        return [self.state.tasks[c.task_id].path for c in self.last.commands if isinstance(c, Launch)]

    def asked(self) -> list[str]:
        return [self.state.tasks[c.task_id].path for c in self.last.commands if isinstance(c, LookUpCache)]

    def cancelled(self) -> list[str]:
        return [self.state.tasks[c.task_id].path for c in self.last.commands if isinstance(c, Cancel)]

    def timers(self) -> list[StartTimer]:
        return [command for command in self.last.commands if isinstance(command, StartTimer)]

    def outstanding(self) -> list[Command]:
        return machine.outstanding(self.state)
