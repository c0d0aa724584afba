"""Environments of Python packages: made once, in parallel, whole or not at all, and told of in words."""

import asyncio
import os
import select
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lodestep.config import RunnerSettings, Settings
from lodestep.runners import environments as subject
from lodestep.runners import installer
from lodestep.runners.environments import Environment, EnvironmentFailed, Environments, Requirements
from tests.unit.runners.wheels import Index, serving, wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0", "3.0rc1"):
        wheel(folder, "alpha", version)
    wheel(folder, "beta", needs=("alpha<2",))
    wheel(folder, "gamma", source="def main():\n    print('ran gamma')")
    return folder


@pytest.fixture
def index(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_LINK_MODE", "copy")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with serving(wheels) as found:
        yield found


def made(root: Path, *wanted: Requirements, **runner: Any) -> list[Environment]:
    """The environments of these requirements, asked for at the same time. Raises the first failure."""

    async def story() -> list[Environment]:
        environments = Environments(root, Settings(home=str(root), runner=RunnerSettings(**runner)))
        return list(await asyncio.gather(*map(environments.ensure, wanted)))

    return asyncio.run(story())


def made_and_on_disk(root: Path, wanted: Requirements) -> Environment:
    """One environment, once all of it has reached the disk."""

    async def story() -> Environment:
        environment = await Environments(root, Settings(home=str(root))).ensure(wanted)
        await until((root / environment.digest / "on-disk").exists)
        return environment

    return asyncio.run(story())


def failed(root: Path, wanted: Requirements) -> EnvironmentFailed:
    with pytest.raises(EnvironmentFailed) as caught:
        made(root, wanted)
    return caught.value


def told(environment: Environment, program: str) -> str:
    """What a program prints in an environment."""
    return subprocess.run(
        [environment.python, "-I", "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def on(index: Index, *packages: str, **more: Any) -> Requirements:
    return Requirements(packages, (index.url,), **more)


VERSION = "import alpha; print(alpha.VERSION)"


# what is made


def test_packages_are_there_with_what_they_need(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    (environment,) = made(root, on(index, "beta", "gamma"))
    assert told(environment, VERSION + "; import beta, gamma") == "1.0"
    assert environment.python == str(root / environment.digest / "bin" / "python")
    assert told(environment, "import sys; print(sys.prefix)") == str(root / environment.digest)
    # It was moved when it was done: its programs must still find it.
    assert subprocess.check_output([root / environment.digest / "bin" / "run-gamma"], text=True) == "ran gamma\n"
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_the_same_requirements_are_made_once(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    first = made(root, *[on(index, "gamma", "alpha")] * 4)
    assert len(set(first)) == 1
    assert index.asked.count("gamma") == 1
    index.asked.clear()
    assert made(root, on(index, "alpha", "gamma"), on(index, "gamma", "gamma", "alpha")) == first[:1] * 2
    assert index.asked == []
    assert [path.name for path in root.iterdir()] == [first[0].digest]


def test_other_requirements_are_other_environments(tmp_path: Path, index: Index) -> None:
    wanted = [on(index, "alpha"), on(index, "alpha<2"), on(index, "alpha", trusted_hosts=("127.0.0.1",))]
    found = made(tmp_path / "environments", *wanted, on(index, "--pre", "alpha"))
    assert len({each.digest for each in found}) == 4
    assert [told(each, VERSION) for each in found] == ["2.0", "1.0", "2.0", "3.0rc1"]


def test_several_sets_are_made_at_the_same_time(tmp_path: Path, index: Index) -> None:
    """The index holds every answer until two different sets have asked."""
    index.hold = hold = threading.Event()

    async def story() -> list[Environment]:
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path)))
        making = asyncio.gather(environments.ensure(on(index, "alpha")), environments.ensure(on(index, "gamma")))
        await until(lambda: {"alpha", "gamma"} <= set(index.asked))
        hold.set()
        return list(await making)

    assert len(set(asyncio.run(story()))) == 2


def test_options_of_pip_count(tmp_path: Path, index: Index, wheels: Path) -> None:
    links = f"--find-links={wheels}"
    (environment,) = made(tmp_path / "environments", Requirements(("--no-index", links, "--no-deps", "beta")))
    assert told(environment, "import beta; print('beta')") == "beta"
    assert "No module named 'alpha'" in told(environment, "try: import alpha\nexcept ImportError as e: print(e)")
    assert index.asked == []


def test_more_indexes_count_with_the_best_version(tmp_path: Path, index: Index) -> None:
    wheel(tmp_path / "more", "alpha", "4.0")
    with serving(tmp_path / "more") as more:
        wanted = [
            Requirements(("alpha", "gamma"), (index.url, more.url)),
            on(index, f"--extra-index-url={more.url}", "alpha"),
        ]
        for environment in made(tmp_path / "environments", *wanted):
            assert told(environment, VERSION) == "4.0"


def test_the_index_of_pip_counts_where_uv_has_none(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index.url}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    (environment,) = made(tmp_path / "environments", Requirements(("alpha",)))
    assert told(environment, VERSION) == "2.0"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    assert "127.0.0.1:9" in failed(tmp_path / "environments", Requirements(("gamma",))).detail


# what it lies on


def test_packages_of_what_stands_in_for_the_image_are_seen_below(tmp_path: Path, index: Index) -> None:
    """As with an image: what is installed comes on top of what is there."""
    root = tmp_path / "environments"
    (base,) = made(root, on(index, "alpha==1.0", "gamma"))
    own, upper = made(root, on(index, "alpha"), on(index, "alpha", base=base.python))
    assert "No module named 'gamma'" in told(own, "try: import gamma\nexcept ImportError as e: print(e)")
    assert told(upper, VERSION + "; import gamma") == "2.0"
    assert own.digest != upper.digest
    # The server's own environment stands in where nothing else does.
    assert told(own, "import msgspec; print(msgspec.__name__)") == "msgspec"


def test_an_interpreter_that_is_none_is_told_so(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    assert "is not there" in failed(root, on(index, "alpha", base="/no/such/python")).message
    assert "no interpreter" in failed(root, on(index, "alpha", base="/bin/true")).message


# failures in words


def test_a_missing_package_is_told_in_words(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    error = failed(root, on(index, "alpha", "no-such-package>=2"))
    assert error.message.startswith(
        "could not install alpha, no-such-package>=2: Because no-such-package was not found"
    )
    assert "\n" not in error.message
    assert "no-such-package" in error.detail
    assert list(root.iterdir()) == []


def test_a_conflict_is_told_in_words(tmp_path: Path, index: Index) -> None:
    error = failed(tmp_path / "environments", on(index, "alpha>=2", "beta"))
    assert "beta depend on alpha<2" in error.message
    assert len(error.message) < 450


def test_an_index_that_is_not_there_is_told_in_words(tmp_path: Path, index: Index) -> None:
    error = failed(tmp_path / "environments", Requirements(("alpha",), ("http://127.0.0.1:9/simple",)))
    assert "refused" in error.message


def test_a_failure_is_not_kept(tmp_path: Path, index: Index) -> None:
    root, wanted = tmp_path / "environments", on(index, "delta")
    failed(root, wanted)
    path = wheel(index.folder, "delta")
    try:
        (environment,) = made(root, wanted)
    finally:
        path.unlink()
    assert told(environment, "import delta; print(delta.VERSION)") == "1.0"


def test_all_who_wait_are_told(tmp_path: Path, index: Index) -> None:
    async def story() -> list[object]:
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path)))
        waiting = [environments.ensure(on(index, "no-such-package")) for _ in range(3)]
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    assert [type(each) for each in asyncio.run(story())] == [EnvironmentFailed] * 3


@pytest.mark.parametrize("where", ["index", "extra", "links", "package"])
def test_passwords_are_shown_nowhere(tmp_path: Path, index: Index, where: str) -> None:
    secret = index.url.replace("://", "://user:hunter2@")
    wanted = {
        "index": Requirements(("alpha", "nope"), (secret,)),
        "extra": on(index, f"--extra-index-url={secret}", "alpha", "nope"),
        "links": on(index, f"--find-links={secret}/nope", "alpha", "nope"),
        "package": on(index, f"nope @ {secret.removesuffix('/simple')}/files/nope-1.0-py3-none-any.whl"),
    }[where]
    error = failed(tmp_path / "environments", wanted)
    assert "hunter2" not in error.message + error.detail + str(error)
    assert "nope" in error.message
    if where == "index":
        assert any(index.credentials)
        (environment,) = made(tmp_path / "environments", Requirements(("alpha",), (secret,)))
        folder = tmp_path / "environments" / environment.digest
        assert all(b"hunter2" not in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_passwords_are_not_in_the_command_line(tmp_path: Path, index: Index) -> None:
    secret = index.url.replace("://", "://user:hunter2@")
    index.hold = hold = threading.Event()

    async def story() -> list[bytes]:
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path)))
        package = f"alpha @ {secret.removesuffix('/simple')}/files/alpha-2.0-py3-none-any.whl"
        making = asyncio.ensure_future(environments.ensure(Requirements((package, "gamma"), (secret,))))
        await until(index.was_asked.is_set)
        lines = [of_process(pid, "cmdline") for pid in uv_processes(tmp_path)]
        hold.set()
        await making
        return lines

    lines = asyncio.run(story())
    assert lines
    assert not any(b"hunter2" in line for line in lines)


def test_what_is_no_requirement_is_refused(tmp_path: Path, index: Index) -> None:
    for word in ("alpha\n--pre", "alpha #x", "alpha @ http://x/${HOME}/a.whl"):
        assert "which is no requirement" in failed(tmp_path / "environments", on(index, word)).message
    for word in ("--target=/", "-e"):
        assert "which is not known here" in failed(tmp_path / "environments", on(index, word, "alpha")).message


def test_an_installer_sees_no_secret_of_the_server(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("MY_BUILD", "1")
    index.hold = hold = threading.Event()

    async def story() -> list[bytes]:
        runner = RunnerSettings(pass_environment=["MY_*"])
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path), runner=runner))
        making = asyncio.ensure_future(environments.ensure(on(index, "alpha")))
        await until(index.was_asked.is_set)
        seen = [of_process(pid, "environ") for pid in uv_processes(tmp_path)]
        hold.set()
        await making
        return seen

    seen = asyncio.run(story())
    assert seen
    assert all(b"hunter2" not in each and b"MY_BUILD=1" in each and b"HOME=" in each for each in seen)


# crashes and cancellation


def test_one_who_waits_may_go_and_the_others_get_theirs(tmp_path: Path, index: Index) -> None:
    index.hold = hold = threading.Event()

    async def story() -> Environment:
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path)))
        first = asyncio.ensure_future(environments.ensure(on(index, "alpha")))
        second = asyncio.ensure_future(environments.ensure(on(index, "alpha")))
        await until(index.was_asked.is_set)
        first.cancel()
        hold.set()
        return await second

    assert told(asyncio.run(story()), VERSION) == "2.0"


def test_the_end_of_the_server_ends_the_installer(tmp_path: Path, index: Index) -> None:
    index.hold = threading.Event()

    async def story() -> list[int]:
        environments = Environments(tmp_path / "environments", Settings(home=str(tmp_path)))
        making = asyncio.ensure_future(environments.ensure(on(index, "alpha")))
        await until(index.was_asked.is_set)
        making.cancel()
        return uv_processes(tmp_path)

    pids = asyncio.run(story())
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list((tmp_path / "environments").iterdir()) == []


KILLED = """
import asyncio, sys
from lodestep.config import Settings
from lodestep.runners.environments import Environments, Requirements
environments = Environments(__import__("pathlib").Path(sys.argv[1]), Settings(home=sys.argv[1]))
asyncio.run(environments.ensure(Requirements(("alpha",), (sys.argv[2],))))
"""


def test_what_a_killed_server_left_half_made_is_made_anew(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    index.hold = hold = threading.Event()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(root), index.url]) as server:
        assert index.was_asked.wait(60)
        orphans = uv_processes(tmp_path)
        server.send_signal(signal.SIGKILL)
    index.hold = None  # for the next one who asks: the orphan still waits for its answer
    left = [path.name for path in root.iterdir()]
    assert len(left) == 1
    assert left[0].endswith(".partial")
    (environment,) = made(root, on(index, "alpha"))
    assert told(environment, VERSION) == "2.0"
    assert [path.name for path in root.iterdir()] == [environment.digest]
    assert orphans
    for pid in orphans:
        assert wait_for_end(pid)
    hold.set()


@pytest.mark.parametrize("broken", ["no marker", "half a marker", "no interpreter", "not on the disk"])
def test_an_environment_that_is_not_whole_is_made_anew(tmp_path: Path, index: Index, broken: str) -> None:
    root = tmp_path / "environments"
    environment = made_and_on_disk(root, on(index, "alpha"))
    folder = root / environment.digest
    marker = folder / "lodestep.json"
    if broken == "no marker":
        marker.unlink()
    elif broken == "half a marker":
        marker.write_bytes(marker.read_bytes()[:20])
    elif broken == "no interpreter":
        (folder / "bin" / "python").unlink()
        (folder / "bin" / "python").symlink_to("/no/such/python")
    else:  # the machine went down before its files had reached the disk
        (folder / "on-disk").unlink()
        marker.write_text(marker.read_text().replace('"boot":"', '"boot":"another-'))
    (folder / "lib").rename(folder / "lost")
    assert made(root, on(index, "alpha")) == [environment]
    assert told(environment, VERSION) == "2.0"
    assert [path.name for path in root.iterdir()] == [environment.digest]


def test_an_environment_of_an_earlier_boot_serves_on(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "environments"
    environment = made_and_on_disk(root, on(index, "alpha"))
    marker = root / environment.digest / "lodestep.json"
    marker.write_text(marker.read_text().replace('"boot":"', '"boot":"another-'))
    index.asked.clear()
    assert made(root, on(index, "alpha")) == [environment]
    assert index.asked == []


def test_a_mutant_that_trusts_any_folder_is_caught(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "environments"
    (environment,) = made(root, on(index, "alpha"))
    (root / environment.digest / "lodestep.json").unlink()
    (root / environment.digest / "lib").rename(root / environment.digest / "lost")
    monkeypatch.setattr(subject.Environments, "_is_whole", lambda self, folder: folder.exists())
    made(root, on(index, "alpha"))
    with pytest.raises(subprocess.CalledProcessError):
        told(environment, VERSION)


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path, index: Index) -> None:
    (tmp_path / "environments").write_text("a file")
    assert "could not be written" in failed(tmp_path / "environments", on(index, "alpha")).message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/simple", "https://***@host/simple"),
        ("git+https://token@host/a@main", "git+https://***@host/a@main"),
        ("two https://a:b@c/d and http://e@f", "two https://***@c/d and http://***@f"),
        ("https://host/a@1.0", "https://host/a@1.0"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert installer.masked(text) == shown


# waiting


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another thread or process brings about."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - it sets no event of this loop
            await asyncio.sleep(0.005)


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def uv_processes(folder: Path) -> list[int]:
    """Processes of uv that install below a folder."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if b"pip\0install" in line and os.fsencode(folder) in line:
                found.append(int(entry.name))
    return found


def wait_for_end(pid: int) -> bool:
    """Of a process that is nobody's child here."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([descriptor], [], [], 60)
    os.close(descriptor)
    return bool(ready)
