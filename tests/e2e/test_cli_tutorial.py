"""The tutorial's own code and commands, as a newcomer would type them."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "run-your-first-pipeline.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_works(tmp_path: Path) -> None:
    pytest.importorskip("kfp", reason="the tutorial compiles with kfp")
    (tmp_path / "pipeline.py").write_text(_blocks("python")[0])
    commands = [line for block in _blocks("shell") for line in block.splitlines() if line.startswith("lodestep ")]
    commands.remove("lodestep up")  # has a test of its own
    assert len(commands) >= 5
    outputs = {command: _typed(command, tmp_path) for command in commands}
    assert re.search(r"Output +\d+", outputs["lodestep run pipeline.py"])
    assert "twenty dice" in outputs["lodestep runs"]
    assert "counts twice" in outputs["lodestep logs latest double"]
    assert re.search(r"for-loop-\d+ .* 20/20", outputs["lodestep show latest"])


def _typed(command: str, folder: Path) -> str:
    words = shlex.split(command)
    ended = subprocess.run(
        [sys.executable, "-m", "lodestep.cli", *words[1:], "--home", str(folder / "home")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
