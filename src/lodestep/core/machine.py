"""The machine: a run's state and an event in, a decision out. All control flow is behind these four functions.

Pure: no clock (events carry their time), no disk, no thread, no random number. `step` changes the state that it is
given, and the state is nothing but what replaying the run's events gives. Each event has a handler (`_HANDLERS`),
each thing that may follow from one has a function (`_FOLLOWS`); `turn` runs them. Data never makes `step` raise: a
bad input fails its task. An `InvariantError` is a bug of ours.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lodestep.core import attempts, ending, opening, starting, stopping
from lodestep.core.commands import Cancel, Command, Decision, Launch, LookUpCache
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
from lodestep.core.model import Moment, RunHeader, Task, TaskKind
from lodestep.core.plan import Plan
from lodestep.core.state import RunState, task_id
from lodestep.core.states import RunStatus
from lodestep.core.turn import Follow, Next, Turn

__all__ = ["RunState", "new_state", "outstanding", "replay", "step"]

_HANDLERS: Mapping[type, Callable[[Turn, Any], None]] = {
    RunStarted: stopping.run_started,
    CacheAnswered: attempts.cache_answered,
    AttemptStarted: attempts.attempt_started,
    AttemptEnded: attempts.attempt_ended,
    TimerFired: attempts.timer_fired,
    CancelRequested: stopping.cancel_requested,
    RetryRequested: stopping.retry_requested,
}
_FOLLOWS: Mapping[Next, Follow] = {
    Next.START: starting.start,
    Next.OPEN: opening.open_body,
    Next.ITERATE: opening.open_iterations,
    Next.ENDED: ending.ended,
    Next.FINISH: ending.finish,
}


def new_state(header: RunHeader, plan: Plan) -> RunState:
    """A run that was accepted and has not been taken up."""
    name = plan.document.display_name or plan.document.name
    root = Task(
        id=task_id(header.run_id, ""),
        run_id=header.run_id,
        path="",
        name="root",
        display_name=name,
        kind=TaskKind.ROOT,
        component="",
        reason="the run was accepted",
        created_ms=header.created_ms,
    )
    return RunState(
        header=header,
        plan=plan,
        root=root,
        tasks={root.id: root},
        history=[Moment(RunStatus.PENDING.value, header.created_ms, "the run was accepted")],
    )


def step(state: RunState, event: Event) -> Decision:
    """What the event leads to. An event that is late, foreign or a repetition leads to nothing."""
    turn = Turn(state, event.at_ms)
    _HANDLERS[type(event)](turn, event)
    return turn.decision(_FOLLOWS)


def replay(header: RunHeader, plan: Plan, events: Iterable[Event]) -> RunState:
    """The state that these events led to."""
    state = new_state(header, plan)
    for event in events:
        step(state, event)
    return state


def outstanding(state: RunState) -> list[Command]:
    """What an open run waits for, to be asked again after a restart: every command whose event has not come.

    An attempt that is being cancelled is launched (that is: adopted) as well, for somebody has to see its end.
    """
    found: list[Command] = []
    for node in state.nodes.values():
        if node.asked:
            found.append(LookUpCache(task_id=node.task.id, fingerprint=node.task.fingerprint))
        if node.timer is not None:
            found.append(node.timer)
        if node.attempt is not None:
            found.append(Launch(task_id=node.task.id, attempt_id=node.attempt.id))
            if state.canceling:
                found.append(Cancel(task_id=node.task.id, attempt_id=node.attempt.id))
    return found
