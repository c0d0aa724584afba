"""The parts of a plan: a `Scope` is what one DAG looks like to its tasks, a `Step` is one task spec in it.

Frozen values, made by `plan.build`; nothing here knows a run.
"""

import msgspec

from lodestep.core.model import TaskKind, Value
from lodestep.spec.ir import ExecutorSpec, InputArtifact, InputParameter

LONGEST_DELAY_S = 3600.0


class ParameterSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where an input parameter of a task comes from: one of `producer` with `key`, `parent_input`, `final_status`
    or `constant` (`template` says that it holds placeholders)."""

    name: str
    declared: InputParameter | None = None
    producer: str = ""
    key: str = ""
    parent_input: str | None = None
    final_status: str = ""
    constant: Value = None
    template: bool = False
    selector: str = ""


class ArtifactSource(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    declared: InputArtifact | None = None
    producer: str = ""
    key: str = ""
    parent_input: str | None = None


class Selector(msgspec.Struct, frozen=True):
    """An output of a task of the scope."""

    producer: str
    key: str


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """An output of a DAG: the first of its selectors that has a value."""

    key: str
    is_artifact: bool
    selectors: tuple[Selector, ...]


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a failed attempt is followed by another, and after what delay."""

    limit: int
    delay_s: float = 0.0
    factor: float = 2.0
    longest_s: float = LONGEST_DELAY_S

    def after(self, failures: int) -> float:
        """The delay before the attempt that follows `failures` failed ones."""
        return min(self.delay_s * self.factor ** min(failures - 1, 64), self.longest_s)


class Iteration(msgspec.Struct, frozen=True, kw_only=True):
    """What a loop goes over: `raw` items, or those of its input `items_input`. Each becomes the body's `item_input`."""

    item_input: str
    over_artifacts: bool
    items_input: str = ""
    raw: list[Value] | None = None
    template: bool = False
    parallelism: int = 0
    keeps_items: bool = False  # the body reads the whole list as well


class Step(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A task spec, ready to be run any number of times."""

    name: str
    display_name: str
    kind: TaskKind
    component: str
    parameters: tuple[ParameterSource, ...]  # those with placeholders last
    artifacts: tuple[ArtifactSource, ...]
    unset: tuple[tuple[str, InputParameter], ...]  # declared inputs that the task gives nothing for
    unset_artifacts: tuple[str, ...]  # required ones, likewise
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]
    always: bool  # runs once all upstream tasks have ended, however they did
    condition: str
    retry: Retry | None
    cache: bool
    cache_key: str
    executor: ExecutorSpec | None = None
    scope: "Scope | None" = None
    loop: Iteration | None = None
    waits: str = ""  # the line for people while it waits


class Scope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A DAG: its steps, each after all that it waits for."""

    steps: dict[str, Step]
    outputs: tuple[Output, ...]
