"""A loop over a list that is known only at run time, a sum of its results, and a step that comes last in any case."""

from kfp import dsl


@dsl.component
def numbers(count: int) -> list:
    return list(range(1, count + 1))


@dsl.component
def square(number: int) -> int:
    print(f"{number} x {number} = {number * number}")
    return number * number


@dsl.component
def total(squares: list) -> int:
    return sum(squares)


@dsl.component
def report(status: dsl.PipelineTaskFinalStatus):
    print(f"{status.pipeline_task_name} ended: {status.state}")
    if status.error_message:
        print(status.error_message)


@dsl.pipeline(name="squares", description="A loop, what it gave, and an exit handler.")
def squares(count: int = 10):
    with dsl.ExitHandler(exit_task=report()):
        each = numbers(count=count)
        with dsl.ParallelFor(items=each.output, parallelism=4) as number:
            squared = square(number=number)
        total(squares=dsl.Collected(squared.output))
