"""Pipelines with every control-flow construct, written with the official SDK. A program that compiles all of them."""

# ruff: noqa: UP006, UP035, UP045 - the SDK reads the older forms of annotations only

import sys
from pathlib import Path
from typing import List, Optional

from kfp import compiler, dsl, kubernetes
from kfp.dsl import Dataset, Input, Output


@dsl.component
def one(x: int) -> int:
    return x


@dsl.component
def text(x: str = "d") -> str:
    return x


@dsl.component
def numbers() -> List[int]:
    return [1, 2]


@dsl.component
def make(x: int, out: Output[Dataset]):
    pass


@dsl.component
def use(ds: Input[List[Dataset]]) -> int:
    return len(ds)


@dsl.component
def use_one(ds: Input[Dataset]):
    pass


@dsl.component
def total(xs: List[int]) -> int:
    return sum(xs)


@dsl.component
def optional(a: Optional[str] = None, b: Optional[Input[Dataset]] = None):
    pass


@dsl.component
def notify(status: dsl.PipelineTaskFinalStatus):
    pass


@dsl.pipeline
def nested_loops(p: List[int]) -> List[int]:
    with dsl.ParallelFor([1, 2]) as a, dsl.ParallelFor(p, parallelism=1) as b:
        t = one(x=b)
        m = make(x=a)
    total(xs=dsl.Collected(t.output))
    use(ds=dsl.Collected(m.outputs["out"]))
    return dsl.Collected(t.output)


@dsl.pipeline
def items_with_keys():
    with dsl.ParallelFor([{"a": 1, "b": 10}, {"a": 2, "b": 20}]) as item:
        one(x=item.a)
        one(x=item.b)


@dsl.pipeline
def one_of(p: str = "x") -> str:
    with dsl.If(p == "x"):
        a = text(x="1")
    with dsl.Elif(p == "y"):
        b = text(x="2")
    with dsl.Else():
        c = text(x="3")
    return dsl.OneOf(a.output, b.output, c.output)


@dsl.pipeline
def condition_in_loop() -> int:
    with dsl.ParallelFor(numbers().output) as item, dsl.If(item == 1):
        t = one(x=item)
    return total(xs=dsl.Collected(t.output)).output


@dsl.pipeline
def some_data() -> List[Dataset]:
    with dsl.ParallelFor([1, 2]) as a:
        m = make(x=a)
    return dsl.Collected(m.outputs["out"])


@dsl.pipeline
def artifact_loop():
    with dsl.ParallelFor(some_data().output) as data:
        use_one(ds=data)


@dsl.pipeline
def inner(x: int, o: Optional[str] = None) -> int:
    optional(a=o)
    return one(x=x).output


@dsl.pipeline
def retries_of_a_pipeline(x: int = 3):
    called = inner(x=x).set_retry(2, "5s")
    one(x=called.output).set_retry(1)


@dsl.pipeline
def exits(x: int = 3):
    with dsl.ExitHandler(notify()):
        one(x=x)
    other = one(x=x)
    notify().after(other).ignore_upstream_failure()


@dsl.pipeline
def nothing_given(o: Optional[str] = None):
    with dsl.If(one(x=1).output == 1):
        optional(a=o)
        text(x=o)


@dsl.pipeline
def placeholders():
    first = text(x="a")
    text(x=f"{first.output} in {dsl.PIPELINE_JOB_ID_PLACEHOLDER}")


@dsl.pipeline
def secret_in_a_loop():
    with dsl.ParallelFor(["s1", "s2"]) as name:
        t = text(x="a")
        kubernetes.use_secret_as_env(t, secret_name=name, secret_key_to_env={"k": "V"})


if __name__ == "__main__":
    ALL = [nested_loops, items_with_keys, one_of, condition_in_loop, artifact_loop, retries_of_a_pipeline, exits]
    for authored in [*ALL, nothing_given, placeholders, secret_in_a_loop]:
        compiler.Compiler().compile(authored, str(Path(sys.argv[1]) / f"{authored.name}.yaml"))
