"""Messages, files, locks, signals and processes: the small parts that a step host is made of."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lodestep.runtime import hostlock, kernelkills, outcome, reap, wire
from lodestep.runtime.hostlock import HostLock
from lodestep.runtime.kernelkills import KernelKills

# messages


@pytest.mark.parametrize("seed", range(5))
def test_messages_arrive_however_they_are_cut(seed: int) -> None:
    draw = random.Random(seed)
    messages = [{"launch": {"text": "ü" * draw.randrange(3000), "n": n}} for n in range(20)]
    data = b"".join(map(wire.pack, messages))
    unpacker, found = wire.Unpacker(), []
    while data:
        size = draw.randrange(1, 4000)
        found += unpacker.feed(data[:size])
        data = data[size:]
    assert found == messages


def test_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        wire.Unpacker().feed(b"GET / HTTP/1.1\r\n")


# files


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"1"])
def test_file_that_is_not_whole_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / outcome.OUTCOME).write_bytes(content)
    assert outcome.read_json(str(tmp_path), outcome.OUTCOME) is None


def test_file_is_there_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome.write_json(str(tmp_path), "x.json", {"a": 1})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="space"):
        outcome.write_json(str(tmp_path), "x.json", {"a": 2})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}


# locks


def test_lock_is_held_by_one_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hostlock, "_PATIENCE_S", 0.05)
    assert HostLock("host").take()
    assert not HostLock("host").take()
    assert HostLock("another").take()
    held = hostlock.holder(str(tmp_path), "host")
    assert held is not None
    assert (held.pid, held.is_alive) == (os.getpid(), True)
    assert hostlock.holder(str(tmp_path), "none") is None


@pytest.mark.parametrize("text", ["", "1 2", "a b c", "999999 1 x"])
def test_broken_lock_file_names_nobody_alive(tmp_path: Path, text: str) -> None:
    (tmp_path / "host.lock").write_text(text)
    held = hostlock.holder(str(tmp_path), "host")
    assert held is None or not held.is_alive


# processes


def test_stat_of_this_process() -> None:
    seen = reap.stat(os.getpid())
    assert seen is not None
    assert seen.parent == os.getppid()
    assert seen.is_alive
    assert reap.is_alive(os.getpid(), seen.started)
    assert not reap.is_alive(os.getpid(), seen.started + 1)  # the same id, another process


@pytest.mark.parametrize("tells", [True, False])
def test_children_are_found_with_and_without_the_kernels_list(monkeypatch: pytest.MonkeyPatch, *, tells: bool) -> None:
    monkeypatch.setattr(reap, "_TELLS_CHILDREN", tells)
    with subprocess.Popen(["sh", "-c", "sleep 1000 & echo; wait"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in reap.children(os.getpid())
        assert child.pid in reap.own_children()
        below = reap.descendants(child.pid)
        assert len(below) == 1
        reap.kill({child.pid} | below)


def test_kill_known_spares_another_of_the_same_id() -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        seen = reap.stat(child.pid)
        assert seen is not None
        reap.kill_known(child.pid, seen.started + 1)
        assert reap.is_alive(child.pid, seen.started)
        reap.kill_known(child.pid, seen.started)
        assert child.wait() == -signal.SIGKILL
        assert reap.wait_gone(child.pid, seen.started, 5.0)


def test_wait_for_one_that_stays_ends_in_time() -> None:
    seen = reap.stat(os.getpid())
    assert seen is not None
    assert not reap.wait_gone(os.getpid(), seen.started, 0.05)


# signals

_LISTENS = """
import os, select, signal, sys
from lodestep.runtime.signals import Signals
signals = Signals((signal.SIGTERM, signal.SIGCHLD))
if os.fork() == 0:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.pause()
print('ready', flush=True)
heard = set()
while len(heard) < 2:
    select.select([signals.descriptor], [], [])
    heard |= signals.read()
    if signal.SIGTERM in heard:
        for pid in map(int, open(f'/proc/self/task/{os.getpid()}/children').read().split()):
            os.kill(pid, signal.SIGTERM)
print(sorted(heard), signals.read())
"""


def test_signals_are_heard_and_a_child_has_them_back() -> None:
    with subprocess.Popen([sys.executable, "-c", _LISTENS], stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"ready\n"
        os.kill(listener.pid, signal.SIGTERM)
        assert select.select([listener.stdout], [], [], 20)[0]
        assert listener.stdout.readline() == b"[15, 17] set()\n"


# what the kernel killed


def test_kill_is_claimed_once_and_not_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    total = 5
    monkeypatch.setattr(kernelkills, "_total", lambda: total)
    monkeypatch.setattr(kernelkills, "_FRESH_S", 0.0)
    kills = KernelKills()
    first = kills.so_far()
    assert not kills.claim(first, 0)  # killed by somebody, not by the kernel
    total = 6
    second = kills.so_far()  # begins after the kernel's
    assert not kills.claim(second, 0)
    assert not kills.claim(first, 1)  # another step's own limit explains it
    assert kills.claim(first, 0)
    assert not kills.claim(first, 0)
    total = 7
    kills.explain(1)
    assert not kills.claim(first, 0)
    total = 8
    assert kills.claim(second, 0)
