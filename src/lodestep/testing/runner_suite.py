"""What every runner must do. To test one, subclass `RunnerSuite` in a pytest module and give it `make`.

    class TestMyRunner(RunnerSuite):
        def make(self, home: Path) -> Runner:
            return MyRunner(home)

The steps are small shell scripts. A runner whose steps do not see this machine's files cannot pass it.
"""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

from lodestep.core.launch import LaunchSpec
from lodestep.core.model import Failure, FailureKind, Outcome
from lodestep.core.ports import Runner, RunnerEnded, RunnerStarted
from lodestep.core.states import AttemptStatus
from lodestep.runtime import logfile
from lodestep.spec.ir import ParameterType
from lodestep.testing.runner_rig import RunnerRig, Signpost, wait_until


def failure_of(outcome: Outcome) -> Failure:
    assert outcome.state is AttemptStatus.FAILED, outcome
    assert outcome.failure is not None
    return outcome.failure


def log_of(spec: LaunchSpec) -> str:
    data, _ = logfile.read(spec.directory, 0, 1 << 20)
    return data.decode()


def text_of(spec: LaunchSpec, name: str) -> str:
    return Path(spec.directory, name).read_text()


def files_of(spec: LaunchSpec) -> dict[str, bytes]:
    """Every file of an attempt's folder, by its relative path."""
    folder = Path(spec.directory)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def say(spec: LaunchSpec, pipe: str) -> None:
    """Let a step go on that reads a line from a named pipe. Blocks until it does."""
    Path(spec.directory, pipe).write_text("now\n")


class RunnerSuite:
    def make(self, home: Path) -> Runner:
        """A fresh runner of this home."""
        raise NotImplementedError

    def go(self, home: Path, story: Callable[[RunnerRig], Coroutine[Any, Any, None]]) -> None:
        """Run `story` with a rig around a fresh runner."""

        async def with_rig() -> None:
            async with RunnerRig(self.make, home) as rig:
                await story(rig)

        asyncio.run(with_rig())

    @contextlib.contextmanager
    def signpost(self, home: Path) -> Generator[Signpost]:
        home.mkdir(parents=True, exist_ok=True)
        post = Signpost(home / "signpost")
        try:
            yield post
        finally:
            post.close()

    @contextlib.asynccontextmanager
    async def waiting_step(self, rig: RunnerRig, script: str = "") -> AsyncGenerator[tuple[LaunchSpec, Signpost]]:
        """An attempt that runs until it is ended, once its code has begun."""
        with self.signpost(rig.home) as post:
            spec = rig.shell(f"exec 9> '{post.path}'; {script} echo here >&9; while :; do sleep 100; done")
            await rig.runner.launch(spec)
            await post.says("here")
            yield spec, post

    # launch and end

    def test_step_is_started_and_ends(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("echo to stdout; echo to stderr >&2")
            outcome = await rig.run(spec)
            assert outcome.state is AttemptStatus.SUCCEEDED
            assert [type(event) for event in rig.events] == [RunnerStarted, RunnerEnded]
            assert 0 < outcome.started_ms <= outcome.ended_ms
            assert outcome.usage.max_rss_bytes > 0
            assert log_of(spec) == "to stdout\nto stderr\n"

        self.go(tmp_path, story)

    def test_second_launch_starts_nothing(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("echo ran >> {dir}/../count")
            await asyncio.gather(rig.runner.launch(spec), rig.runner.launch(spec))
            await rig.ended(spec.attempt_id)
            await rig.restart()
            await rig.runner.launch(spec)  # by a server that does not know that it has ended
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.SUCCEEDED
            assert text_of(spec, "../count") == "ran\n"

        self.go(tmp_path, story)

    def test_many_at_once(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            specs = [rig.with_parameters(rig.shell(f"echo {i} > {{dir}}/outputs/n"), n=_INTEGER) for i in range(20)]
            outcomes = await asyncio.gather(*map(rig.run, specs))
            assert [outcome.outputs.parameters for outcome in outcomes] == [{"n": i} for i in range(20)]

        self.go(tmp_path, story)

    def test_exit_code_and_last_lines_are_told(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            failure = failure_of(await rig.run(rig.shell("echo first; echo the reason >&2; exit 3")))
            assert (failure.kind, failure.exit_code) == (FailureKind.EXIT, 3)
            assert "3" in failure.message
            assert "the reason" in failure.message
            assert failure.detail == "first\nthe reason\n"

        self.go(tmp_path, story)

    def test_signal_is_named(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            failure = failure_of(await rig.run(rig.shell("kill -SEGV $$")))
            assert (failure.kind, failure.signal) == (FailureKind.SIGNAL, signal.SIGSEGV)
            assert "SIGSEGV" in failure.message

        self.go(tmp_path, story)

    def test_missing_program_is_named(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            why = rig.runner.unsupported("example.org/image", ["no-such-program-here", "--help"])
            assert "no-such-program-here" in why
            assert "example.org/image" in why
            assert rig.runner.unsupported("example.org/image", ["sh", "-c", "true"]) == ""
            failure = failure_of(await rig.run(rig.spec("no-such-program-here")))
            assert failure.kind is FailureKind.CANNOT_RUN
            assert "no-such-program-here" in failure.message

        self.go(tmp_path, story)

    # what a step sees

    def test_step_sees_only_what_it_was_given(self, tmp_path: Path) -> None:
        os.environ["SERVER_SECRET"] = "hidden"
        try:

            async def story(rig: RunnerRig) -> None:
                spec = rig.shell("env", env={"GIVEN": "one\ntwo"}, secret_env={"PASSWORD": "opensesame"})
                await rig.run(spec)
                seen = log_of(spec)
                assert "GIVEN=one\ntwo\n" in seen
                assert "PASSWORD=opensesame" in seen
                assert f"LODESTEP_ATTEMPT={spec.attempt_id}\n" in seen
                assert "hidden" not in seen
                kept = files_of(spec)
                assert "started.json" in kept
                assert not any(b"opensesame" in content for name, content in kept.items() if name != "log")

            self.go(tmp_path, story)
        finally:
            del os.environ["SERVER_SECRET"]

    def test_step_has_a_place_of_its_own(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("pwd; umask; ls /proc/self/fd | wc -l; cat; ps -o sid= -p $$ | grep -qw $$ && echo leads")
            await rig.run(spec)
            # 3: and the one that `ls` itself opens.
            assert log_of(spec).split() == [f"{spec.directory}/work", "0077", "4", "leads"]
            assert os.stat(spec.directory).st_mode & 0o777 == 0o700

        self.go(tmp_path, story)

    def test_arguments_arrive_byte_for_byte(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            words = ["", " two  words ", "$HOME `id` $(id)", "quo'te\"", "line\nline", "\\", "ünï ☃", "*", "{{$}}"]
            spec = rig.spec("sh", "-c", 'for word in "$@"; do printf "[%s]" "$word"; done', "sh", *words)
            await rig.run(spec)
            assert log_of(spec) == "".join(f"[{word}]" for word in words)

        self.go(tmp_path, story)

    # outputs

    def test_parameters_are_read_by_type(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            script = "cd {dir}/outputs; echo 3 > i; echo 2.5 > d; printf 'a\\nb' > s; echo '[1, {\"a\": 2}]' > l"
            spec = rig.with_parameters(
                rig.shell(script), i=_INTEGER, d=_TYPES.NUMBER_DOUBLE, s=_TYPES.STRING, l=_TYPES.LIST
            )
            outcome = await rig.run(spec)
            assert outcome.outputs.parameters == {"i": 3, "d": 2.5, "s": "a\nb", "l": [1, {"a": 2}]}

        self.go(tmp_path, story)

    def test_executor_output_counts_more_than_files(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            document = '{"parameterValues": {"n": 2}}'
            script = f"cd {{dir}}/outputs; echo 1 > n; echo '{document}' > executor_output.json"
            outcome = await rig.run(rig.with_parameters(rig.shell(script), n=_INTEGER))
            assert outcome.outputs.parameters == {"n": 2}

        self.go(tmp_path, story)

    def test_bad_output_is_named(self, tmp_path: Path) -> None:
        cases = [
            ("true", FailureKind.OUTPUT_MISSING),
            ("echo three > n", FailureKind.BAD_OUTPUT),
            ("printf '\\377' > n", FailureKind.BAD_OUTPUT),
            ("mkdir n", FailureKind.BAD_OUTPUT),
            ("mkfifo n", FailureKind.BAD_OUTPUT),
            ("ln -s /dev/zero n", FailureKind.BAD_OUTPUT),
            ("head -c 2000 /dev/zero > n", FailureKind.BAD_OUTPUT),
            ('echo \'{"parameterValues": {"n": NaN}}\' > executor_output.json', FailureKind.BAD_OUTPUT),
            ('echo \'{"parameterValues": {"n": "x"}}\' > executor_output.json', FailureKind.BAD_OUTPUT),
        ]

        async def story(rig: RunnerRig) -> None:
            for script, kind in cases:
                spec = rig.shell(f"cd {{dir}}/outputs; {script}", output_parameter_bytes=1000)
                failure = failure_of(await rig.run(rig.with_parameters(spec, n=_INTEGER)))
                assert failure.kind is kind, (script, failure)
                assert "'n'" in failure.message or "/n" in failure.message, (script, failure)

        self.go(tmp_path, story)

    def test_broken_executor_output_fails_the_step_alone(self, tmp_path: Path) -> None:
        broken = ["{", "[]", "null", "[" * 5000, '{"parameterValues": 1}']
        broken += ['{"artifacts": {"data": {"artifacts": [1]}}}']
        broken += ['{"artifacts": {"data": {"artifacts": [{"metadata": [], "uri": 1}]}}}']

        async def story(rig: RunnerRig) -> None:
            for document in broken:
                spec = rig.shell(f"printf %s '{document}' > {{dir}}/outputs/executor_output.json")
                spec, _ = rig.with_artifact(spec)
                assert failure_of(await rig.run(spec)).kind is FailureKind.BAD_OUTPUT, document
            assert (await rig.run(rig.shell("true"))).state is AttemptStatus.SUCCEEDED

        self.go(tmp_path, story)

    def test_too_large_parameter_names_the_limit(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("head -c 64000000 /dev/zero > {dir}/outputs/n", output_parameter_bytes=1000)
            failure = failure_of(await rig.run(rig.with_parameters(spec, n=_TYPES.STRING)))
            assert "64000000" in failure.message
            assert "1000" in failure.message
            assert not failure.retryable

        self.go(tmp_path, story)

    def test_artifact_is_there_with_size_and_digest(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("printf content > {dir}/../../../artifacts/{name}/data".replace("{name}", "attempt-1"))
            spec, path = rig.with_artifact(spec)
            (artifact,) = (await rig.run(spec)).outputs.artifacts["data"]
            assert path.read_text() == "content"
            assert (artifact.size, artifact.digest) == (7, hashlib.sha256(b"content").hexdigest())
            assert artifact.uri == f"file://{path}"
            assert artifact.type == "system.Dataset"

        self.go(tmp_path, story)

    def test_artifact_without_a_file_is_its_metadata(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            document = '{"artifacts": {"data": {"artifacts": [{"name": "shown", "metadata": {"rows": 2.0}}]}}}'
            spec, _ = rig.with_artifact(rig.shell(f"echo '{document}' > {{dir}}/outputs/executor_output.json"))
            (artifact,) = (await rig.run(spec)).outputs.artifacts["data"]
            assert (artifact.name, artifact.metadata, artifact.digest) == ("shown", {"rows": 2}, "")

        self.go(tmp_path, story)

    def test_artifact_at_a_path_of_its_own_is_brought_home(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            document = '{"artifacts": {"data": {"artifacts": [{"custom_path": "%s/mine"}]}}}'
            told = f"printf '{document}' \"$PWD\" > {{dir}}/outputs/executor_output.json"
            script = f"mkdir mine; echo 1 > mine/a; {told}"
            spec, path = rig.with_artifact(rig.shell(script))
            (artifact,) = (await rig.run(spec)).outputs.artifacts["data"]
            assert (path / "a").read_text() == "1\n"
            assert artifact.uri == f"file://{path}"
            assert (artifact.size, bool(artifact.digest)) == (2, True)

        self.go(tmp_path, story)

    def test_uri_that_a_step_chose_is_kept(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            document = '{"artifacts": {"data": {"artifacts": [{"uri": "s3://bucket/key"}]}}}'
            spec, _ = rig.with_artifact(rig.shell(f"echo '{document}' > {{dir}}/outputs/executor_output.json"))
            (artifact,) = (await rig.run(spec)).outputs.artifacts["data"]
            assert artifact.uri == "s3://bucket/key"

        self.go(tmp_path, story)

    # the log

    def test_log_is_bounded_and_offsets_are_stable(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("seq 1 20000", log_bytes=40_000)
            await rig.run(spec)
            whole = "".join(f"{n}\n" for n in range(1, 20001)).encode()
            kept = [content for name, content in files_of(spec).items() if name.startswith("log")]
            assert sum(map(len, kept)) <= 40_000 + (1 << 20)
            assert logfile.size(spec.directory) == len(whole)
            offset, seen = 0, b""
            while True:
                data, after = logfile.read(spec.directory, offset, 1000)
                if not data:
                    break
                if b"left out" not in data:
                    assert data == whole[offset:after]
                seen += data
                offset = after
            assert seen.startswith(b"1\n2\n")
            assert seen.endswith(b"19999\n20000\n")
            assert seen.count(b"left out") == 1

        self.go(tmp_path, story)

    # being ended

    def test_cancel_ends_the_whole_tree(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            async with self.waiting_step(rig, "(sleep 1000 &) ; (setsid sleep 1000 &) ;") as (spec, post):
                assert post.is_held()
                await rig.runner.cancel(spec.attempt_id, 10.0)
                assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
                assert not post.is_held()
                await rig.runner.cancel(spec.attempt_id, 10.0)  # late: changes nothing
                assert rig.count_ends(spec.attempt_id) == 1

        self.go(tmp_path, story)

    def test_cancel_kills_what_does_not_listen(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            async with self.waiting_step(rig, "trap '' TERM;") as (spec, post):
                await rig.runner.cancel(spec.attempt_id, 0.2)
                assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
                assert not post.is_held()

        self.go(tmp_path, story)

    def test_cancel_at_any_moment(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            for turns in range(30):
                spec = rig.shell("sleep 1000")
                launching = asyncio.create_task(rig.runner.launch(spec))
                for _ in range(turns):
                    await asyncio.sleep(0)
                await rig.runner.cancel(spec.attempt_id, 5.0)
                await launching
                await rig.runner.cancel(spec.attempt_id, 5.0)
                assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
                assert rig.count_ends(spec.attempt_id) == 1

        self.go(tmp_path, story)

    def test_timeout(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            with self.signpost(rig.home) as post:
                spec = rig.shell(f"exec 9> '{post.path}'; sleep 1000", timeout_s=0.2, grace_s=0.1)
                failure = failure_of(await rig.run(spec))
                assert failure.kind is FailureKind.TIMEOUT
                assert "0.2" in failure.message
                assert not post.is_held()

        self.go(tmp_path, story)

    def test_killed_from_outside(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            async with self.waiting_step(rig, "echo $$ > {dir}/pid;") as (spec, post):
                os.kill(int(text_of(spec, "pid")), signal.SIGKILL)
                failure = failure_of(await rig.ended(spec.attempt_id))
                assert (failure.kind, failure.signal) == (FailureKind.SIGNAL, signal.SIGKILL)
                assert not post.is_held()

        self.go(tmp_path, story)

    def test_what_a_step_leaves_behind_is_ended(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            with self.signpost(rig.home) as post:
                deaf = "setsid sh -c 'trap \"\" TERM; echo up >&9; sleep 1000'"
                spec = rig.shell(f"mkfifo {{dir}}/go; exec 9> '{post.path}'; {deaf} & read x < {{dir}}/go")
                await rig.runner.launch(spec)
                await post.says("up")
                await asyncio.to_thread(say, spec, "go")
                assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.SUCCEEDED
                assert not post.is_held()

        self.go(tmp_path, story)

    # after a restart of the server

    def test_running_attempt_is_adopted(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            with self.signpost(rig.home) as post:
                script = f"mkfifo {{dir}}/go; echo ran >> {{dir}}/../count; echo here > '{post.path}'"
                spec = rig.shell(f"{script}; read x < {{dir}}/go; echo 7 > {{dir}}/outputs/n")
                spec = rig.with_parameters(spec, n=_INTEGER)
                await rig.runner.launch(spec)
                await post.says("here")
                await rig.restart()
                await rig.runner.adopt([spec])
                await rig.started(spec.attempt_id)
                await asyncio.to_thread(say, spec, "go")
                outcome = await rig.ended(spec.attempt_id)
                assert outcome.outputs.parameters == {"n": 7}
                assert text_of(spec, "../count") == "ran\n"

        self.go(tmp_path, story)

    def test_adopted_attempt_can_be_cancelled(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            async with self.waiting_step(rig) as (spec, post):
                await rig.restart()
                await rig.runner.adopt([spec])
                await rig.runner.cancel(spec.attempt_id, 5.0)
                assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.CANCELED
                assert not post.is_held()

        self.go(tmp_path, story)

    def test_end_without_a_server_is_not_lost(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            with self.signpost(rig.home) as post:
                script = f"mkfifo {{dir}}/go; exec 9> '{post.path}'; echo here >&9; read x < {{dir}}/go"
                spec = rig.with_parameters(rig.shell(f"{script}; echo 7 > {{dir}}/outputs/n"), n=_INTEGER)
                await rig.runner.launch(spec)
                await post.says("here")
                await rig.runner.close()
                await asyncio.to_thread(say, spec, "go")
                await asyncio.to_thread(wait_until, lambda: logfile.is_complete(spec.directory))
                await rig.restart()
                await rig.runner.adopt([spec])
                assert (await rig.ended(spec.attempt_id)).outputs.parameters == {"n": 7}

        self.go(tmp_path, story)

    def test_attempt_that_never_began_is_launched(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            spec = rig.shell("echo ran >> {dir}/../count")
            os.makedirs(spec.directory)
            await rig.runner.adopt([spec])
            assert (await rig.ended(spec.attempt_id)).state is AttemptStatus.SUCCEEDED
            assert text_of(spec, "../count") == "ran\n"

        self.go(tmp_path, story)

    # limits

    def test_out_of_memory_is_named(self, tmp_path: Path) -> None:
        async def story(rig: RunnerRig) -> None:
            hungry = "x = b'x' * (200 << 20)"
            spec = rig.memory_limited(rig.spec("python3", "-c", hungry), 100 << 20)
            failure = failure_of(await rig.run(spec))
            assert failure.kind is FailureKind.OUT_OF_MEMORY
            assert "100 MiB" in failure.message
            assert "peak" in failure.message

        self.go(tmp_path, story)


_TYPES = ParameterType
_INTEGER = ParameterType.NUMBER_INTEGER
