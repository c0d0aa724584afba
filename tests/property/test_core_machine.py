"""Laws of the machine, for random pipelines: order does not matter, repetition does not matter, an end is an end."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from lodestep import jsonio
from lodestep.core import check, machine, plan
from lodestep.core.commands import Command, Launch, LookUpCache, StartTimer
from lodestep.core.events import AttemptEnded, CacheAnswered, CancelRequested, Event, RunStarted, TimerFired
from lodestep.core.model import Failure, FailureKind, Outcome, RunHeader
from lodestep.core.states import TASK_TERMINAL, AttemptStatus
from lodestep.testing.sim_pipelines import pipeline
from lodestep.testing.sim_script import SimScript

SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=120, deadline=None)


class Trip:
    """One way through a pipeline: whatever is outstanding ends in an order of its own."""

    def __init__(self, seed: int) -> None:
        self.script = SimScript(seed, trouble=0.25)
        self.document = pipeline(Random(seed))
        header = RunHeader(run_id="r", name="n", pipeline_name="p", resource_name="p-1", spec_digest="")
        self.state = machine.new_state(header, plan.build(self.document))
        self.failed: dict[str, int] = {}
        self.fed: list[Event] = []
        self.left_terminal: list[str] = []

    def step(self, event: Event) -> list[Command]:
        self.fed.append(event)
        decision = machine.step(self.state, event)
        self.left_terminal += [t.task_id for t in decision.transitions if t.before in TASK_TERMINAL and t.task_id]
        return decision.commands

    def run(self, order: Random, *, repeat: bool = False, cancel_at: int = -1) -> "Trip":
        waiting = self.step(RunStarted(at_ms=1))
        while waiting:
            if len(self.fed) == cancel_at:
                waiting += self.step(CancelRequested(at_ms=1))
            command = waiting.pop(order.randrange(len(waiting)))
            event = self.event(command)
            if event is not None:
                waiting += self.step(event)
            if repeat:
                before = check.snapshot(self.state)
                for old in order.sample(self.fed, min(3, len(self.fed))):
                    decision = machine.step(self.state, old)
                    assert not decision.commands
                    assert not decision.tasks
                assert check.snapshot(self.state) == before
        assert self.state.terminal
        return self

    def event(self, command: Command) -> Event | None:
        match command:
            case LookUpCache():
                return CacheAnswered(at_ms=1, task_id=command.task_id)
            case StartTimer():
                return TimerFired(at_ms=1, timer=command.timer)
            case Launch():
                return AttemptEnded(
                    at_ms=1, attempt_id=command.attempt_id, task_id=command.task_id, outcome=self.outcome(command)
                )
            case _:
                return None

    def outcome(self, launch: Launch) -> Outcome:
        task = self.state.tasks[launch.task_id]
        failures = self.failed.get(task.id, 0)
        if failures < self.script.failures(task.path):
            self.failed[task.id] = failures + 1
            failure = Failure(kind=FailureKind.EXIT, message="exit code 1")
            return Outcome(state=AttemptStatus.FAILED, failure=failure)
        component = self.state.plan.component_of(task)
        outputs = self.script.outputs(task.path, task.inputs, component)
        return Outcome(state=AttemptStatus.SUCCEEDED, outputs=outputs)

    def end(self) -> dict[str, bytes]:
        """All that does not depend on when something happened."""
        return {
            task.path: jsonio.canonical([task.state, task.skip, task.outputs.parameters, task.outputs.artifacts])
            for task in self.state.tasks.values()
        }


@FEW
@given(SEEDS, SEEDS, SEEDS)
def test_the_order_in_which_tasks_end_does_not_matter(seed: int, one: int, other: int) -> None:
    assert Trip(seed).run(Random(one)).end() == Trip(seed).run(Random(other)).end()


@FEW
@given(SEEDS, SEEDS)
def test_events_that_are_repeated_change_nothing(seed: int, order: int) -> None:
    Trip(seed).run(Random(order), repeat=True)


@FEW
@given(SEEDS, SEEDS, st.integers(-1, 30))
def test_what_has_ended_stays_so_unless_the_run_is_retried(seed: int, order: int, cancel_at: int) -> None:
    assert Trip(seed).run(Random(order), cancel_at=cancel_at).left_terminal == []


@FEW
@given(SEEDS, SEEDS)
def test_a_replay_is_the_same_to_the_last_bit(seed: int, order: int) -> None:
    trip = Trip(seed).run(Random(order))
    log = [jsonio.decode_as(jsonio.encode(event), Event) for event in trip.fed]
    again = machine.replay(trip.state.header, trip.state.plan, log)
    assert check.snapshot(again) == check.snapshot(trip.state)
