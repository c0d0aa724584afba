"""The smallest pipeline: one step that greets."""

from kfp import dsl


@dsl.component
def greet(name: str) -> str:
    return f"Hello, {name}!"


@dsl.pipeline(name="hello", description="One step that greets.")
def hello(name: str = "world") -> str:
    return greet(name=name).output
