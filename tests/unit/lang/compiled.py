"""Documents made with the published SDK, for the tests of the languages in them."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_numbers = itertools.count()


def compiled(pipeline: Any, folder: Path) -> dict[str, Any]:
    """The specification of a pipeline or component function of the SDK."""
    from kfp import compiler

    path = folder / f"{next(_numbers)}.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return next(yaml.safe_load_all(path.read_text()))


def every(document: Any, key: str) -> Iterator[Any]:
    """What stands under a key, at any depth."""
    if isinstance(document, dict):
        for name, item in document.items():
            if name == key:
                yield item
            yield from every(item, key)
    elif isinstance(document, list):
        for item in document:
            yield from every(item, key)
