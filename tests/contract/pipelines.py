"""The pipelines that the tests of the interface run: small, and steered through files of the test."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from kfp import compiler, dsl

step = partial(dsl.component, base_image="python:3.11", install_kfp_package=False)


@step
def greet(name: str) -> str:
    print("greeting")
    return f"Hello, {name}!"


@step
def note(folder: str, key: str) -> str:
    with open(f"{folder}/{key}", "a") as file:
        file.write("ran\n")
    return key


@step
def need(folder: str, key: str, after: str) -> str:
    import os

    if not os.path.exists(f"{folder}/{key}"):
        raise FileNotFoundError(f"{key} is not there yet, said {after}")
    return "found"


@step
def hold(folder: str) -> str:
    import os
    import time

    open(f"{folder}/started", "w").close()
    while not os.path.exists(f"{folder}/go"):
        time.sleep(0.02)
    return "gone on"


@step
def write(text: str, made: dsl.Output[dsl.Dataset]) -> int:
    print("writing")
    with open(made.path, "w") as file:
        file.write(text)
    made.metadata["lines"] = 1
    return len(text)


@step
def read(made: dsl.Input[dsl.Dataset]) -> str:
    with open(made.path) as file:
        return file.read()


@dsl.pipeline(name="hello", description="greets")
def hello(name: str = "world") -> str:
    return greet(name=name).output


@dsl.pipeline(name="fails-first")
def fails_first(folder: str) -> str:
    """Its second step fails until the test has made the file `ready`."""
    first = note(folder=folder, key="first")
    first.set_caching_options(False)
    second = need(folder=folder, key="ready", after=first.output)
    second.set_caching_options(False)
    return second.output


@dsl.pipeline(name="held")
def held(folder: str) -> str:
    """Its step runs until the test has made the file `go`."""
    holding = hold(folder=folder)
    holding.set_caching_options(False)
    return holding.output


@dsl.pipeline(name="passes-on")
def passes_on(text: str = "a dataset") -> str:
    made = write(text=text)
    return read(made=made.outputs["made"]).output


def package(pipeline: Any, folder: Path) -> str:
    """The compiled pipeline as a file."""
    path = folder / f"{pipeline.name}.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return str(path)


def spec(pipeline: Any, folder: Path) -> dict[str, Any]:
    """The compiled pipeline as a document."""
    return yaml.safe_load(Path(package(pipeline, folder)).read_text())
