"""Every hostile upload is refused with words, soon, in little memory, without a file written; and the rig would see it
if one were not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.spec.hostile_corpus import CASES

ROOT = Path(__file__).parents[3]
CPU_LIMIT_S = 2.0
MEMORY_LIMIT = 64 << 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _run(loader: str, names: list[str], folder: Path) -> list[dict[str, Any]]:
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.spec.hostile_rig", loader, *names],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _complaints(result: dict[str, Any]) -> list[str]:
    """What is wrong with how an upload was taken."""
    if result["signal"]:
        return [f"died of signal {result['signal']}"]
    found: list[str] = []
    if result.get("error") not in ("InvalidInput", "TooLarge"):
        found.append(f"not refused: {result.get('error') or 'accepted'}")
    elif len(result["text"]) < 8:
        found.append("refused without words")
    if result["cpu_s"] > CPU_LIMIT_S:
        found.append(f"took {result['cpu_s']} s of CPU")
    if result["grown"] > MEMORY_LIMIT:
        found.append(f"took {result['grown'] >> 20} MiB")
    if result["written"]:
        found.append(f"wrote {result['written']}")
    return found


def test_all_are_refused(tmp_path: Path) -> None:
    results = _run("ours", [], tmp_path)
    assert [result["name"] for result in results] == list(CASES)
    assert len(results) >= 120
    assert {result["name"]: found for result in results if (found := _complaints(result))} == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("loader", "case", "complaint"),
    [
        ("unguarded-yaml", "alias-laughs", "not refused: accepted"),
        ("unguarded-yaml", "duplicate", "not refused: accepted"),
        ("unguarded-yaml", "nodes-flow", "s of CPU"),
        ("unguarded-archive", "zip-bzip2-bomb", "MiB"),
        ("unguarded-archive", "gzip-bomb", "MiB"),
        ("extracting", "zip-slip-0", "wrote"),
        ("dying", "text-word", "died of signal 11"),
    ],
)
def test_a_loader_without_a_guard_is_caught(loader: str, case: str, complaint: str, tmp_path: Path) -> None:
    [result] = _run(loader, [case], tmp_path)
    assert any(complaint in found for found in _complaints(result)), result
