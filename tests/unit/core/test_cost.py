"""The work of an event does not grow with the run. Counted in calls, for a clock would lie on a busy machine."""

import gc
import sys
from types import FrameType
from typing import Any

from lodestep.core import machine, plan
from lodestep.core.commands import Launch
from lodestep.core.events import AttemptEnded, Event, RunStarted
from lodestep.core.model import Outcome, RunHeader, Values
from lodestep.core.states import AttemptStatus
from lodestep.spec import load
from tests.unit.core.flow import INT, Json, dag, loop, out, parent, pipeline, task

SUCCESS = Outcome(state=AttemptStatus.SUCCEEDED, outputs=Values(parameters={"Output": 1}))


class Counter:
    """Runs a pipeline to its end, and counts the calls of every event."""

    def __init__(self, document: Json) -> None:
        made = plan.build(load.from_wire(document))
        header = RunHeader(run_id="r", name="n", pipeline_name="p", resource_name="p-1", spec_digest="")
        self.state = machine.new_state(header, made)
        self.calls: list[int] = []
        waiting = self.step(RunStarted(at_ms=1))
        while waiting:
            launch = waiting.pop(0)
            end = AttemptEnded(at_ms=2, attempt_id=launch.attempt_id, task_id=launch.task_id, outcome=SUCCESS)
            waiting += self.step(end)
        assert self.state.status == "SUCCEEDED"

    def step(self, event: Event) -> list[Launch]:
        self.calls.append(0)
        gc.disable()  # what others have left to collect would be counted here
        sys.setprofile(self.count)
        decision = machine.step(self.state, event)
        sys.setprofile(None)
        gc.enable()
        return [command for command in decision.commands if isinstance(command, Launch)]

    def count(self, frame: FrameType, what: str, argument: Any) -> None:
        if what == "call":
            self.calls[-1] += 1

    @property
    def most(self) -> int:
        """Without the first event, which opens the run, and the last, which ends it."""
        return max(self.calls[1:-1])


def chain(length: int) -> Json:
    tasks = {"t0": task("int", x=1)} | {f"t{i}": task("int", x=out(f"t{i - 1}")) for i in range(1, length)}
    return pipeline(tasks)


def wide(items: int) -> Json:
    body = dag({"t": task("int", x=parent("item"))}, {"item": INT}, {"o": ("t", "Output")})
    return pipeline({"l": loop("body", list(range(items)))}, body=body)


def test_a_step_of_a_chain_costs_the_same_in_a_long_one() -> None:
    assert Counter(chain(400)).most == Counter(chain(20)).most


def test_an_iteration_costs_the_same_in_a_wide_loop() -> None:
    narrow, wider = Counter(wide(1100)), Counter(wide(4400))
    assert wider.most == narrow.most
    assert sum(wider.calls) < 4.1 * sum(narrow.calls)
