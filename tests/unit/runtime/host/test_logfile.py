"""The log on disk: what is written is read again, wherever one begins and however little one takes at a time."""

import os
import random
from pathlib import Path

import pytest

from lodestep.runtime import logfile
from lodestep.runtime.logfile import LogWriter
from lodestep.runtime.outcome import OUTCOME


def written(folder: Path, parts: list[bytes], cap: int = 1 << 20) -> str:
    writer = LogWriter(str(folder), cap)
    for number, part in enumerate(parts):
        writer.write(part, 1000 + number)
    writer.close()
    return str(folder)


def all_lines(folder: str, limit: int) -> list[bytes]:
    found: list[bytes] = []
    offset = 0
    while True:
        lines, after = logfile.lines(folder, offset, limit)
        if after == offset:
            return found
        found += [line.text for line in lines]
        offset = after


def end(folder: str) -> None:
    Path(folder, OUTCOME).write_text("{}")


def test_nothing_written_is_nothing(tmp_path: Path) -> None:
    assert logfile.read(str(tmp_path), 0, 100) == (b"", 0)
    assert logfile.lines(str(tmp_path), 0, 100) == ([], 0)
    assert logfile.size(str(tmp_path)) == 0


@pytest.mark.parametrize("seed", range(8))
def test_any_parts_are_read_at_any_limit(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    parts = [draw.randbytes(draw.choice([0, 1, 7, 4096, 70_000])) for _ in range(20)]
    cap = draw.choice([1, 5000, 50_000, 1 << 22])
    folder, whole = written(tmp_path, parts, cap), b"".join(parts)
    assert logfile.size(folder) == len(whole)
    assert sum(path.stat().st_size for path in tmp_path.glob("log*") if path.suffix != ".times") <= max(cap, 4096)
    offset = skipped = 0
    while True:
        data, after = logfile.read(folder, offset, draw.choice([1, 100, 9999]))
        if not data:
            break
        if b" bytes left out ..." in data[:60]:
            skipped += 1
            data = data[data.index(b" ...\n") + 5 :]
        assert data == whole[after - len(data) : after]
        offset = after
    assert offset == len(whole)
    assert skipped == (1 if len(whole) > max(cap, 4096) else 0)


def test_lines_are_whole_however_little_is_taken(tmp_path: Path) -> None:
    folder = written(tmp_path, [b"one\ntwo\nthr", b"ee\n\nfive"])
    for limit in (6, 7, 8, 100):
        assert all_lines(folder, limit) == [b"one", b"two", b"three", b""]
    end(folder)
    for limit in (6, 7, 8, 100):
        assert all_lines(folder, limit) == [b"one", b"two", b"three", b"", b"five"]


def test_line_longer_than_the_limit_comes_in_parts(tmp_path: Path) -> None:
    assert all_lines(written(tmp_path, [b"x" * 25 + b"\n"]), 10) == [b"x" * 10, b"x" * 10, b"x" * 5]


def test_what_was_left_out_is_a_line_of_its_own(tmp_path: Path) -> None:
    folder = written(tmp_path, [b"0123456789\n" * 1000], cap=4096)
    found = all_lines(folder, 1000)
    assert found[:187] == [b"0123456789"] * 186 + [b"01"]  # 2048 bytes
    assert found[187].startswith(b"... ")
    assert found[187].endswith(b" bytes left out ...")
    assert found[-1] == b"0123456789"
    assert sum(len(line) for line in found) <= 4096


def test_times_are_those_of_the_first_byte(tmp_path: Path) -> None:
    lines, _ = logfile.lines(written(tmp_path, [b"a\nb", b"c\n", b"d\n"]), 0, 100)
    assert [(line.text, line.at_ms) for line in lines] == [(b"a", 1000), (b"bc", 1000), (b"d", 1002)]


def test_times_take_little_room(tmp_path: Path) -> None:
    written(tmp_path, [b"line\n"] * 60_000, cap=1 << 20)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.times")) < 700_000


def test_full_disk_leaves_a_hole_and_right_offsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = LogWriter(str(tmp_path), 1 << 20)
    writer.write(b"before\n", 1)
    real = os.pwrite

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="space"):
        writer.write(b"missed\n", 2)
    monkeypatch.setattr(os, "pwrite", real)
    writer.write(b"after\n", 3)
    writer.close()
    assert logfile.read(str(tmp_path), 0, 100)[0] == b"before\n" + b"\0" * 7 + b"after\n"
    assert logfile.size(str(tmp_path)) == 20
