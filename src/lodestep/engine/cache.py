"""Was this done before? Looks up earlier tasks by fingerprint, and looks whether what they made is still there."""

import os

from lodestep.core.model import ArtifactValue, CacheHit, RunHeader
from lodestep.runners.settle import local_path
from lodestep.store import cache
from lodestep.store.store import Store

_CANDIDATES = 5


class Cache:
    def __init__(self, store: Store) -> None:
        self._store = store

    def look_up(self, header: RunHeader, fingerprint: str) -> tuple[CacheHit | None, str]:
        """The newest earlier task whose outputs still exist, and a line that says why or why not."""
        found = self._store.read_now(
            lambda conn: cache.find(conn, fingerprint, header.namespace, header.pipeline_name, limit=_CANDIDATES)
        )
        gone = ""
        for entry in found:
            missing = _missing(entry.outputs.artifacts)
            if not missing:
                hit = CacheHit(task_id=entry.task_id, run_id=entry.run_id, outputs=entry.outputs)
                return hit, f"taken from run {entry.run_id}: same component, settings and inputs"
            gone = f"not taken from run {entry.run_id}: its output {missing!r} is gone or was altered"
        return None, gone or "nothing with the same component, settings and inputs was found"


def _missing(artifacts: dict[str, list[ArtifactValue]]) -> str:
    """The name of the first output that is not what was recorded ("" if all are).

    A file's size is compared; its content would take as long to read as many a step runs.
    """
    for name, values in artifacts.items():
        for value in values:
            if value.size >= 0 and not _is_there(value):
                return name
    return ""


def _is_there(value: ArtifactValue) -> bool:
    try:
        path = local_path(value.uri)
        if not path:  # in a store
            return True
        found = os.stat(path)
    except (OSError, ValueError):  # a damaged entry may name what no path can be
        return False
    return os.path.isdir(path) or found.st_size == value.size
