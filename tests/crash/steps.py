"""The pipeline that crash tests run: loops, a retry and long steps, which count their own executions.

Each execution appends `begin ATTEMPT` and `end ATTEMPT` to a file of its task, so the truth about what ran does not
come from the server under test.
"""

import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kfp import compiler, dsl


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def work(folder: str, key: str, seconds: float, fail_first: bool = False) -> str:
    import os
    import time

    attempt = os.environ["LODESTEP_ATTEMPT"]
    log = os.open(os.path.join(folder, key), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"begin {attempt} {time.monotonic()}\n".encode())
    if fail_first and not os.path.exists(os.path.join(folder, key + ".failed")):
        open(os.path.join(folder, key + ".failed"), "w").close()
        raise RuntimeError("the first try fails")
    time.sleep(seconds)
    os.write(log, f"end {attempt} {time.monotonic()}\n".encode())
    return key


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def save(keys: list, report: dsl.Output[dsl.Dataset]) -> int:
    with open(report.path, "w") as file:
        file.write("\n".join(keys))
    return len(keys)


@dsl.pipeline(name="crash-test")
def crash_test(folder: str) -> int:
    first = work(folder=folder, key="first", seconds=0.05)
    first.set_caching_options(False)
    retried = work(folder=folder, key="retried", seconds=0.05, fail_first=True)
    retried.set_retry(2, backoff_duration="0s")
    retried.set_caching_options(False)
    long = work(folder=folder, key="long", seconds=1.5).after(first)
    long.set_caching_options(False)
    with dsl.ParallelFor(["a", "b", "c", "d", "e", "f"], parallelism=3) as item:
        looped = work(folder=folder, key=item, seconds=0.1).after(first)
        looped.set_caching_options(False)
    done = save(keys=dsl.Collected(looped.output)).after(retried, long)
    done.set_caching_options(False)
    return done.outputs["Output"]


KEYS = ("first", "retried", "long", "a", "b", "c", "d", "e", "f")


def package(folder: Path) -> Path:
    path = folder / "crash_test.yaml"
    compiler.Compiler().compile(crash_test, str(path))
    return path


def executions(folder: Path, key: str) -> list[tuple[str, str, float]]:
    """What the task wrote about itself: (`begin` or `end`, attempt, monotonic second)."""
    try:
        lines = (folder / key).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [(word, attempt, float(second)) for word, attempt, second in (line.split() for line in lines)]
