"""Pipelines for the tests of the command line: `python -W ignore cli_pipelines.py FOLDER` compiles them there.

Steps meet the tests through files in `folder`, never through time.
"""

import sys
from pathlib import Path

from kfp import compiler, dsl


@dsl.component
def say(text: str) -> str:
    print(f"it says {text}")
    return text


@dsl.component
def fail_until(folder: str, name: str):
    """Fails until the test has put the file there."""
    import os

    print("looking for the file")
    if not os.path.exists(os.path.join(folder, name)):
        raise FileNotFoundError(f"no {name} yet")


@dsl.component
def wait_for(folder: str, name: str):
    """Says that it runs, then waits for the test's file."""
    import os
    import time

    print("it waits", flush=True)
    open(os.path.join(folder, "begun"), "w").close()
    while not os.path.exists(os.path.join(folder, name)):
        time.sleep(0.05)
    print("it goes on")


@dsl.container_component
def needs_an_image():
    return dsl.ContainerSpec(image="example.com/nowhere:1", command=["a-program-that-is-not-here"])


@dsl.pipeline(name="failing")
def failing(folder: str, name: str = "go"):
    said = say(text="before")
    said.set_caching_options(False)
    fail_until(folder=folder, name=name).after(said).set_caching_options(False)


@dsl.pipeline(name="waiting")
def waiting(folder: str):
    wait_for(folder=folder, name="go").set_caching_options(False)


@dsl.pipeline(name="typed")
def typed(text: str, flag: bool, items: list, n: int = 3) -> str:
    with dsl.If(flag == True):  # noqa: E712 - the SDK's own way to write it
        say(text="yes").set_caching_options(False)
    with dsl.ParallelFor(items=items) as item:
        say(text=item).set_caching_options(False)
    last = say(text=text)
    last.set_caching_options(False)
    return last.output


@dsl.pipeline(name="impossible")
def impossible():
    needs_an_image().set_caching_options(False)


if __name__ == "__main__":
    for pipeline in (failing, waiting, typed, impossible):
        compiler.Compiler().compile(pipeline, str(Path(sys.argv[1]) / f"{pipeline.name}.yaml"))
