"""What the tasks of a simulated run do: a pure function of the seed, the task's path and the generation.

A task that succeeds in one generation succeeds in all later ones, so that the end of a run that was retried is the
end of a run in which everything behaved as in the last generation.
"""

import zlib
from typing import Any

from lodestep import jsonio
from lodestep.core.model import ArtifactValue, Values
from lodestep.spec.ir import ComponentSpec, ParameterType

NEVER = 99


class SimScript:
    def __init__(self, seed: int, *, trouble: float) -> None:
        """`trouble` is the share of tasks that do not simply succeed."""
        self._seed = seed
        self._trouble = trouble
        self.generation = 1

    def _draw(self, path: str, what: str) -> float:
        return zlib.crc32(f"{self._seed}/{path}/{what}".encode()) / 2**32

    def failures(self, path: str) -> int:
        """How many attempts fail before one succeeds."""
        if self._draw(path, "trouble") >= self._trouble or self._draw(path, "healed") * 2 < self.generation - 1:
            return 0
        return (1, 1, 2, NEVER)[int(self._draw(path, "failures") * 4)]

    def is_fatal(self, path: str) -> bool:
        """Is its failure one that no retry can help?"""
        return self.failures(path) > 0 and self._draw(path, "fatal") < 0.15

    def is_lost(self, path: str) -> bool:
        """Do all its attempts lose their parent process?"""
        return self.failures(path) == NEVER and self._draw(path, "lost") < 0.3

    def succeeds(self, path: str, retries: int) -> bool:
        return not self.is_fatal(path) and not self.is_lost(path) and self.failures(path) <= retries

    def outputs(self, path: str, given: Values, component: ComponentSpec) -> Values:
        """Small values, so that conditions go both ways; they depend on every input."""
        seen = jsonio.canonical(
            [_stable(given.parameters), {n: [a.uri for a in found] for n, found in given.artifacts.items()}]
        )
        drawn = zlib.crc32(seen, zlib.crc32(f"{self._seed}/{path}".encode()))
        declared = component.output_definitions
        found = Values()
        for index, (name, output) in enumerate(declared.parameters.items()):
            found.parameters[name] = _value(output.kind, drawn >> (8 + index * 4))
        if self._trouble and drawn % 23 == 0 and found.parameters:
            found.parameters.popitem()  # an output that is not there
        for name in declared.artifacts:
            found.artifacts[name] = [
                ArtifactValue(name=name, type="system.Dataset", uri=f"sim://{path}/{name}/{drawn}")
            ]
        return found


def _value(kind: ParameterType, drawn: int) -> Any:
    match kind:
        case ParameterType.NUMBER_INTEGER:
            return drawn % 3
        case ParameterType.LIST:
            return [(drawn >> index) % 3 for index in range(drawn % 4)]
        case _:
            return "ab"[drawn % 2]


def _stable(parameters: dict[str, Any]) -> dict[str, Any]:
    """Without the words of a failure, which the reference interpreter does not say."""
    return {name: stable(value) for name, value in parameters.items()}


def stable(value: Any) -> Any:
    return {**value, "error": {}} if isinstance(value, dict) and "pipelineTaskName" in value else value
