"""Runs hostile uploads against a loader, each in a process of its own, and tells what each cost.

    python -m tests.unit.spec.hostile_rig LOADER NAME...

Prints a line of JSON a case: the error's class and text, CPU seconds, growth of resident memory, files that were opened
for writing, and the signal that ended the process, if one did. LOADER `ours` is ours; the others lack one guard each
and show that the rig sees it.
"""

import gzip
import io
import json
import os
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable

import yaml

from lodestep.spec import archive, load, yamltext  # noqa: F401 - loaded before measuring
from tests.unit.spec.hostile_corpus import CASES

_CPU_LIMIT_S = 20
_MEMORY_LIMIT = 3 << 30


def _unguarded_yaml(data: bytes) -> None:
    yaml.load(data, yaml.CSafeLoader)


def _unguarded_archive(data: bytes) -> None:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as whole:
            data = whole.read(whole.namelist()[0])
    else:
        data = gzip.decompress(data)
    load.read_upload(data)


def _extracting(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        whole.extractall("here")
    load.read_upload(data)


def _dying(_: bytes) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


LOADERS: dict[str, Callable[[bytes], object]] = {
    "ours": load.read_upload,
    "unguarded-yaml": _unguarded_yaml,
    "unguarded-archive": _unguarded_archive,
    "extracting": _extracting,
    "dying": _dying,
}


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _measured(loader: Callable[[bytes], object], data: bytes) -> dict[str, object]:
    written: list[str] = []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event in (
            "os.mkdir",
            "os.symlink",
            "os.link",
            "os.rename",
            "subprocess.Popen",
            "os.system",
            "socket.connect",
        ):
            written.append(f"{event} {arguments[0]}")
        elif (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        ):
            written.append(str(arguments[0]))

    sys.addaudithook(watch)
    before, started = _resident(), time.process_time()
    error: BaseException | None = None
    try:
        loader(data)
    except BaseException as caught:  # noqa: BLE001 - the class is the result
        error = caught
    cpu_s = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "error": type(error).__name__ if error else "",
        "text": str(error)[:2000],
        "cpu_s": round(cpu_s, 3),
        "grown": max(0, peak - before),
        "written": written,
    }


def _in_child(loader: Callable[[bytes], object], name: str) -> dict[str, object]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (_CPU_LIMIT_S, _CPU_LIMIT_S))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
            data = CASES[name]()
            # The kernel remembers the most that was resident while the data was made: begin anew.
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")
            os.write(writer, json.dumps(_measured(loader, data)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    _, status = os.waitpid(child, 0)
    result = json.loads(text) if text else {}
    return {"name": name, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, **result}


def main() -> None:
    loader = LOADERS[sys.argv[1]]
    for name in sys.argv[2:] or CASES:
        print(json.dumps(_in_child(loader, name)), flush=True)


if __name__ == "__main__":
    main()
