"""Attempts survive their server, and end with their step host: executed once, told once, with a log without a gap."""

import os
from pathlib import Path

import msgspec
import pytest

from tests.conformance.runner.kills import Story, Verdict
from tests.conformance.runner.made import in_open_folder, module, ordinary_user

FACTOR = 25 if os.environ.get("LODESTEP_TIER") == "r" else 1
KILLS = [Story(seed=1, kills=40 * FACTOR, seconds=5.0 * FACTOR)]
DOUBLE_KILLS = [
    Story(seed=seed, kills=16 * FACTOR, seconds=1.5, most_s=0.6, double_every=2) for seed in range(1, FACTOR + 1)
]
MUTANTS = {
    "host ends with its server": "lost_by_themselves",
    "launched twice": "repeats",
    "log has a hole": "log_gaps",
    "exit code is forgotten": "wrong_exits",
    "a lost one fails": "charged",
    "a lost one is not ended": "overlaps",
}


def verdict_of(story: Story, folder: Path, *, as_other: bool = False) -> Verdict:
    ran = module("tests.conformance.runner.kills", str(folder), msgspec.json.encode(story).decode(), as_other=as_other)
    return msgspec.json.decode(ran, type=Verdict)


@pytest.mark.slow
@pytest.mark.parametrize("story", KILLS)
def test_server_is_killed_over_live_attempts(tmp_path: Path, story: Story) -> None:
    verdict = verdict_of(story, tmp_path)
    assert verdict.kills >= story.kills * 0.8
    assert not verdict.faults
    assert not verdict.lost


@pytest.mark.slow
@pytest.mark.parametrize("story", DOUBLE_KILLS)
def test_server_and_host_are_killed_together(tmp_path: Path, story: Story) -> None:
    verdict = verdict_of(story, tmp_path)
    assert verdict.lost > story.attempts  # or nothing was proven
    assert not verdict.faults


@pytest.mark.slow
@pytest.mark.skipif(not ordinary_user(), reason="no other user can run this interpreter, or this is not root")
@pytest.mark.parametrize("double_every", [0, 2])
def test_both_as_an_ordinary_user(double_every: int) -> None:
    story = Story(seed=3, kills=10, seconds=1.5, most_s=0.5 if double_every else 0.1, double_every=double_every)
    with in_open_folder() as folder:
        verdict = verdict_of(story, folder, as_other=True)
    assert not verdict.faults
    assert bool(verdict.lost) == bool(double_every)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_rig_sees_a_broken_part(tmp_path: Path, mutant: str) -> None:
    fault = MUTANTS[mutant]
    double_every = 2 if fault in ("charged", "overlaps") else 0
    most_s = 0.5 if double_every else 0.3
    story = Story(seed=2, kills=6, attempts=5, seconds=1.2, most_s=most_s, double_every=double_every, mutant=mutant)
    faults = verdict_of(story, tmp_path).faults
    assert faults.get(fault)
    assert bool(faults.get("survivors")) == (fault == "overlaps")
