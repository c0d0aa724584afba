"""What of a pipeline cannot run here, told before it is submitted. The run is accepted all the same."""

from lodestep.core.ports import Runner
from lodestep.spec import walk
from lodestep.spec.document import PipelineDocument

_OWN = ("argostub/createpvc", "argostub/deletepvc")


def preflight(document: PipelineDocument, runner: Runner) -> list[tuple[str, str]]:
    """(component, what to install or to map) for each executor that the runner cannot run."""
    found: list[tuple[str, str]] = []
    for at in walk.components(document.spec):
        name = at.name.removeprefix("comp-")  # what compilers put before the name that its author knows
        executor = walk.executor_of(document.spec, at.component)
        if executor is None:
            continue
        if executor.resolver is not None or executor.custom_job is not None:
            found.append((name, "resolver and custom job executors cannot be run on this machine"))
        elif executor.container is not None and executor.container.image not in _OWN:
            container = executor.container
            if why := runner.unsupported(container.image, [*container.command, *container.args]):
                found.append((name, why))
    return found
