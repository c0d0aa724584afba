"""Python components through the process runner: called in a fork, told about in words."""

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lodestep.core.model import FailureKind, Outcome
from lodestep.core.states import AttemptStatus
from lodestep.runners import hostlink
from lodestep.spec.ir import ParameterType
from lodestep.testing.runner_rig import RunnerRig
from lodestep.testing.runner_suite import failure_of, log_of
from tests.conformance.runner.made import mutated_runtime, process_runner, python_step, with_packages

INTEGER = ParameterType.NUMBER_INTEGER


def run_python(home: Path, body: str, limit: int = 0, **changes: Any) -> tuple[Outcome, str]:
    """The outcome and the log of `def f(a: int) -> int: BODY` for a = 20."""
    source = "def f(a: int) -> int:\n" + "".join(f"    {line}\n" for line in body.splitlines())

    async def story() -> tuple[Outcome, str]:
        async with RunnerRig(process_runner, home) as rig:
            place = rig.spec(name="step").directory
            spec = rig.spec(*python_step(source, "f", place, a=20), name="step", **changes)
            spec = rig.with_parameters(spec, Output=INTEGER)
            outcome = await rig.run(rig.memory_limited(spec, limit) if limit else spec)
            return outcome, log_of(spec)

    return asyncio.run(story())


def test_value_and_output(tmp_path: Path) -> None:
    outcome, log = run_python(tmp_path, "print('said', a)\nreturn a + 1")
    assert outcome.outputs.parameters == {"Output": 21}
    assert log == "said 20\n"


def test_exception_is_told_with_its_traceback(tmp_path: Path) -> None:
    outcome, log = run_python(tmp_path, "raise ValueError('three is too many')")
    failure = failure_of(outcome)
    assert failure.kind is FailureKind.USER_CODE
    assert failure.message == "ValueError: three is too many"
    assert "raise ValueError" in failure.detail
    assert "lodestep" not in failure.detail
    assert "raise ValueError" in log


def test_missing_module_says_what_to_do(tmp_path: Path) -> None:
    failure = failure_of(run_python(tmp_path, "import no_such_module\nreturn 1")[0])
    assert "no_such_module" in failure.message
    assert "packages_to_install" in failure.hint


@pytest.mark.parametrize(("body", "code"), [("import sys; sys.exit(4)", 4), ("import os; os._exit(5)", 5)])
def test_exit_code(tmp_path: Path, body: str, code: int) -> None:
    failure = failure_of(run_python(tmp_path, body)[0])
    assert (failure.kind, failure.exit_code) == (FailureKind.EXIT, code)


def test_step_sees_no_server(tmp_path: Path) -> None:
    body = """import os, sys
print(sorted(name for name in os.environ))
print([module for module in sys.modules if module.partition('.')[0] in ('lodestep', 'msgspec', 'yaml')])
print([fd for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)])
print(os.getcwd(), os.getsid(0) == os.getpid(), sys.stdin.read() == '')
return 1"""
    _, log = run_python(tmp_path, body, env={"MINE": "1"})
    names, modules, descriptors, place = log.splitlines()
    assert "'MINE'" in names
    assert not any(word in names for word in ("PYTEST", "TOKEN", "LODESTEP_HOME"))
    assert modules == "[]"
    assert descriptors == "['0', '1', '2']"
    assert place == f"{tmp_path}/runs/run/step/work True True"


@pytest.fixture(params=["a shell's child", "deaf"])
def start(request: pytest.FixtureRequest) -> Iterator[None]:
    """As a shell starts a program, and as one that is started in the background may be: with signals ignored."""
    deaf = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT) if request.param == "deaf" else ()
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in deaf]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def signals_of(status: str) -> dict[str, set[int]]:
    """The signals of each set, without the two that the C library keeps for itself and lets nobody set."""
    found = re.findall(r"Sig(Blk|Ign|Cgt):\s*(\w+)", status)
    return {name: {n for n in range(1, 65) if int(mask, 16) >> (n - 1) & 1} - {32, 33} for name, mask in found}


@pytest.mark.usefixtures("start")
def test_signals_are_as_a_program_expects_them(tmp_path: Path) -> None:
    """Nothing is blocked. Python ignores two, so that it can raise; other programs have every default."""
    body = """import os
read, write = os.pipe()
os.close(read)
try:
    os.write(write, b'x')
except BrokenPipeError:
    print('raised')
print(open('/proc/self/status').read())
return 1"""
    _, log = run_python(tmp_path, body)
    assert log.startswith("raised\n")
    own = log.rpartition("Name:")[2]
    assert signals_of(own) == {
        "Blk": set(),
        "Ign": {signal.SIGPIPE, signal.SIGXFSZ},
        "Cgt": {signal.SIGINT},  # which raises
    }

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path / "other") as rig:
            for _ in range(2):  # forked for, and by the spare
                spec = rig.spec("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
                await rig.run(spec)
                assert signals_of(log_of(spec)) == {"Blk": set(), "Ign": set()}

    asyncio.run(story())


def test_step_is_shown_by_its_name(tmp_path: Path) -> None:
    """In `ps`, where it would look like its step host."""
    show = "print(open('/proc/self/cmdline').read().rstrip(chr(0)), open('/proc/self/comm').read())\nreturn 1"
    _, log = run_python(tmp_path, show, task_path="for-loop-1[3]/train")
    assert log == "lodestep: step for-loop-1[3]/train lodestep: step\n\n"


def test_two_steps_share_nothing(tmp_path: Path) -> None:
    source = "def f(a: int) -> int:\n    import random, sys\n    sys.spoiled = getattr(sys, 'spoiled', 0) + 1\n"
    source += "    print(random.random())\n    return sys.spoiled\n"

    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            drawn: set[str] = set()
            for number in range(4):
                place = rig.spec(name=str(number)).directory
                spec = rig.spec(*python_step(source, "f", place, a=1), name=str(number))
                outcome = await rig.run(rig.with_parameters(spec, Output=INTEGER))
                assert outcome.outputs.parameters == {"Output": 1}
                drawn.add(log_of(spec))
            assert len(drawn) == 4

    asyncio.run(story())


def test_memory_error_is_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no control group can be had, the address space is limited."""
    no_limit = ("host.py", "if memory or cpus else None", "if False else None")
    monkeypatch.setattr(hostlink, "_ENTRY", mutated_runtime(tmp_path, *no_limit))
    for number in range(3):
        outcome, _ = run_python(tmp_path / str(number), "x = b'x' * (400 << 20)\nreturn len(x)", limit=200 << 20)
        failure = failure_of(outcome)
        assert failure.kind is FailureKind.OUT_OF_MEMORY
        assert "limit 200 MiB, peak" in failure.message


def test_cpu_limit_is_told_to_libraries(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            limited = rig.cpu_limited(rig.shell("echo $OMP_NUM_THREADS; nproc"), 1.0)
            await rig.run(limited)
            assert log_of(limited).split()[0] == "1"
            given = rig.cpu_limited(rig.shell("echo $OMP_NUM_THREADS", env={"OMP_NUM_THREADS": "7"}), 1.0)
            await rig.run(given)
            assert log_of(given) == "7\n"

    asyncio.run(story())


def test_environment_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            command = python_step("def f() -> int:\n    return 1\n", "f", "/nowhere")
            spec = rig.spec(*with_packages(command, "/no/such/package-1.0-py3-none-any.whl"))
            failure = failure_of(await rig.run(spec))
            assert failure.kind is FailureKind.ENVIRONMENT
            assert "package-1.0" in failure.message + failure.detail

    asyncio.run(story())


def test_cancel_while_the_environment_is_made(tmp_path: Path) -> None:
    async def story() -> None:
        async with RunnerRig(process_runner, tmp_path) as rig:
            command = python_step("def f() -> int:\n    return 1\n", "f", "/nowhere")
            spec = rig.spec(*with_packages(command, "/no/such/package-1.0-py3-none-any.whl"))
            await rig.runner.launch(spec)
            await rig.runner.cancel(spec.attempt_id, 1.0)
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
            assert rig.count_ends(spec.attempt_id) == 1

    asyncio.run(story())
