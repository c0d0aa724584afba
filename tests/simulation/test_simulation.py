"""Thousands of random runs with trouble of every kind, each against the reference interpreter.

`LODESTEP_SIM_SEEDS` is how many (3,000 unless told otherwise), `LODESTEP_SIM_FIRST` the first. A failure prints the
seed's whole story; `simulate(seed)` plays it again.
"""

import os
from random import Random

import pytest

from lodestep.core import opening
from lodestep.spec import validate
from lodestep.testing.sim import Settings, simulate
from lodestep.testing.sim_pipelines import pipeline

SEEDS = int(os.environ.get("LODESTEP_SIM_SEEDS", "3000"))
FIRST = int(os.environ.get("LODESTEP_SIM_FIRST", "0"))
CHUNKS = 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_story_ends_as_the_reference_says(chunk: int) -> None:
    states: set[str] = set()
    for seed in range(FIRST + chunk, FIRST + SEEDS, CHUNKS):
        states.add(simulate(seed).status)
    if len(range(FIRST + chunk, FIRST + SEEDS, CHUNKS)) >= 100:
        assert states == {"SUCCEEDED", "FAILED", "CANCELED"}  # else the stories have become too tame to prove anything


def test_a_crash_at_every_event_changes_nothing() -> None:
    crashed = 0
    for seed in range(1_000_000, 1_000_150):
        story = simulate(seed, Settings(crash_always=True))
        assert story.crashes == story.events or story.events > story.crashes > 0
        crashed += story.crashes
    assert crashed > 1500


def test_loops_that_open_a_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WINDOW", 1)
    assert {simulate(seed).status for seed in range(3_000_000, 3_000_300)} == {"SUCCEEDED", "FAILED", "CANCELED"}


def test_the_same_seed_tells_the_same_story() -> None:
    assert simulate(17) == simulate(17)


def test_large_runs() -> None:
    sizes = [simulate(seed, Settings(size=24, crash_always=False)).tasks for seed in range(2_000_000, 2_000_040)]
    assert max(sizes) > 60


def test_random_pipelines_are_pipelines() -> None:
    for seed in range(200):
        document = pipeline(Random(seed))
        assert list(validate.problems(document)) == []
