"""The runs that are open, in memory. A cache of what the event log says: any entry may be dropped at any time."""

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from lodestep import jsonio
from lodestep.core import machine, plan
from lodestep.core.events import Event
from lodestep.core.model import RunHeader
from lodestep.errors import InvariantError, NotFound
from lodestep.spec import load
from lodestep.spec.document import PipelineDocument
from lodestep.store import events, runs, specs
from lodestep.store.db import Connection
from lodestep.store.store import Store

_KEPT_PLANS = 64
_decoder = msgspec.json.Decoder(Event)


class Blueprint(msgspec.Struct, frozen=True):
    """A pipeline's document and the plan made from it: the same for all its runs."""

    document: PipelineDocument
    plan: plan.Plan


class OpenRun:
    """One run that the engine holds: its state, and the number that its next event gets."""

    __slots__ = ("blueprint", "next_seq", "state")

    def __init__(self, blueprint: Blueprint, state: machine.RunState, next_seq: int) -> None:
        self.blueprint = blueprint
        self.state = state
        self.next_seq = next_seq

    @property
    def run_id(self) -> str:
        return self.state.header.run_id


class Book:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, OpenRun] = {}
        self._blueprints: OrderedDict[str, Blueprint] = OrderedDict()

    def __iter__(self) -> Iterator[OpenRun]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def held(self, run_id: str) -> OpenRun | None:
        return self._open.get(run_id)

    def drop(self, run_id: str) -> None:
        self._open.pop(run_id, None)

    def take(self, run_id: str) -> OpenRun:
        """The open run, from memory or rebuilt from its event log.

        Raises `NotFound`, or whatever a damaged row leads to: that run's trouble alone.
        """
        if held := self._open.get(run_id):
            return held
        header, log = self._store.read_now(lambda conn: _read(conn, run_id))
        blueprint = self.blueprint(header.spec_digest)
        past = [_event(line) for line in log]
        state = machine.replay(header, blueprint.plan, past)
        opened = OpenRun(blueprint, state, len(past) + 1)
        self._open[run_id] = opened
        return opened

    def blueprint(self, digest: str) -> Blueprint:
        if known := self._blueprints.get(digest):
            self._blueprints.move_to_end(digest)
            return known
        canonical = self._store.read_now(lambda conn: specs.get(conn, digest))
        if canonical is None:
            raise InvariantError(f"the pipeline spec {digest} is not in the store")
        document = load.from_canonical(canonical)
        made = Blueprint(document, plan.build(document))
        self._blueprints[digest] = made
        if len(self._blueprints) > _KEPT_PLANS:
            self._blueprints.popitem(last=False)
        return made


def _event(line: bytes) -> Event:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvariantError(f"an event of the run's log cannot be read: {error}") from error


def _read(conn: Connection, run_id: str) -> tuple[RunHeader, list[bytes]]:
    row = runs.get(conn, run_id)
    if row is None:
        raise NotFound(f"run {run_id!r} does not exist")
    header = jsonio.decode_as(row.header, RunHeader)
    if header.run_id != run_id:
        raise InvariantError(f"the header of run {run_id!r} is that of run {header.run_id[:80]!r}")
    return header, events.of_run(conn, run_id)
