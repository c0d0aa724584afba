"""A run as one JSON document, for `--json`."""

from typing import Any

import msgspec

from lodestep.cli.tree import Tree
from lodestep.cli.wire import Run, Task


def run_document(run: Run, tree: Tree) -> dict[str, Any]:
    """State, parameters, outputs, failure and every task, in the order in which they began."""
    root = tree.root.task if tree.root else None
    failed = tree.first_failure()
    outputs = msgspec.to_builtins(root.outputs) if root else {}
    return {
        "run_id": run.run_id,
        "name": run.display_name,
        "pipeline": run.pipeline_name,
        "state": run.state,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "parameters": run.parameters,
        "outputs": outputs.get("parameters", {}),
        "artifacts": outputs.get("artifacts", {}),
        "failure": _failure(failed.task) if failed else None,
        "tasks": [msgspec.to_builtins(node.task) for node in tree.walk()],
    }


def _failure(task: Task) -> dict[str, Any]:
    return {"task": task.path, **(msgspec.to_builtins(task.failure) if task.failure else {})}
