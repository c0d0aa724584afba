"""The process runner does what every runner must do."""

from pathlib import Path

from lodestep.core.ports import Runner
from lodestep.testing.runner_suite import RunnerSuite
from tests.conformance.runner.made import process_runner


class TestProcessRunner(RunnerSuite):
    def make(self, home: Path) -> Runner:
        return process_runner(home)
