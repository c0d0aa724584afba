"""A step that runs out of memory is told so, with its limit and its peak, by whatever means it was stopped."""

import os
from pathlib import Path

import msgspec
import pytest

from tests.conformance.runner import hunger
from tests.conformance.runner.hunger import Story, Verdict
from tests.conformance.runner.made import in_open_folder, module, ordinary_user

COUNT = 200 if os.environ.get("LODESTEP_TIER") == "r" else 9
WAYS = ["limit", "no group", "kernel"]
MUTANTS = [
    Story(how="limit", count=3, mutant="group is not asked"),
    Story(how="no group", count=3, mutant="words are not read"),
    Story(how="kernel", count=3, mutant="kernel is not asked"),
    Story(how="limit", count=1, mutant="end is told late"),
]


def verdict_of(story: Story, folder: Path, *, as_other: bool = False) -> Verdict:
    if story.how == "kernel" and not hunger.memory_root():
        pytest.skip("no group that stands for a machine can be made here")
    arguments = (str(folder), msgspec.json.encode(story).decode())
    return msgspec.json.decode(module("tests.conformance.runner.hunger", *arguments, as_other=as_other), type=Verdict)


@pytest.mark.parametrize("how", WAYS)
def test_hungry_steps_are_named(tmp_path: Path, how: str) -> None:
    assert verdict_of(Story(how=how, count=COUNT), tmp_path) == Verdict(named=COUNT)


@pytest.mark.skipif(not ordinary_user(), reason="no other user can run this interpreter, or this is not root")
def test_hungry_steps_of_an_ordinary_user_are_named() -> None:
    with in_open_folder() as folder:
        assert verdict_of(Story(how="limit", count=COUNT), folder, as_other=True) == Verdict(named=COUNT)


@pytest.mark.parametrize("story", MUTANTS, ids=lambda story: story.mutant)
def test_rig_sees_a_broken_part(tmp_path: Path, story: Story) -> None:
    if story.mutant == "group is not asked" and not hunger.memory_root():
        pytest.skip("no memory control group can be made here")
    verdict = verdict_of(story, tmp_path)
    assert verdict.late or len(verdict.unnamed) == story.count
