"""What the machine asks for. Each command ends in an event, or in nothing when the run has ended meanwhile."""

import msgspec

from lodestep.core.model import Attempt, Task
from lodestep.core.states import RunStatus


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    pass


class LookUpCache(_Command, frozen=True, kw_only=True, omit_defaults=True, tag="look_up_cache"):
    """Ends in `CacheAnswered`. A read only, so it may be done before the decision is recorded."""

    task_id: str
    fingerprint: str


class Launch(_Command, frozen=True, kw_only=True, omit_defaults=True, tag="launch"):
    """Start the attempt, after its row is recorded. Ends in `AttemptStarted`, `AttemptEnded`."""

    task_id: str
    attempt_id: str


class Cancel(_Command, frozen=True, kw_only=True, omit_defaults=True, tag="cancel"):
    """End the attempt's whole process tree. Ends in `AttemptEnded` (CANCELED, or however it ended before that)."""

    task_id: str
    attempt_id: str


class StartTimer(_Command, frozen=True, kw_only=True, omit_defaults=True, tag="start_timer"):
    """Ends in `TimerFired(timer)` after `delay_s`; `fire_at_ms` is for re-arming it after a restart."""

    timer: str
    delay_s: float
    fire_at_ms: int


class FinishRun(_Command, frozen=True, kw_only=True, omit_defaults=True, tag="finish_run"):
    """The run has ended: release what it holds."""

    state: RunStatus


Command = LookUpCache | Launch | Cancel | StartTimer | FinishRun


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One move, with the line that tells a person why. `task_id` "" is the run itself."""

    task_id: str
    before: str
    after: str
    reason: str


class Decision(msgspec.Struct, kw_only=True):
    """All that one event led to. `tasks` and `attempts` are what changed and must be written, each once."""

    transitions: list[Transition] = []
    commands: list[Command] = []
    tasks: list[Task] = []
    attempts: list[Attempt] = []
    run_changed: bool = False
