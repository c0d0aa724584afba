"""The default runner: every attempt is a process of its own on this machine, forked by a step host.

Python components are recognised by their launch command and called in a fork of a warm interpreter; what packages they
ask for decides which one. Other commands are started as they stand. The hosts outlive this server: what they run is
taken up again by the next one.
"""

import asyncio
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from lodestep import __version__, failpoint, log
from lodestep.clock import Clock
from lodestep.config import Settings
from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind, Outcome
from lodestep.core.ports import RunnerEnded, RunnerEvent, RunnerStarted
from lodestep.core.states import AttemptStatus
from lodestep.errors import Unavailable
from lodestep.runners import collect, lost, programs, requests
from lodestep.runners.environments import EnvironmentFailed, Environments, Requirements
from lodestep.runners.hostlink import HostLink, Message
from lodestep.runtime import outcome as files
from lodestep.runtime import reap
from lodestep.runtime.recognize import PythonStep, recognize

_logger = log.get("runner")
_STARTS = 3  # an attempt whose host dies before it begins is started again, but not for ever


class _Watched:
    """An attempt that was handed in and whose end was not reported yet."""

    def __init__(self, spec: LaunchSpec) -> None:
        self.id = spec.attempt_id
        self.spec = spec
        self.link: HostLink | None = None
        self.preparing: asyncio.Task[None] | None = None
        self.cancel_grace_s: float | None = None  # once somebody wants it to end
        self.is_ending = False  # its end is being read: nothing else may be told of it
        self.starts = 0


class ProcessRunner:
    """Implements `core.ports.Runner`."""

    def __init__(self, home: Path, settings: Settings, clock: Clock, environments: Environments) -> None:
        self._hosts = home / "hosts"
        self._settings = settings
        self._clock = clock
        self._environments = environments
        self._links: dict[str, HostLink] = {}
        self._watched: dict[str, _Watched] = {}
        self._doing: set[asyncio.Task[None]] = set()
        self._sink: Callable[[RunnerEvent], None] = _nobody
        self._base: dict[programs.Stand, dict[str, str]] = {}
        self._boot = reap.boot_id()

    # the port

    async def open(self, sink: Callable[[RunnerEvent], None]) -> None:
        self._sink = sink
        self._hosts.mkdir(parents=True, exist_ok=True, mode=0o700)

    def unsupported(self, image: str, command: list[str]) -> str:
        needed = command if recognize(command) is None else [requests.PYTHON]
        return programs.missing(image, needed, self._settings.runner)

    async def launch(self, spec: LaunchSpec) -> None:
        if spec.attempt_id in self._watched:
            return
        watched = self._watched[spec.attempt_id] = _Watched(spec)
        step = recognize(spec.command)
        if step is not None and step.packages:
            # An environment takes its time: in the background, where it can be cancelled.
            watched.preparing = self._spawn(self._start(watched, step))
        else:
            await self._start(watched, step)

    async def adopt(self, specs: list[LaunchSpec]) -> None:
        found = [_Watched(spec) for spec in specs if spec.attempt_id not in self._watched]
        self._watched.update({watched.id: watched for watched in found})
        await self._meet_hosts()
        for link in self._links.values():
            for watched in found:
                if watched.id in link.running:
                    self._runs_on(watched, link)
        await asyncio.gather(*(self._take_up(watched) for watched in found if watched.link is None))

    async def _take_up(self, watched: _Watched) -> None:
        """Whatever is wrong with one attempt's folder, it is that attempt's trouble alone."""
        try:
            await self._resolve(watched)
        except Exception as error:
            _logger.exception("adopt.failed attempt=%s", watched.id)
            failure = Failure(kind=FailureKind.SYSTEM, message=f"could not be taken up again: {error}")
            self._report(watched, self._ended(AttemptStatus.FAILED, failure))

    async def cancel(self, attempt_id: str, grace_s: float) -> None:
        watched = self._watched.get(attempt_id)
        if watched is None or watched.is_ending:
            return
        watched.cancel_grace_s = grace_s
        if watched.link is not None:
            self._pass_on_cancel(watched)
        elif watched.preparing is not None:
            watched.preparing.cancel()
            self._report(watched, self._ended(AttemptStatus.CANCELED))

    async def close(self) -> None:
        for doing in self._doing:
            doing.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links.values()))
        self._links.clear()
        self._watched.clear()

    # starting

    async def _start(self, watched: _Watched, step: PythonStep | None) -> None:
        """Have the attempt started, or report in words why it was not."""
        try:
            stand = programs.stand_in(watched.spec.image, self._settings.runner)
            if step is not None and step.packages:
                stand = await self._with_packages(step, stand)
            request = requests.build(watched.spec, step, self._environment(stand))
            watched.starts += 1
            watched.link = self._link(stand.python if step is not None else sys.executable)
            failpoint.hit("runner.before-send")
            await watched.link.send({"launch": request})
            failpoint.hit("runner.after-send")
            self._pass_on_cancel(watched)  # if it came while the host was being started
        except EnvironmentFailed as error:
            failure = Failure(kind=FailureKind.ENVIRONMENT, message=error.message, detail=error.detail)
            self._report(watched, self._ended(AttemptStatus.FAILED, failure))
        except Unavailable as error:
            failure = Failure(kind=FailureKind.CANNOT_RUN, message=error.message, detail=error.hint)
            self._report(watched, self._ended(AttemptStatus.FAILED, failure))

    def _environment(self, stand: programs.Stand) -> dict[str, str]:
        found = self._base.get(stand)
        if found is None:
            found = self._base[stand] = programs.environment(stand, self._settings.runner)
        return found

    async def _with_packages(self, step: PythonStep, base: programs.Stand) -> programs.Stand:
        """An environment with the packages that the step asks for, upon what stands in for its image."""
        own = "" if base.python == sys.executable else base.python
        wanted = Requirements(tuple(step.packages), tuple(step.index_urls), tuple(step.trusted_hosts), own)
        made = await self._environments.ensure(wanted)
        folder = os.path.dirname(os.path.dirname(made.python))
        return programs.Stand(os.path.join(folder, "bin"), made.python, folder, base.bin)

    def _pass_on_cancel(self, watched: _Watched) -> None:
        if watched.cancel_grace_s is not None and watched.link is not None:
            watched.link.say({"cancel": watched.id, "grace_s": watched.cancel_grace_s})

    # hosts

    def _link(self, python: str) -> HostLink:
        """The host of an interpreter. The server's own also starts everything that is no Python step."""
        name = hashlib.sha256(f"{python}\0{__version__}".encode()).hexdigest()[:16]
        link = self._link_named(name)
        link.python = python
        return link

    def _link_named(self, name: str) -> HostLink:
        if name not in self._links:
            self._links[name] = HostLink(self._hosts, name, "", self._told, self._lost)
        return self._links[name]

    async def _meet_hosts(self) -> None:
        """Connect with every host that lives, also with those of an older release or of other settings."""
        names = [name.removesuffix(".sock") for name in os.listdir(self._hosts) if name.endswith(".sock")]
        await asyncio.gather(*(self._meet(name) for name in names))

    async def _meet(self, name: str) -> None:
        link = self._link_named(name)
        try:
            await link.connect(start=False)
        except Unavailable:
            await link.gone()  # its steps die with it, and must be dead before anybody looks for them

    def _lost(self, link: HostLink) -> None:
        """The connection has ended: mostly, because the host has."""
        log.event(_logger, logging.WARNING, "host.lost", host=link.name)
        affected = [watched for watched in self._watched.values() if watched.link is link and not watched.is_ending]
        if affected:
            self._spawn(self._after_loss(link, affected))

    async def _after_loss(self, link: HostLink, affected: list[_Watched]) -> None:
        await self._meet(link.name)
        for watched in affected:
            if watched.id in link.running and link.is_connected:
                self._runs_on(watched, link)
        await asyncio.gather(
            *(self._resolve(each) for each in affected if not (each.id in link.running and link.is_connected))
        )

    # what happens to attempts

    def _told(self, link: HostLink, message: Message) -> None:
        kind = next(iter(message), "")
        watched = self._watched.get(message[kind]) if kind in _ABOUT_ATTEMPTS else None
        if watched is None or watched.is_ending:
            return
        match kind:
            case "started":
                self._sink(RunnerStarted(attempt_id=watched.id, started_ms=message["started_ms"]))
            case "ended":
                self._collect(watched, message["outcome"])
            case "failed":
                failure = Failure(kind=FailureKind.SYSTEM, message=f"could not be started: {message['why']}")
                self._report(watched, self._ended(AttemptStatus.FAILED, failure))
            case _:  # it has begun in another host, which is no more
                self._spawn(self._resolve(watched))

    def _runs_on(self, watched: _Watched, link: HostLink) -> None:
        watched.link = link
        self._pass_on_cancel(watched)
        started = files.read_json(watched.spec.directory, files.STARTED) or {}
        started_ms = started.get("started_ms") or self._clock.now_ms()
        self._sink(RunnerStarted(attempt_id=watched.id, started_ms=started_ms))

    async def _resolve(self, watched: _Watched) -> None:
        """Find out about an attempt that no living host runs: it has ended, was lost, or never began."""
        if watched.is_ending or watched.id not in self._watched:
            return
        told = files.read_json(watched.spec.directory, files.OUTCOME)
        if told is not None:
            self._collect(watched, told)
        elif lost.began(watched.spec.directory):
            watched.is_ending = True
            outcome = await asyncio.to_thread(lost.end, watched.spec.directory, self._clock.now_ms())
            self._report(watched, outcome)
        elif watched.cancel_grace_s is not None:
            self._report(watched, self._ended(AttemptStatus.CANCELED))
        elif watched.starts >= _STARTS:
            message = f"could not be started: its step host died {watched.starts} times"
            self._report(watched, self._ended(AttemptStatus.FAILED, Failure(kind=FailureKind.SYSTEM, message=message)))
        else:
            step = recognize(watched.spec.command)
            watched.link = None
            watched.preparing = self._spawn(self._start(watched, step))

    def _collect(self, watched: _Watched, told: dict[str, Any] | None) -> None:
        """It has ended: read what it left. In a thread, unless that is a matter of a moment."""
        watched.is_ending = True
        if told is None:
            message = f"its folder {watched.spec.directory} was removed while it ran"
            self._report(watched, self._ended(AttemptStatus.FAILED, Failure(kind=FailureKind.SYSTEM, message=message)))
        elif collect.is_quick(watched.spec):
            self._report(watched, self._outcome(watched.spec, told))
        else:
            self._spawn(self._collect_aside(watched, told))

    async def _collect_aside(self, watched: _Watched, told: dict[str, Any]) -> None:
        self._report(watched, await asyncio.to_thread(self._outcome, watched.spec, told))

    def _outcome(self, spec: LaunchSpec, told: dict[str, Any]) -> Outcome:
        try:
            failpoint.hit("runner.before-collect")
            found = collect.outcome(spec, told, self._boot)
            failpoint.hit("runner.after-collect")
            return found
        except Exception as error:  # whatever a step left, it must not end more than the step
            _logger.exception("collect.failed attempt=%s", spec.attempt_id)
            failure = Failure(kind=FailureKind.SYSTEM, message=f"its outputs could not be read: {error}")
            return self._ended(AttemptStatus.FAILED, failure)

    def _report(self, watched: _Watched, outcome: Outcome) -> None:
        if self._watched.pop(watched.id, None) is None:
            return
        if outcome.state is AttemptStatus.LOST and watched.cancel_grace_s is not None:
            outcome = self._ended(AttemptStatus.CANCELED)
        self._sink(RunnerEnded(attempt_id=watched.id, outcome=outcome))

    def _ended(self, state: AttemptStatus, failure: Failure | None = None) -> Outcome:
        now_ms = self._clock.now_ms()
        return Outcome(state=state, failure=failure, started_ms=now_ms, ended_ms=now_ms)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._doing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("runner.fault", exc_info=error)


_ABOUT_ATTEMPTS = frozenset({"started", "ended", "failed", "known"})


def _nobody(_event: RunnerEvent) -> None:
    """Where events go before `open`."""
