"""The pipelines of the benchmarks are what they claim to be."""

import pytest
from bench import documents

from lodestep import jsonio
from lodestep.spec.load import read_upload


@pytest.mark.parametrize(
    ("document", "tasks"),
    [(documents.chain(7), 7), (documents.fan_out(7), 7), (documents.loop(7), 1)],
    ids=["chain", "fan-out", "loop"],
)
def test_documents_are_valid(document: dict[str, object], tasks: int) -> None:
    read = read_upload(documents.as_yaml(document), filename="p.yaml")
    assert read.spec.root.dag is not None
    assert len(read.spec.root.dag.tasks) == tasks
    assert read.wire == read_upload(jsonio.encode(document), filename="p.json").wire


def test_every_step_installs_kfp_as_the_sdk_writes_it() -> None:
    executors = documents.chain(3)["deploymentSpec"]["executors"]
    commands = [" ".join(executor["container"]["command"]) for executor in executors.values()]
    assert len(commands) == 3
    assert all("pip install" in command and "kfp.dsl.executor_main" in command for command in commands)
