"""The component that every pipeline of the benchmarks is made of. `step.yaml` is this file, compiled."""

from kfp import dsl


@dsl.component
def step(x: int) -> int:
    return x + 1


@dsl.pipeline(name="one-step")
def one_step(x: int = 0) -> int:
    return step(x=x).output
