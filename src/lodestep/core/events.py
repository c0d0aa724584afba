"""What may happen to a run. The event log of a run is a list of these; replaying it gives the run's state again.

Every event carries the wall time at which it was taken in, for the machine reads no clock.
"""

import msgspec

from lodestep.core.model import CacheHit, Outcome


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    at_ms: int


class RunStarted(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="run_started"):
    """The engine took the accepted run up. Always the first event."""


class CacheAnswered(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="cache_answered"):
    """The cache's word on a task's fingerprint. `reason` is one line for people, hit or miss."""

    task_id: str
    hit: CacheHit | None = None
    reason: str = ""


class AttemptStarted(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="attempt_started"):
    attempt_id: str
    task_id: str


class AttemptEnded(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="attempt_ended"):
    """An attempt's end as its runner saw it. A second or late end of the same attempt changes nothing."""

    attempt_id: str
    task_id: str
    outcome: Outcome


class TimerFired(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="timer_fired"):
    timer: str


class CancelRequested(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="cancel_requested"):
    """A person (or a deadline) wants the run to end."""

    reason: str = ""


class RetryRequested(_Event, frozen=True, kw_only=True, omit_defaults=True, tag="retry_requested"):
    """Run again what failed, was cancelled or was skipped for it; keep what succeeded."""


Event = RunStarted | CacheAnswered | AttemptStarted | AttemptEnded | TimerFired | CancelRequested | RetryRequested
