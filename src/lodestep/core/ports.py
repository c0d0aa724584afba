"""The seams of the engine, as the engine sees them. Each has a conformance suite and a fake in `lodestep.testing`."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Outcome


class RunnerStarted(msgspec.Struct, frozen=True, kw_only=True):
    attempt_id: str
    started_ms: int


class RunnerEnded(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt is over and nothing of its process tree is left. The outcome is complete: outputs were read,
    checked and are on disk."""

    attempt_id: str
    outcome: Outcome


RunnerEvent = RunnerStarted | RunnerEnded


class Runner(Protocol):
    """One way to run attempts. Reports facts; never touches the store, the machine or another runner.

    Coroutines return when the request is taken in, not when the attempt ends; what happens comes to the sink that
    `open` is given, on the event loop. Nothing here raises for a step's fault: that is a `RunnerEnded`.
    """

    async def open(self, sink: Callable[[RunnerEvent], None]) -> None: ...

    def unsupported(self, image: str, command: list[str]) -> str:
        """Why such a step cannot run here ("" if it can), in a sentence that says what to install or to map.

        Asked before a run is submitted (placeholders not yet substituted) and again before each launch.
        """
        ...

    async def launch(self, spec: LaunchSpec) -> None:
        """Start the attempt. Idempotent by attempt id: a second launch of a known attempt starts nothing."""
        ...

    async def adopt(self, specs: list[LaunchSpec]) -> None:
        """Take up attempts of an earlier server. Each ends up running (again watched), ended (its end is reported),
        or, when it had never begun, launched. One whose parent is gone is ended, proven gone, and reported LOST."""
        ...

    async def cancel(self, attempt_id: str, grace_s: float) -> None:
        """SIGTERM to the whole tree, SIGKILL after `grace_s`; reported as CANCELED once nothing is left."""
        ...

    async def close(self) -> None:
        """Let go. Attempts live on."""
        ...
