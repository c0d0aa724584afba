"""Random pipelines for the simulator: every construct of the language, small, and valid by construction.

A pipeline is a function of the random source alone, so a seed always gives the same one.
"""

import json
from random import Random
from typing import Any

import msgspec

from lodestep.spec.document import PipelineDocument
from lodestep.spec.ir import PipelineSpec

INT, TEXT, LIST, STATUS = "NUMBER_INTEGER", "STRING", "LIST", "TASK_FINAL_STATUS"
_COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"
_Json = dict[str, Any]


def _parameter(kind: str, **more: Any) -> _Json:
    return {"parameterType": kind, **more}


_DATASET = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
_RESULT = {"Output": _parameter(INT)}
_LEAVES: dict[str, tuple[_Json, _Json, _Json, _Json]] = {  # input parameters and artifacts, output likewise
    "plain": ({}, {}, _RESULT, {}),
    "int": ({"x": _parameter(INT)}, {}, _RESULT, {}),
    "optional": (
        {"x": _parameter(INT, isOptional=True, defaultValue=7), "s": _parameter(TEXT, isOptional=True)},
        {},
        {**_RESULT, "text": _parameter(TEXT)},
        {},
    ),
    "list": ({"x": _parameter(INT, isOptional=True)}, {}, {"items": _parameter(LIST), **_RESULT}, {}),
    "make": ({"x": _parameter(INT, isOptional=True)}, {}, _RESULT, {"out": _DATASET}),
    "use": (
        {"xs": _parameter(LIST, isOptional=True)},
        {"ds": {**_DATASET, "isArtifactList": True, "isOptional": True}},
        _RESULT,
        {},
    ),
    "need": ({}, {"ds": {**_DATASET, "isArtifactList": True}}, _RESULT, {}),
    "status": ({"status": _parameter(STATUS, isOptional=True)}, {}, _RESULT, {}),
    "import": ({"uri": _parameter(TEXT)}, {}, {}, {"artifact": _DATASET}),
}


def pipeline(rng: Random, size: int = 9) -> PipelineDocument:
    """A random pipeline; `size` is about how many tasks its root has at most."""
    maker = _Maker(rng)
    root = _Scope(maker, depth=0)
    root.values = {INT: [_from_parent("p-int")], LIST: [_from_parent("p-list")], TEXT: [_from_parent("p-text")]}
    root.fill(rng.randint(1, size))
    whole = {
        "pipelineInfo": {"name": "simulated"},
        "schemaVersion": "2.1.0",
        "components": maker.components,
        "deploymentSpec": {"executors": maker.executors},
        "root": {
            "dag": root.dag(),
            "inputDefinitions": {
                "parameters": {
                    "p-int": _parameter(INT, defaultValue=rng.randint(0, 2), isOptional=True),
                    "p-list": _parameter(LIST, defaultValue=list(range(rng.randint(0, 3))), isOptional=True),
                    "p-text": _parameter(TEXT, isOptional=True),
                }
            },
            **root.output_definitions(in_loop=False),
        },
    }
    spec = msgspec.convert(whole, PipelineSpec)
    return PipelineDocument(spec=spec, platform=None, canonical=b"", digest="", wire=b"")


def _from_parent(name: str) -> _Json:
    return {"componentInputParameter": name}


def _from_task(task: str, key: str) -> _Json:
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}


class _Maker:
    """The components of a pipeline as they are made."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.components: _Json = {}
        self.executors: _Json = {}
        self.left = 30  # tasks that may still be made, so that nesting does not explode
        for name, (parameters, artifacts, outputs, output_artifacts) in _LEAVES.items():
            self.components[name] = {
                "executorLabel": name,
                "inputDefinitions": {"parameters": parameters, "artifacts": artifacts},
                "outputDefinitions": {"parameters": outputs, "artifacts": output_artifacts},
            }
            self.executors[name] = {"container": {"image": "none", "command": [name]}}
        self.executors["import"] = {
            "importer": {"artifactUri": {"runtimeParameter": "uri"}, "typeSchema": _DATASET["artifactType"]}
        }

    def add(self, component: _Json) -> str:
        name = f"dag-{len(self.components)}"
        self.components[name] = component
        return name


class _Scope:
    """One DAG as it is made: its tasks so far, and what a new task may take."""

    def __init__(self, maker: _Maker, depth: int) -> None:
        self.maker = maker
        self.rng = maker.rng
        self.depth = depth
        self.tasks: _Json = {}
        self.values: dict[str, list[_Json]] = {INT: [], LIST: [], TEXT: []}
        self.artifacts: list[tuple[_Json, bool]] = []  # (source, is a list)
        self.made: dict[str, list[tuple[str, str]]] = {INT: [], LIST: [], TEXT: [], "artifact": []}
        self.surfaced: dict[str, tuple[str, list[tuple[str, str]]]] = {}

    def fill(self, count: int) -> None:
        groups = [self.subdag, self.condition, self.loop, self.artifact_loops, self.branches, self.exit_handler]
        for _ in range(count):
            if self.maker.left <= 0:
                break
            self.maker.left -= 1
            if self.depth < 3 and self.rng.random() < (0.45 if self.depth == 0 else 0.25):
                self.rng.choice(groups)()
            else:
                self.leaf()
        if not self.tasks:
            self.leaf("plain")
        self.surface()

    def leaf(self, component: str = "") -> str:
        rng = self.rng
        component = component or rng.choice(("plain", "int", "int", "optional", "list", "make", "use", "import"))
        if component == "use" and self.artifacts and rng.random() < 0.3:
            component = "need"
        task: _Json = {"componentRef": {"name": component}, "inputs": {"parameters": {}, "artifacts": {}}}
        parameters, artifacts, _, _ = _LEAVES[component]
        for name, declared in parameters.items():
            source = self.source(declared["parameterType"], required=not declared.get("isOptional"))
            if source is not None:
                task["inputs"]["parameters"][name] = source
        for name, declared in artifacts.items():
            if self.artifacts and (not declared.get("isOptional") or rng.random() < 0.6):
                task["inputs"]["artifacts"][name] = rng.choice(self.artifacts)[0]
        name = self.add(component, task)
        if component == "import":
            self.produce(name, "artifact", "artifact")
        else:
            self.produce(name, "Output", INT)
        for key, kind in (("items", LIST), ("text", TEXT)):
            if key in _LEAVES[component][2]:
                self.produce(name, key, kind)
        if component == "make":
            self.produce(name, "out", "artifact")
        return name

    def source(self, kind: str, *, required: bool) -> _Json | None:
        rng = self.rng
        if kind == STATUS:
            return None
        if required and kind == TEXT and rng.random() < 0.8:
            return {"runtimeValue": {"constant": "sim://somewhere"}}
        if not required and rng.random() < 0.4:
            return None
        if self.values[kind] and rng.random() < 0.75:
            return rng.choice(self.values[kind])
        constants: dict[str, list[Any]] = {INT: [0, 1, 2], LIST: [[], [1], [0, 1, 2]], TEXT: ["a", "b"]}
        if kind == TEXT and rng.random() < 0.2:
            return {"runtimeValue": {"constant": "of {{$.pipeline_task_name}}"}}
        return {"runtimeValue": {"constant": rng.choice(constants[kind])}}

    def add(self, prefix: str, task: _Json) -> str:
        rng = self.rng
        name = f"{prefix}-{len(self.tasks)}"
        task["taskInfo"] = {"name": name}
        if rng.random() < 0.5:
            task["cachingOptions"] = {"enableCache": True}
        if self.tasks and rng.random() < 0.15:
            task["dependentTasks"] = [rng.choice(list(self.tasks))]
            if rng.random() < 0.4:
                task.setdefault("triggerPolicy", {}).setdefault("strategy", _COMPLETED)
        if rng.random() < 0.25:
            task["retryPolicy"] = {
                "maxRetryCount": rng.randint(0, 2),
                "backoffDuration": rng.choice(("0s", "5s")),
                "backoffFactor": 2.0,
                "backoffMaxDuration": "3600s",
            }
        self.tasks[name] = task
        return name

    def produce(self, task: str, key: str, kind: str, *, is_list: bool = False) -> None:
        self.made[kind].append((task, key))
        if kind == "artifact":
            source = {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}
            self.artifacts.append((source, is_list))
        else:
            self.values[kind].append(_from_task(task, key))

    def surface(self) -> None:
        """Choose outputs of the DAG."""
        for kind in (INT, LIST, TEXT, "artifact"):
            if self.made[kind] and self.rng.random() < 0.6:
                self.surfaced[f"o-{kind.lower()}"] = (kind, [self.rng.choice(self.made[kind])])

    def inner(self) -> tuple["_Scope", _Json, _Json]:
        """A DAG inside this one, what is passed into it, and how that is declared."""
        scope = _Scope(self.maker, self.depth + 1)
        task: _Json = {"inputs": {"parameters": {}, "artifacts": {}}}
        declared: _Json = {"parameters": {}, "artifacts": {}}
        for kind in (INT, LIST, TEXT):
            if self.values[kind] and self.rng.random() < 0.6:
                name = f"pipelinechannel--{kind.lower()}"
                task["inputs"]["parameters"][name] = self.rng.choice(self.values[kind])
                declared["parameters"][name] = _parameter(kind)
                scope.values[kind].append(_from_parent(name))
        if self.artifacts and self.rng.random() < 0.5:
            source, is_list = self.rng.choice(self.artifacts)
            task["inputs"]["artifacts"]["pipelinechannel--ds"] = source
            declared["artifacts"]["pipelinechannel--ds"] = {**_DATASET, "isArtifactList": is_list}
            scope.artifacts.append(({"componentInputArtifact": "pipelinechannel--ds"}, is_list))
        return scope, task, declared

    def close(self, scope: "_Scope", task: _Json, declared: _Json, prefix: str, *, in_loop: bool = False) -> str:
        """Make the inner DAG a task of this one."""
        component = {"dag": scope.dag(), "inputDefinitions": declared, **scope.output_definitions(in_loop=in_loop)}
        task["componentRef"] = {"name": self.maker.add(component)}
        name = self.add(prefix, task)
        for key, (kind, _) in scope.surfaced.items():
            self.produce(name, key, LIST if in_loop and kind != "artifact" else kind, is_list=in_loop)
        return name

    def subdag(self) -> None:
        scope, task, declared = self.inner()
        if self.rng.random() < 0.5:
            declared["parameters"]["extra"] = _parameter(INT, isOptional=True, defaultValue=1)
            scope.values[INT].append(_from_parent("extra"))
        scope.fill(self.rng.randint(1, 3))
        self.close(scope, task, declared, "dag")

    def condition(self) -> None:
        scope, task, declared = self.inner()
        tested = "pipelinechannel--tested"
        task["inputs"]["parameters"][tested] = self.source(INT, required=True)
        declared["parameters"][tested] = _parameter(INT)
        operator = self.rng.choice(("==", "!=", ">=", "<"))
        text = f"int(inputs.parameter_values['{tested}']) {operator} {self.rng.randint(0, 2)}"
        task["triggerPolicy"] = {"condition": text}
        scope.fill(self.rng.randint(1, 3))
        self.close(scope, task, declared, "condition")

    def branches(self) -> None:
        """If, elif and else with outputs of which one is taken."""
        scope, task, declared = self.inner()
        tested = "pipelinechannel--tested"
        task["inputs"]["parameters"][tested] = self.source(INT, required=True)
        declared["parameters"][tested] = _parameter(INT)
        reads = f"int(inputs.parameter_values['{tested}'])"
        found: list[tuple[str, str]] = []
        artifacts: list[tuple[str, str]] = []
        conditions = [f"{reads} == 0", f"!({reads} == 0) && {reads} == 1", f"!({reads} == 0) && !({reads} == 1)"]
        for text in conditions[: self.rng.choice((2, 3, 3))]:
            branch, inner, within = scope.inner()
            inner["inputs"]["parameters"][tested] = _from_parent(tested)
            within["parameters"][tested] = _parameter(INT)
            inner["triggerPolicy"] = {"condition": text}
            made = branch.leaf("make")
            branch.surfaced = {"o-int": (INT, [(made, "Output")]), "o-ds": ("artifact", [(made, "out")])}
            name = scope.close(branch, inner, within, "branch")
            found.append((name, "o-int"))
            artifacts.append((name, "o-ds"))
        scope.surfaced = {"one": (INT, found), "one-ds": ("artifact", artifacts)}
        self.close(scope, task, declared, "branches")

    def loop(self) -> None:
        scope, task, declared = self.inner()
        rng = self.rng
        lists = [source for source, is_list in self.artifacts if is_list]
        item = "pipelinechannel--item"
        if lists and rng.random() < 0.5:
            task["inputs"]["artifacts"]["pipelinechannel--all"] = rng.choice(lists)
            declared["artifacts"]["pipelinechannel--all"] = {**_DATASET, "isArtifactList": True}
            declared["artifacts"][item] = _DATASET
            task["artifactIterator"] = {"items": {"inputArtifact": "pipelinechannel--all"}, "itemInput": item}
            scope.artifacts.append(({"componentInputArtifact": item}, False))
            if rng.random() < 0.3:
                scope.artifacts.append(({"componentInputArtifact": "pipelinechannel--all"}, True))
        elif self.values[LIST] and rng.random() < 0.6:
            task["inputs"]["parameters"]["pipelinechannel--all"] = rng.choice(self.values[LIST])
            declared["parameters"]["pipelinechannel--all"] = _parameter(LIST)
            declared["parameters"][item] = _parameter(INT)
            task["parameterIterator"] = {"items": {"inputParameter": "pipelinechannel--all"}, "itemInput": item}
            scope.values[INT].append(_from_parent(item))
            if rng.random() < 0.3:  # the body may read the whole list as well
                scope.values[LIST].append(_from_parent("pipelinechannel--all"))
        elif rng.random() < 0.3:
            items: list[Any] = [{"a": i, "b": "x" * i} for i in range(rng.randint(1, 2))]
            declared["parameters"][item] = _parameter("STRUCT")
            task["parameterIterator"] = {"items": {"raw": json.dumps(items)}, "itemInput": item}
            picked = {**_from_parent(item), "parameterExpressionSelector": 'parseJson(string_value)["a"]'}
            scope.values[INT].append(picked)
        else:
            items = [rng.randint(0, 2) for _ in range(rng.choice((0, 1, 2, 2, 3)))]
            declared["parameters"][item] = _parameter(INT)
            task["parameterIterator"] = {"items": {"raw": json.dumps(items)}, "itemInput": item}
            scope.values[INT].append(_from_parent(item))
        if rng.random() < 0.4:
            task["iteratorPolicy"] = {"parallelismLimit": rng.randint(1, 2)}
        scope.fill(rng.randint(1, 2))
        self.close(scope, task, declared, "loop", in_loop=True)

    def artifact_loops(self) -> None:
        """A loop that makes artifacts, and one over what it collected."""
        scope, task, declared = self.inner()
        items = [self.rng.randint(0, 2) for _ in range(self.rng.randint(0, 3))]
        declared["parameters"]["pipelinechannel--item"] = _parameter(INT)
        task["parameterIterator"] = {"items": {"raw": json.dumps(items)}, "itemInput": "pipelinechannel--item"}
        scope.surfaced = {"o-ds": ("artifact", [(scope.leaf("make"), "out")])}
        self.close(scope, task, declared, "loop", in_loop=True)
        self.loop()

    def exit_handler(self) -> None:
        scope, task, declared = self.inner()
        scope.fill(self.rng.randint(1, 3))
        scope.surfaced = {}
        guarded = self.close(scope, task, declared, "exit-handler")
        status = {"taskFinalStatus": {"producerTask": guarded}}
        policy = {"strategy": _COMPLETED}
        if self.rng.random() < 0.3:  # a pipeline as the exit task
            inner = _Scope(self.maker, self.depth + 1)
            made = inner.leaf("status")
            inner.tasks[made]["inputs"]["parameters"]["status"] = _from_parent("status")
            declared = {"parameters": {"status": _parameter(STATUS, isOptional=True)}}
            exit_task: _Json = {"inputs": {"parameters": {"status": status}}, "triggerPolicy": policy}
            self.close(inner, exit_task, declared, "exit")
            return
        exit_task = {
            "componentRef": {"name": "status"},
            "inputs": {"parameters": {"status": status}},
            "triggerPolicy": policy,
        }
        self.produce(self.add("exit", exit_task), "Output", INT)

    def dag(self) -> _Json:
        parameters: _Json = {}
        artifacts: _Json = {}
        for key, (kind, found) in self.surfaced.items():
            if kind == "artifact":
                artifacts[key] = {
                    "artifactSelectors": [{"producerSubtask": task, "outputArtifactKey": name} for task, name in found]
                }
                continue
            selectors = [{"producerSubtask": task, "outputParameterKey": name} for task, name in found]
            parameters[key] = (
                {"valueFromParameter": selectors[0]}
                if len(selectors) == 1
                else {"valueFromOneof": {"parameterSelectors": selectors}}
            )
        return {"tasks": self.tasks, "outputs": {"parameters": parameters, "artifacts": artifacts}}

    def output_definitions(self, *, in_loop: bool) -> _Json:
        parameters = {
            key: _parameter(LIST if in_loop else kind) for key, (kind, _) in self.surfaced.items() if kind != "artifact"
        }
        artifacts = {
            key: {**_DATASET, "isArtifactList": in_loop}
            for key, (kind, _) in self.surfaced.items()
            if kind == "artifact"
        }
        return {"outputDefinitions": {"parameters": parameters, "artifacts": artifacts}}
