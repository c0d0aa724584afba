"""The simulator: random pipelines, a world full of trouble, and everything that must hold checked after every event.

One seed is one story: a random pipeline is run by the real machine in a world that ends attempts in any order, loses
some, repeats events, brings them late or for the wrong run, cancels and retries at any moment, and crashes: then the
state is thrown away, rebuilt from the event log, compared with the one that was lost, and what is outstanding is
asked for again. In the end the run must agree with `reference`, which knows nothing of all this.

    story = simulate(seed)        # raises SimulationError, whose text tells the story
"""

from random import Random

import msgspec

from lodestep import jsonio
from lodestep.core import check, machine, plan
from lodestep.core.commands import Cancel, Command, Decision, FinishRun, Launch, LookUpCache, StartTimer
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
from lodestep.core.model import (
    Attempt,
    CacheHit,
    Failure,
    FailureKind,
    Outcome,
    RunHeader,
    Task,
    Values,
)
from lodestep.core.states import TASK_TERMINAL, AttemptStatus, RunStatus
from lodestep.errors import LodestepError
from lodestep.testing import sim_check
from lodestep.testing.sim_pipelines import pipeline
from lodestep.testing.sim_script import SimScript

_MOST_EVENTS = 20_000
_decoder = msgspec.json.Decoder(Event)


class SimulationError(AssertionError):
    """Something that must hold did not. The text names the seed and tells what happened."""


class Story(msgspec.Struct):
    """What a seed led to."""

    seed: int
    status: str
    events: int
    tasks: int
    crashes: int
    generations: int


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How likely trouble is. The default draws it from the seed."""

    size: int = 9
    crash_always: bool | None = None


class _Live(msgspec.Struct):
    """An attempt that runs in the world."""

    task_id: str
    started: bool = False
    canceled: bool = False


class World:
    """Everything around the machine, for one run."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.document = pipeline(self.rng, settings.size)
        self.plan = plan.build(self.document)
        self.script = SimScript(seed, trouble=self.rng.choice((0.0, 0.1, 0.3)))
        self.crash = self._crash_rate(settings)
        self.cancels = 1 if self.rng.random() < 0.25 else 0
        self.retries = self.rng.choice((0, 0, 1, 2))
        self.header = RunHeader(
            run_id=f"run-{seed}",
            name="simulated run",
            pipeline_name="simulated",
            resource_name="simulated-abcde",
            spec_digest="",
            created_ms=1000,
            cache=self.rng.random() < 0.8,
        )
        self.state = machine.new_state(self.header, self.plan)
        self.log: list[bytes] = []
        self.at_ms = 1000
        self.crashes = 0
        self.live: dict[str, _Live] = {}
        self.over: set[str] = set()  # attempts whose end was recorded
        self.asked: dict[str, str] = {}  # questions to the cache: task id → fingerprint
        self.timers: set[str] = set()
        self.failed: dict[tuple[str, int], int] = {}  # (task, generation) → attempts that failed
        self.lost: dict[str, int] = {}  # task → attempts lost in a row
        self.projection: dict[str, bytes] = {}
        self.attempts: dict[str, Attempt] = {}
        self.ended_in: dict[str, int] = {}
        self.kept: dict[str, int] = {}  # tasks that a retry must not touch → how many attempts they had

    def _crash_rate(self, settings: Settings) -> float:
        drawn = self.rng.random()
        if settings.crash_always is not None:
            return 1.0 if settings.crash_always else 0.0
        return 1.0 if drawn < 0.3 else 0.06

    def run(self) -> Story:
        self.feed(RunStarted(at_ms=self.tick()))
        while not self.state.terminal or self.again():
            if self.state.terminal:
                continue  # what failed cannot be helped: the retry has ended already
            if len(self.log) > _MOST_EVENTS:
                raise SimulationError(f"still running after {_MOST_EVENTS} events")
            event = self.next_event()
            if event is None:
                raise SimulationError(f"stuck: nothing is outstanding, and the run is {self.state.status}")
            self.feed(event)
        sim_check.projection(self.state, self.projection, self.attempts)
        sim_check.result(self.state, self.document.spec, self.script)
        return Story(
            seed=self.seed,
            status=self.state.status,
            events=len(self.log),
            tasks=len(self.state.tasks),
            crashes=self.crashes,
            generations=self.state.generation,
        )

    def tick(self) -> int:
        self.at_ms += self.rng.randint(1, 2000)
        return self.at_ms

    def again(self) -> bool:
        """Retry an ended run, if it is one that can be, and there are retries left."""
        if self.state.status not in (RunStatus.FAILED, RunStatus.CANCELED) or self.retries <= 0:
            return False
        self.retries -= 1
        self.kept = sim_check.kept(self.state, self.document.spec)
        self.script.generation = self.state.generation + 1
        self.lost.clear()
        self.feed(RetryRequested(at_ms=self.tick()))
        return True

    def feed(self, event: Event) -> Decision:
        """One event: recorded, decided, done, with a crash before or after."""
        line = jsonio.encode(event)
        self.log.append(line)
        decision = machine.step(self.state, _decoder.decode(line))
        self.record(event, decision)
        check.invariants(self.state)
        if self.state.canceling and any(isinstance(command, Launch) for command in decision.commands):
            raise SimulationError("the run is being cancelled, and something new is launched")
        sim_check.parallelism(self.state)
        if self.rng.random() < self.crash:
            if self.rng.random() < 0.5:
                self.do(decision.commands)
            self.restart()
        else:
            self.do(decision.commands)
        return decision

    def record(self, event: Event, decision: Decision) -> None:
        generation = self.state.generation
        for transition in decision.transitions:
            task = self.state.tasks.get(transition.task_id)
            if not transition.reason:
                raise SimulationError(f"{task.path if task else 'the run'} moved without a reason")
            if task is None:
                continue
            if transition.before in TASK_TERMINAL and self.ended_in.get(task.id) == generation:
                raise SimulationError(f"{task.path!r} left {transition.before} without a retry")
            if transition.after in TASK_TERMINAL and not transition.reason.startswith("from before the retry"):
                self.ended_in[task.id] = generation
        for task in decision.tasks:
            self.projection[task.id] = jsonio.encode(task)
            if task.id in self.kept and len(task.attempts) != self.kept[task.id]:
                raise SimulationError(f"{task.path!r} had succeeded, and the retry ran it again")
        for attempt in decision.attempts:
            self.attempts[attempt.id] = msgspec.structs.replace(attempt)
        if isinstance(event, AttemptEnded) and event.attempt_id in self.attempts:
            self.over.add(event.attempt_id)

    def restart(self) -> None:
        """SIGKILL: memory is gone, the log and the steps remain."""
        self.crashes += 1
        lost = check.snapshot(self.state)
        self.state = machine.replay(self.header, self.plan, [_decoder.decode(line) for line in self.log])
        found = check.snapshot(self.state)
        if found != lost:
            raise SimulationError(f"the replay differs:\n  live   {lost.decode()}\n  replay {found.decode()}")
        self.asked.clear()
        self.timers.clear()
        self.do(machine.outstanding(self.state))
        for attempt_id, live in self.live.items():
            if self.state.tasks[live.task_id].attempts[-1].id != attempt_id:
                raise SimulationError(f"attempt {attempt_id} of {live.task_id} runs, and nobody waits for it")

    def do(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case LookUpCache():
                    self.asked[command.task_id] = command.fingerprint
                case StartTimer():
                    self.timers.add(command.timer)
                case Launch():
                    self.launch(command)
                case Cancel():
                    if live := self.live.get(command.attempt_id):
                        live.canceled = True
                case FinishRun():
                    if self.live:
                        raise SimulationError(f"the run has ended, and {len(self.live)} attempts run on")

    def launch(self, command: Launch) -> None:
        if command.attempt_id in self.over:
            raise SimulationError(f"attempt {command.attempt_id} has ended and is launched again")
        if command.attempt_id in self.live:
            return  # launching is idempotent
        if any(live.task_id == command.task_id for live in self.live.values()):
            raise SimulationError(f"two attempts of {self.state.tasks[command.task_id].path!r} at a time")
        self.live[command.attempt_id] = _Live(command.task_id)

    def next_event(self) -> Event | None:
        rng = self.rng
        drawn = rng.random()
        if drawn < 0.06 and self.log:
            return self.stray()
        if drawn < 0.14 and self.cancels and not self.state.terminal:
            self.cancels -= 1
            return CancelRequested(at_ms=self.tick(), reason="somebody wanted it to end")
        choices: list[tuple[str, str]] = [("ask", key) for key in self.asked]
        choices += [("attempt", key) for key in self.live]
        choices += [("timer", key) for key in self.timers]
        if not choices:
            return None
        kind, key = choices[rng.randrange(len(choices))]
        match kind:
            case "ask":
                return self.answer(key)
            case "timer":
                self.timers.discard(key)
                return TimerFired(at_ms=self.tick(), timer=key)
            case _:
                return self.progress(key)

    def stray(self) -> Event:
        """An event that must change nothing: a repetition, or one for something that is not there."""
        rng = self.rng
        at_ms = self.tick()
        event: Event
        match rng.randrange(6):
            case 4:
                event = _decoder.decode(rng.choice(self.log))
                if isinstance(event, CacheAnswered | CancelRequested | RetryRequested):
                    event = RunStarted(at_ms=at_ms)  # those may be meant
            case 5:
                event = RetryRequested(at_ms=at_ms)
                if self.state.canceling:
                    event = CancelRequested(at_ms=at_ms)
            case 0:
                known = list(self.over)
                attempt_id = rng.choice(known) if known else "foreign"
                task = next((t for t in self.state.tasks.values() if t.attempts), None)
                outcome = Outcome(state=rng.choice((AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.LOST)))
                owner = self.attempts[attempt_id].task_id if known else task.id if task else "foreign"
                event = AttemptEnded(at_ms=at_ms, attempt_id=attempt_id, task_id=owner, outcome=outcome)
            case 1:
                task = rng.choice(list(self.state.tasks.values()))
                event = AttemptEnded(
                    at_ms=at_ms,
                    attempt_id="foreign",
                    task_id=task.id,
                    outcome=Outcome(state=AttemptStatus.SUCCEEDED),
                )
            case 2:
                event = TimerFired(at_ms=at_ms, timer="foreign/1")
            case _:
                event = RunStarted(at_ms=at_ms)
        before = check.snapshot(self.state)
        machine.step(self.state, event)
        if check.snapshot(self.state) != before:
            raise SimulationError(f"an event that must change nothing did: {event}")
        return event

    def answer(self, task_id: str) -> CacheAnswered:
        del self.asked[task_id]
        task = self.state.tasks[task_id]
        hit = None
        if self.rng.random() < 0.3 and self.script.failures(task.path) == 0:
            hit = CacheHit(task_id="earlier", run_id="earlier", outputs=self.outputs(task))
            declared = self.plan.component_of(task).output_definitions.parameters
            if len(hit.outputs.parameters) < len(declared):
                hit = None
        return CacheAnswered(at_ms=self.tick(), task_id=task_id, hit=hit, reason="found" if hit else "nothing found")

    def outputs(self, task: Task) -> Values:
        return self.script.outputs(task.path, task.inputs, self.plan.component_of(task))

    def progress(self, attempt_id: str) -> Event:
        live = self.live[attempt_id]
        if not live.started and self.rng.random() < 0.5:
            live.started = True
            return AttemptStarted(at_ms=self.tick(), attempt_id=attempt_id, task_id=live.task_id)
        del self.live[attempt_id]
        outcome = self.outcome(self.state.tasks[live.task_id], live)
        return AttemptEnded(at_ms=self.tick(), attempt_id=attempt_id, task_id=live.task_id, outcome=outcome)

    def outcome(self, task: Task, live: _Live) -> Outcome:
        rng, script = self.rng, self.script
        started_ms = self.at_ms if live.started or rng.random() < 0.5 else 0
        ended_ms = self.at_ms + 1

        def ended(state: AttemptStatus, failure: Failure | None = None) -> Outcome:
            return Outcome(state=state, failure=failure, started_ms=started_ms, ended_ms=ended_ms)

        if live.canceled and rng.random() < 0.7:
            return ended(AttemptStatus.CANCELED)
        in_a_row = self.lost.get(task.id, 0)
        if script.is_lost(task.path) or (in_a_row < 3 and rng.random() < 0.06):
            self.lost[task.id] = in_a_row + 1
            return ended(AttemptStatus.LOST, Failure(kind=FailureKind.LOST, message="the step host died"))
        self.lost[task.id] = 0
        key = (task.id, self.state.generation)
        failures = self.failed.get(key, 0)
        if failures < script.failures(task.path):
            self.failed[key] = failures + 1
            fatal = script.is_fatal(task.path)
            failure = Failure(kind=FailureKind.EXIT, message="exit code 1", exit_code=1, retryable=not fatal)
            return ended(AttemptStatus.FAILED, failure)
        return msgspec.structs.replace(ended(AttemptStatus.SUCCEEDED), outputs=self.outputs(task))


def simulate(seed: int, settings: Settings | None = None) -> Story:
    """Run the story of a seed. Raises `SimulationError`, with the story, where something did not hold."""
    world = World(seed, settings or Settings())
    try:
        return world.run()
    except (AssertionError, LodestepError, KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise SimulationError(f"seed {seed}: {error}\n{tell(world)}") from error


def tell(world: World) -> str:
    """The story of a world for people: what it ran, and what happened."""
    names = {task.id: task.path or "(root)" for task in world.state.tasks.values()}
    lines = ["the pipeline:"]
    lines += [f"  {line}" for line in sim_check.outline(world.document.spec)]
    lines.append("what happened:")
    for number, line in enumerate(world.log):
        event = _decoder.decode(line)
        what = type(event).__name__
        where = names.get(getattr(event, "task_id", ""), getattr(event, "timer", ""))
        how = event.outcome.state if isinstance(event, AttemptEnded) else ""
        lines.append(f"  {number:4} {what} {where} {how}".rstrip())
    lines.append("where it stands:")
    lines += [f"  {task.path or '(root)'}: {task.state}, {task.reason}" for task in world.state.tasks.values()]
    return "\n".join(lines)
