"""Components end in the same way, whether the SDK's executor calls them or ours: outputs, files, words, exit code.

Where ours differs, the case says in what and why. Nothing else may differ, and what is said to differ must.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential import cases_artifacts, cases_ends, cases_parameters
from tests.differential.running import Case, Forker, forker

CASES = [*cases_parameters.CASES, *cases_artifacts.CASES, *cases_ends.CASES]


@pytest.fixture(scope="module")
def real() -> Iterator[Forker]:
    with forker("real") as process:
        yield process


@pytest.fixture(scope="module")
def ours() -> Iterator[Forker]:
    with forker("ours") as process:
        yield process


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_as_the_executor_of_the_sdk(case: Case, real: Forker, ours: Forker, tmp_path: Path) -> None:
    expected, found = real.run(case, tmp_path), ours.run(case, tmp_path)
    for part in expected._fields:
        if part in case.differs:
            assert getattr(found, part) != getattr(expected, part), f"{part} is the same now: {case.differs[part]}"
        else:
            assert getattr(found, part) == getattr(expected, part), part


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_a_difference_is_seen(real: Forker, ours: Forker, tmp_path: Path) -> None:
    """The comparison is not blind: a component that knows who runs it is caught in every part."""
    source = (
        "def f() -> int:\n    import os, sys\n    ours = 'lodestep.runtime.pyexec' in sys.modules\n"
        "    print('SAID', ours)\n    open('left', 'w').write(str(ours))\n    if ours: raise ValueError('ours')\n"
        "    return 1\n"
    )
    expected, found = real.run(Case("spy", source), tmp_path), ours.run(Case("spy", source), tmp_path)
    assert [part for part in expected._fields if getattr(expected, part) == getattr(found, part)] == []
