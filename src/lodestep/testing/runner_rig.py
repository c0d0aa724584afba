"""A runner under test: specs for small steps, and its events to wait for. Used by the conformance suite."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lodestep.core.launch import LaunchSpec, ParameterTarget, Resources
from lodestep.core.model import ArtifactValue, Outcome
from lodestep.core.ports import Runner, RunnerEnded, RunnerEvent, RunnerStarted
from lodestep.spec.ir import ParameterType

PATIENCE_S = 60.0


class RunnerRig:
    """`async with RunnerRig(make, home) as rig`. `make` gives a fresh runner of the home each time it is called."""

    def __init__(self, make: Callable[[Path], Runner], home: Path) -> None:
        self.home = home
        self.runner = make(home)
        self.events: list[RunnerEvent] = []
        self._make = make
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.runner.open(self._take)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for attempt_id in {event.attempt_id for event in self.events} - self._ended_ids():
            await self.runner.cancel(attempt_id, 0.0)
        await self.runner.close()

    async def restart(self) -> None:
        """As if the server had ended and another had begun: what was reported so far is forgotten."""
        await self.runner.close()
        self.events.clear()
        self.runner = self._make(self.home)
        await self.runner.open(self._take)

    def spec(self, *command: str, name: str = "", **changes: Any) -> LaunchSpec:
        """An attempt that runs `command`. `{dir}` in it is the attempt's folder."""
        attempt_id = name or f"attempt-{next(self._numbers)}"
        directory = str(self.home / "runs" / "run" / attempt_id)
        values: dict[str, Any] = {
            "attempt_id": attempt_id,
            "run_id": "run",
            "task_id": f"task-of-{attempt_id}",
            "task_name": attempt_id,
            "task_path": attempt_id,
            "directory": directory,
            "image": "example.org/some/image:1",
            "command": [word.replace("{dir}", directory) for word in command],
            "env": {},
            "secret_env": {},
            "resources": Resources(),
            "mounts": [],
            "input_artifacts": {},
            "output_parameters": {},
            "output_artifacts": {},
            "executor_output_file": f"{directory}/outputs/executor_output.json",
            "grace_s": 5.0,
        }
        return LaunchSpec(**{**values, **changes})

    def shell(self, script: str, **changes: Any) -> LaunchSpec:
        return self.spec("sh", "-c", script, **changes)

    def with_parameters(self, spec: LaunchSpec, **types: ParameterType) -> LaunchSpec:
        """The same with output parameters, each with its file at `outputs/NAME`."""
        targets = {
            name: ParameterTarget(type=kind, file=f"{spec.directory}/outputs/{name}") for name, kind in types.items()
        }
        return _changed(spec, output_parameters=targets)

    def with_artifact(self, spec: LaunchSpec, name: str = "data") -> tuple[LaunchSpec, Path]:
        """The same with an output artifact, and its path."""
        path = self.home / "artifacts" / spec.attempt_id / name
        artifact = ArtifactValue(name=name, type="system.Dataset", uri=f"file://{path}")
        return _changed(spec, output_artifacts={**spec.output_artifacts, name: artifact}), path

    def memory_limited(self, spec: LaunchSpec, limit: int) -> LaunchSpec:
        return _changed(spec, resources=Resources(memory_limit_bytes=limit))

    def cpu_limited(self, spec: LaunchSpec, limit: float) -> LaunchSpec:
        return _changed(spec, resources=Resources(cpu_limit=limit))

    async def run(self, spec: LaunchSpec) -> Outcome:
        await self.runner.launch(spec)
        return await self.ended(spec.attempt_id)

    async def started(self, attempt_id: str) -> RunnerStarted:
        return await self._first(lambda e: isinstance(e, RunnerStarted) and e.attempt_id == attempt_id)

    async def ended(self, attempt_id: str) -> Outcome:
        event = await self._first(lambda e: isinstance(e, RunnerEnded) and e.attempt_id == attempt_id)
        return event.outcome

    def count_ends(self, attempt_id: str) -> int:
        return sum(isinstance(event, RunnerEnded) and event.attempt_id == attempt_id for event in self.events)

    def _ended_ids(self) -> set[str]:
        return {event.attempt_id for event in self.events if isinstance(event, RunnerEnded)}

    async def _first(self, wanted: Callable[[RunnerEvent], bool]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                self._changed.clear()
                await self._changed.wait()

    def _take(self, event: RunnerEvent) -> None:
        self.events.append(event)
        self._changed.set()


class Signpost:
    """A named pipe by which a step says where it is. As long as any process of the step has it open, it is alive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._seen = b""

    async def says(self, word: str) -> None:
        """Wait until a step has written `word` and a line end."""
        async with asyncio.timeout(PATIENCE_S):
            while f"{word}\n".encode() not in self._seen:
                await _readable(self._reader)
                self._seen += self._read() or b""

    def is_held(self) -> bool:
        """Is there a process that has the pipe open for writing?"""
        while data := self._read():
            self._seen += data
        return data is None

    def close(self) -> None:
        os.close(self._reader)

    def _read(self) -> bytes | None:
        """What is there; None if nothing is but may come, b"" if nobody is there to write."""
        try:
            return os.read(self._reader, 65536)
        except BlockingIOError:
            return None


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that no event tells of. Blocks; for a thread."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.005)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _changed(spec: LaunchSpec, **changes: Any) -> LaunchSpec:
    return LaunchSpec(**{**{name: getattr(spec, name) for name in spec.__struct_fields__}, **changes})
