"""The examples: what is committed as YAML is what the SDK makes of the Python file beside it."""

from pathlib import Path

import pytest
import yaml

from lodestep.cli import package
from lodestep.spec.load import read_upload
from tests.repo.places import ROOT

pytest.importorskip("kfp", reason="kfp compiles the examples")

SOURCES = [ROOT / "examples" / f"{name}.py" for name in ("hello", "squares", "flaky", "wine")] + [
    ROOT / "bench" / "step.py"
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_yaml_is_the_compiled_python(source: Path) -> None:
    fresh = package.read(source)
    committed = read_upload(source.with_suffix(".yaml").read_bytes(), filename=source.stem)
    assert _without_version(committed.wire) == _without_version(fresh.wire), f"compile {source.name} again"


def _without_version(wire: bytes) -> str:
    """The document without the number of the SDK that made it: a newer one makes the same of it."""
    import re

    return re.sub(r"kfp(==|-)\d+\.\d+\.\d+", r"kfp\1X", yaml.safe_dump(yaml.safe_load(wire)))
