"""Is a document a pipeline that can run? Checks what the messages alone cannot: names, references, cycles, types.

All problems are found, not the first alone; each has the path of its place and says what was expected. What the
reference accepts and runs is accepted: components that nothing uses are not looked at, defaults may be of any type, and
types must agree only where no value could make them. Trigger conditions are compiled by the plan, above this layer.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from lodestep.errors import InvalidInput
from lodestep.spec import graph, platform
from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import ComponentSpec, ExecutorSpec, PipelineSpec
from lodestep.spec.limits import LIMITS
from lodestep.spec.problem import Problem, unknown
from lodestep.spec.validate_dag import dag_problems
from lodestep.spec.walk import ComponentAt, components, executor_of, key

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_NO_FILE = re.compile(r"\.{0,2}|.*[/\x00-\x1f\x7f\ud800-\udfff].*", re.DOTALL)
_FILE_BYTES = 255
_SCHEMA_VERSION = re.compile(r"2\.[01]\.[0-9]+")
_SHOWN = 20
_MANY = 10**12
_COUNTED = 1_000


def check(document: PipelineDocument) -> None:
    """Raise `InvalidInput` where the document is no pipeline that can run: the first problem, and all in the hint."""
    found = list(islice(problems(document), _COUNTED))
    if not found:
        return
    first, others = found[0], found[1 : _SHOWN + 1]
    hint = first.hint
    if others:
        count = f"{len(found)}{' or more' if len(found) == _COUNTED else ''} problems"
        also = "; ".join(f"{problem.place}: {problem.message}" for problem in others)
        more = len(found) - 1 - len(others)
        hint = f"{f'{hint}; ' if hint else ''}{count}, also: {also}{f'; and {more} more' if more else ''}"
    raise InvalidInput(first.message, place=first.place, hint=hint)


def problems(document: PipelineDocument) -> Iterator[Problem]:
    """All problems of the document, in its order."""
    spec = document.spec
    yield from _header(spec)
    names = _used(spec)
    used = [found for found in components(spec) if not found.name or found.name in names]
    for found in used:
        yield from _component(spec, found)
    labels = {found.component.executor_label for found in used}
    for label, executor in spec.deployment_spec.executors.items():
        if label in labels:
            yield from _executor(executor, f"$.deploymentSpec.executors{key(label)}")
    yield from _calls(spec, names)
    yield from _platform(document)


def _used(spec: PipelineSpec) -> set[str]:
    """The components that the root reaches."""
    found: set[str] = set()
    waiting = [spec.root]
    while waiting:
        dag = waiting.pop().dag
        for task in dag.tasks.values() if dag else ():
            name = task.component_ref.name
            if name not in found and name in spec.components:
                found.add(name)
                waiting.append(spec.components[name])
    return found


def _header(spec: PipelineSpec) -> Iterator[Problem]:
    name = spec.pipeline_info.name
    if not name:
        yield Problem("$.pipelineInfo.name", "the pipeline has no name")
    elif not _NAME.fullmatch(name):
        yield Problem(
            "$.pipelineInfo.name",
            f"{name[:140]!r} is no pipeline name: expected at most 128 lower-case letters, digits and '-', "
            "beginning with a letter or digit",
        )
    if not _SCHEMA_VERSION.fullmatch(spec.schema_version):
        found = (
            f"the schema version is {spec.schema_version[:40]!r}" if spec.schema_version else "has no schema version"
        )
        yield Problem("$.schemaVersion", f"{found}: expected '2.1.0'", "compile it with version 2 of the SDK")
    if spec.root.dag is None:
        yield Problem("$.root", "the root has no tasks: expected a dag")


def _component(spec: PipelineSpec, found: ComponentAt) -> Iterator[Problem]:
    component, place = found.component, found.place
    yield from _artifact_types(component, place)
    yield from _file_names(component, place)
    if component.dag is not None:
        if component.executor_label is not None:
            yield Problem(place, "has both dag and executorLabel: expected one")
        yield from dag_problems(spec, component, component.dag, f"{place}.dag")
    elif not found.name:
        return  # a root without a dag was reported above
    elif component.executor_label is None:
        yield Problem(place, "has neither dag nor executorLabel: expected one")
    elif executor_of(spec, component) is None:
        yield unknown(f"{place}.executorLabel", "executor", component.executor_label, spec.deployment_spec.executors)


def _artifact_types(component: ComponentSpec, place: str) -> Iterator[Problem]:
    for side, artifacts in (
        ("inputDefinitions", component.input_definitions.artifacts),
        ("outputDefinitions", component.output_definitions.artifacts),
    ):
        for name, artifact in artifacts.items():
            if artifact.artifact_type.schema_uri:
                yield _schema_uri(f"{place}.{side}.artifacts{key(name)}.artifactType")


def _file_names(component: ComponentSpec, place: str) -> Iterator[Problem]:
    """Tasks and outputs have files and folders of their names: a name must be one, not a path to elsewhere."""
    outputs = component.output_definitions
    named = [
        *((f"{place}.outputDefinitions.parameters", name) for name in outputs.parameters),
        *((f"{place}.outputDefinitions.artifacts", name) for name in outputs.artifacts),
        *((f"{place}.dag.tasks", name) for name in (component.dag.tasks if component.dag else ())),
    ]
    for where, name in named:
        if _NO_FILE.fullmatch(name) or len(name.encode()) > _FILE_BYTES:
            message = f"{name[:80]!r} cannot be the name of a file: expected at most {_FILE_BYTES} bytes without '/'"
            yield Problem(f"{where}{key(name[:80])}", message)


def _schema_uri(place: str) -> Problem:
    return Problem(f"{place}.schemaUri", "schemaUri is not supported: expected schemaTitle or instanceSchema")


def _executor(executor: ExecutorSpec, place: str) -> Iterator[Problem]:
    kinds = {
        "container": executor.container,
        "importer": executor.importer,
        "resolver": executor.resolver,
        "customJob": executor.custom_job,
    }
    named = [name for name, value in kinds.items() if value is not None]
    if len(named) != 1:
        found = " and ".join(named) or "none of them"
        yield Problem(place, f"expected one of container, importer, resolver, customJob, found {found}")
    if executor.container is not None and not executor.container.image:
        yield Problem(f"{place}.container.image", "the container has no image")
    if executor.importer is not None and executor.importer.type_schema.schema_uri:
        yield _schema_uri(f"{place}.importer.typeSchema")


def _calls(spec: PipelineSpec, names: set[str]) -> Iterator[Problem]:
    """No component contains itself, and written out, task by task, they are not too many or too deep."""
    calls: dict[str, Counter[str]] = {"": _called(spec.root, names)}
    calls |= {name: _called(spec.components[name], names) for name in names}
    if cycle := graph.cycle({name: called.keys() for name, called in calls.items()}):
        where = f"$.components{key(cycle[0])}"
        yield Problem(where, f"the components contain each other: {graph.shown(cycle)}")
        return
    tasks: dict[str, int] = {}
    depth: dict[str, int] = {}
    for name in graph.ordered({name: called.keys() for name, called in calls.items()}):
        called = calls[name]
        tasks[name] = min(sum(count * (1 + tasks[other]) for other, count in called.items()), _MANY)
        depth[name] = 1 + max((depth[other] for other in called), default=0)
    if tasks[""] > LIMITS.tasks:
        yield Problem("$.root", f"more than {LIMITS.tasks} tasks, once the components are written out")
    if depth[""] > LIMITS.nesting:
        yield Problem("$.root", f"components within components more than {LIMITS.nesting} deep")


def _called(component: ComponentSpec, names: set[str]) -> Counter[str]:
    dag = component.dag
    return (
        Counter(task.component_ref.name for task in dag.tasks.values() if task.component_ref.name in names)
        if dag
        else Counter()
    )


def _platform(document: PipelineDocument) -> Iterator[Problem]:
    """What the Kubernetes settings say is read strictly: to overlook a field could mean to overlook a secret."""
    kubernetes = document.platform.kubernetes if document.platform else None
    for label in kubernetes.deployment_spec.executors if kubernetes else ():
        try:
            platform.executor_config(document.platform, label)
        except InvalidInput as error:
            yield Problem(error.place, error.message, error.hint)
