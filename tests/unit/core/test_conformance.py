"""Every pipeline of the conformance data, run by the machine and by the reference interpreter: the same end."""

import json
from pathlib import Path

import pytest

from lodestep.core import check, machine, plan
from lodestep.core.commands import Launch, LookUpCache
from lodestep.core.events import AttemptEnded, CacheAnswered, Event, RunStarted
from lodestep.core.model import Failure, FailureKind, Outcome, RunHeader
from lodestep.core.states import AttemptStatus
from lodestep.spec import load, values
from lodestep.testing import reference, sim_check
from lodestep.testing.sim_script import SimScript

FOLDER = Path(__file__).parents[4] / "shared" / "conformance"
EXPECT = json.loads((FOLDER / "expect.json").read_text()) if FOLDER.exists() else {}
SCRIPTS = [SimScript(seed, trouble=trouble) for seed, trouble in ((1, 0.0), (2, 0.0), (3, 0.3))]

pytestmark = pytest.mark.skipif(not EXPECT, reason="the conformance data is not there")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: f"seed{script._seed}")
@pytest.mark.parametrize("name", sorted(EXPECT))
def test_the_machine_and_the_reference_agree(name: str, script: SimScript) -> None:
    document = load.read_upload((FOLDER / "pipelines" / name).read_bytes(), filename=name)
    if document.spec.root.input_definitions.artifacts:
        pytest.skip("a run cannot be given an artifact")
    parameters = values.run_parameters(document.spec, EXPECT[name].get("params", {}))
    header = RunHeader(
        run_id="run",
        name="run",
        pipeline_name=document.name,
        resource_name="pipeline-abcde",
        spec_digest=document.digest,
        parameters=parameters,
    )
    state = machine.new_state(header, plan.build(document))
    waiting: list[Event] = [RunStarted(at_ms=1)]
    while waiting:
        for command in machine.step(state, waiting.pop(0)).commands:
            if isinstance(command, LookUpCache):
                waiting.append(CacheAnswered(at_ms=2, task_id=command.task_id))
            if isinstance(command, Launch):
                waiting.append(ended(state, command, script))
        check.invariants(state)
    assert state.terminal
    sim_check.result(state, document.spec, script)


def ended(state: machine.RunState, launch: Launch, script: SimScript) -> AttemptEnded:
    task = state.tasks[launch.task_id]
    outcome = Outcome(
        state=AttemptStatus.FAILED, failure=Failure(kind=FailureKind.EXIT, message="exit code 1", retryable=False)
    )
    if script.succeeds(task.path, 0):
        outputs = script.outputs(task.path, task.inputs, state.plan.component_of(task))
        outcome = Outcome(state=AttemptStatus.SUCCEEDED, outputs=outputs)
    return AttemptEnded(at_ms=3, attempt_id=launch.attempt_id, task_id=launch.task_id, outcome=outcome)


def test_the_reference_runs_what_it_is_given() -> None:
    document = load.read_upload((FOLDER / "pipelines" / "nested_with_parameters.yaml").read_bytes())
    found = reference.run(document.spec, {}, SCRIPTS[0], resource_name="x")
    assert [len(inner) for inner in found[""].outputs.parameters["Output"]] == [3, 3, 3]
