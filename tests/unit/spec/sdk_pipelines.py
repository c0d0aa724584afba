"""Pipelines written with the official SDK, one or more for each of its features, to be compiled by it.

`PIPELINES` maps a name to a compilable: a pipeline, or a component alone.
"""

# ruff: noqa: UP045 - the SDK knows Optional only
from typing import Any, NamedTuple, Optional

from kfp import dsl, kubernetes
from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Metrics, Model, Output

PIPELINES: dict[str, Any] = {}


def _keep(pipeline: Any) -> Any:
    PIPELINES[pipeline.name] = pipeline
    return pipeline


@dsl.component
def add(a: int, b: int = 2) -> int:
    return a + b


@dsl.component
def say(text: str) -> str:
    return text


@dsl.component
def flip() -> bool:
    return True


@dsl.component
def items() -> list:
    return [1, 2, 3]


@dsl.component
def table() -> dict:
    return {"a": [1, {"b": 1}]}


@dsl.component
def total(numbers: list) -> int:
    return sum(numbers)


@dsl.component(
    packages_to_install=["numpy==2.0.0"], pip_index_urls=["https://example.org/simple"], base_image="python:3.12"
)
def train(
    data: Input[Dataset], model: Output[Model], metrics: Output[Metrics], epochs: int = 3, rate: float = 0.1
) -> None:
    metrics.log_metric("accuracy", rate * epochs)


@dsl.component
def make_data(data: Output[Dataset], rows: int = 10) -> NamedTuple("Made", [("count", int), ("names", list)]):
    return (rows, ["a"])  # type: ignore[return-value]


@dsl.component
def fails() -> None:
    raise ValueError("no")


@dsl.component
def report(status: dsl.PipelineTaskFinalStatus) -> None:
    print(status)


@dsl.component
def all_types(
    text: str = "quotes \"' and \\ and\nlines: # yes",
    whole: int = -7,
    number: float = 2.5,
    flag: bool = False,
    many: list = [1, "two", 3.5, {"x": []}],  # noqa: B006
    table: dict = {"on": True, "1": "yes", "nested": {"~": "null"}},  # noqa: B006
    maybe: Optional[str] = None,
    mode: str = "fast",
) -> None:
    print(text)


@dsl.container_component
def shout(text: str, copies: int, out: dsl.OutputPath(str), extra: Optional[str] = None):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(
        image="alpine:3",
        command=["sh", "-c", 'echo "$0" > "$1"'],
        args=[
            dsl.ConcatPlaceholder(["<", text, ">"]),
            out,
            dsl.IfPresentPlaceholder(input_name="extra", then=["--extra", extra], else_=["--none"]),
            copies,
        ],
    )


@dsl.container_component
def convert(data: Input[Dataset], page: Output[HTML], note: Output[Markdown]):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="alpine:3", command=["cp"], args=[data.path, page.path, note.uri])


@dsl.component
def pick_first(models: Input[list[Model]]) -> str:
    return models[0].uri


@dsl.component
def one_model(name: str, model: Output[Model]) -> None:
    model.metadata["name"] = name


@_keep
@dsl.pipeline(
    name="chain",
    description="Two steps.\n\nSecond paragraph: with a colon",
    display_name="A chain",
    pipeline_root="/tmp/root",
)
def chain(a: int = 1, text: str = "x") -> int:
    """A chain."""
    first = add(a=a)
    return add(a=first.output, b=5).output


@_keep
@dsl.pipeline(name="types")
def types() -> None:
    all_types()
    all_types(text="{{$.pipeline_job_name}}", whole=3, number=1e30, flag=True, many=[], table={}, mode="slow")


@_keep
@dsl.pipeline(name="inputs-of-all-types")
def inputs_of_all_types(
    text: str, whole: int, number: float, flag: bool, many: list, table: dict, maybe: Optional[str] = None
) -> None:
    all_types(text=text, whole=whole, number=number, flag=flag, many=many, table=table, maybe=maybe)


@_keep
@dsl.pipeline(name="artifacts")
def artifacts(rows: int = 5) -> Model:
    made = make_data(rows=rows)
    trained = train(data=made.outputs["data"], epochs=made.outputs["count"])
    convert(data=made.outputs["data"])
    return trained.outputs["model"]


@_keep
@dsl.pipeline(name="conditions")
def conditions(n: int = 1, mode: str = "a") -> str:
    flipped = flip()
    with dsl.If(flipped.output == True, name="yes"):  # noqa: E712
        a = say(text="yes")
    with dsl.Elif(n > 3):
        b = say(text="many")
    with dsl.Else():
        c = say(text=mode)
    return dsl.OneOf(a.output, b.output, c.output)


@_keep
@dsl.pipeline(name="conditions-of-artifacts")
def conditions_of_artifacts(mode: str = "a") -> Model:
    with dsl.If(mode == "a"):
        a = one_model(name="a")
    with dsl.Else():
        b = one_model(name="b")
    return dsl.OneOf(a.outputs["model"], b.outputs["model"])


@_keep
@dsl.pipeline(name="nested-conditions")
def nested_conditions(n: float = 1.5, text: str = 'it\'s "x"') -> None:
    with dsl.If(n >= 1.5), dsl.If(text != "it's"):
        inner = say(text=text)
        with dsl.If(inner.output == 'a"b'):
            say(text=inner.output)


@_keep
@dsl.pipeline(name="loops")
def loops(names: list = ["a", "b"]) -> int:  # noqa: B006
    with dsl.ParallelFor([1, 2, 3], parallelism=2, name="numbers") as number:
        sums = add(a=number)
    with dsl.ParallelFor(names) as name:
        say(text=name)
    with dsl.ParallelFor(items().output) as item:
        add(a=item)
    return total(numbers=dsl.Collected(sums.output)).output


@_keep
@dsl.pipeline(name="nested-loops")
def nested_loops(rows: list = [{"a": 1, "b": 3}, {"a": 2, "b": 4}]) -> list:  # noqa: B006
    with dsl.ParallelFor(rows) as outer:
        with dsl.ParallelFor([10, 20]) as inner:
            summed = add(a=outer.a, b=inner)
        add(a=outer.b)
    return dsl.Collected(summed.output)


@_keep
@dsl.pipeline(name="collected-artifacts")
def collected_artifacts() -> str:
    with dsl.ParallelFor(["a", "b"]) as name:
        made = one_model(name=name)
    return pick_first(models=dsl.Collected(made.outputs["model"])).output


@_keep
@dsl.pipeline(name="conditions-in-loops")
def conditions_in_loops(limit: int = 2) -> None:
    with dsl.ParallelFor([1, 2, 3]) as number:
        summed = add(a=number, b=limit)
        with dsl.If(summed.output > 3), dsl.ParallelFor(items().output) as item:
            add(a=item, b=summed.output)


@_keep
@dsl.pipeline(name="exit-handler")
def exit_handler(text: str = "x") -> None:
    end = report()
    with dsl.ExitHandler(exit_task=end, name="guarded"):
        say(text=text)
        fails()


@_keep
@dsl.pipeline(name="two-exit-handlers")
def two_exit_handlers() -> None:
    with dsl.ExitHandler(say(text="one")):
        fails()
    with dsl.ExitHandler(report()):
        add(a=1)


@_keep
@dsl.pipeline(name="ignored-failure")
def ignored_failure() -> None:
    failed = fails()
    say(text="after").after(failed).ignore_upstream_failure()
    add(a=1).after(failed)


@_keep
@dsl.pipeline(name="settings-of-tasks")
def settings_of_tasks(cpu: str = "500m", memory: str = "1Gi", gpus: str = "1", image: str = "python:3.12") -> None:
    first = add(a=1).set_caching_options(False).set_display_name("The first: one")
    first.set_cpu_limit("2").set_cpu_request("100m").set_memory_limit("2G").set_memory_request("512Mi")
    first.set_retry(3, backoff_duration="10s", backoff_factor=1.5, backoff_max_duration="120s")
    first.set_env_variable("NAME", "value: with # signs").set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(
        1
    )
    second = add(a=2).set_caching_options(True, cache_key="key").set_cpu_limit(cpu).set_memory_limit(memory)
    second.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(gpus).set_container_image(image)
    second.after(first)


@dsl.pipeline
def inner_pipeline(text: str, count: int = 2, data: Optional[Input[Dataset]] = None) -> str:
    with dsl.ParallelFor([1, 2]) as number:
        add(a=number, b=count)
    return say(text=text).output


@_keep
@dsl.pipeline(name="pipeline-in-pipeline")
def pipeline_in_pipeline(text: str = "x") -> str:
    made = make_data()
    first = inner_pipeline(text=text)
    second = inner_pipeline(text=first.output, count=5, data=made.outputs["data"])
    return second.output


@_keep
@dsl.pipeline(name="importers")
def importers(uri: str = "file:///data/x.csv", version: str = "1") -> None:
    fixed = dsl.importer(
        artifact_uri="gs://bucket/data.csv",
        artifact_class=Dataset,
        reimport=True,
        metadata={"k": ["v", 1, {"x": version}]},
    )
    dynamic = dsl.importer(artifact_uri=uri, artifact_class=Dataset, metadata={"version": version, version: "v"})
    train(data=fixed.output)
    train(data=dynamic.output)


@_keep
@dsl.pipeline(name="containers")
def containers(text: str = "hello", extra: Optional[str] = None) -> None:
    first = shout(text=text, copies=2)
    shout(text=first.outputs["out"], copies=3, extra="é\u2028 'x'")
    shout(text=text, copies=1, extra=extra)


@_keep
@dsl.pipeline(name="placeholders")
def placeholders() -> None:
    for value in (
        dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        dsl.PIPELINE_ROOT_PLACEHOLDER,
        dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
    ):
        say(text=value)
    say(text=f"before {dsl.PIPELINE_JOB_NAME_PLACEHOLDER} after")


@_keep
@dsl.pipeline(name="text-of-outputs")
def text_of_outputs(name: str = "x") -> None:
    first = add(a=1)
    say(text=f"{name} got {first.output}!")


@_keep
@dsl.pipeline(name="secrets-and-maps")
def secrets_and_maps(name: str = "a-secret") -> None:
    task = add(a=1)
    kubernetes.use_secret_as_env(task, secret_name="s", secret_key_to_env={"key": "ENV"}, optional=True)
    kubernetes.use_secret_as_env(task, secret_name=name, secret_key_to_env={"key": "ENV2"})
    kubernetes.use_secret_as_volume(task, secret_name=name, mount_path="/secret", optional=False)
    kubernetes.use_secret_as_volume(task, secret_name=say(text="made").output, mount_path="/secret2")
    kubernetes.use_config_map_as_env(task, config_map_name="m", config_map_key_to_env={"key": "ENV3"})
    kubernetes.use_config_map_as_volume(task, config_map_name=name, mount_path="/map")
    kubernetes.use_field_path_as_env(task, env_name="POD", field_path="metadata.name")
    kubernetes.set_image_pull_secrets(task, [name, "other"])
    kubernetes.set_image_pull_policy(task, "IfNotPresent")


@_keep
@dsl.pipeline(name="volumes")
def volumes(storage: str = "standard") -> None:
    made = kubernetes.CreatePVC(
        pvc_name_suffix="-data",
        access_modes=["ReadWriteOnce"],
        size="5Gi",
        storage_class_name=storage,
        annotations={"a": "b"},
    )
    task = add(a=1)
    kubernetes.mount_pvc(task, pvc_name=made.outputs["name"], mount_path="/data", sub_path="part")
    other = add(a=2).after(task)
    kubernetes.mount_pvc(other, pvc_name="fixed", mount_path="/fixed")
    kubernetes.add_ephemeral_volume(
        other, volume_name="e", mount_path="/e", access_modes=["ReadWriteOnce"], size="1Gi", labels={"x": "y"}
    )
    kubernetes.empty_dir_mount(other, volume_name="d", mount_path="/d", medium="Memory", size_limit="10Mi")
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(other)


@_keep
@dsl.pipeline(name="placement")
def placement(selector: dict = {"disk": "ssd"}, taint: dict = {"key": "k"}, affinity: dict = {}) -> None:  # noqa: B006
    task = add(a=1)
    kubernetes.add_node_selector(task, label_key="disk", label_value="ssd")
    kubernetes.add_toleration(task, key="k", operator="Equal", value="v", effect="NoExecute", toleration_seconds=30)
    kubernetes.add_node_affinity(
        task, match_expressions=[{"key": "zone", "operator": "In", "values": ["a"]}], weight=10
    )
    kubernetes.add_pod_label(task, "team", "x")
    kubernetes.add_pod_annotation(task, "note", "on")
    kubernetes.set_timeout(task, 3600)
    kubernetes.set_security_context(task, run_as_user=65534, run_as_group=0, run_as_non_root=True)
    other = add(a=2)
    kubernetes.add_node_selector_json(other, selector)
    kubernetes.add_toleration_json(other, taint)
    kubernetes.add_node_affinity_json(other, affinity)


@_keep
@dsl.pipeline(
    name="configured",
    pipeline_config=dsl.PipelineConfig(
        workspace=dsl.WorkspaceConfig(
            size="10Gi", kubernetes=dsl.KubernetesWorkspaceConfig(pvcSpecPatch={"accessModes": ["ReadWriteOnce"]})
        )
    ),
)
def configured() -> None:
    say(text=dsl.WORKSPACE_PATH_PLACEHOLDER)


@dsl.component
def many_kinds(
    scores: Output[dsl.ClassificationMetrics],
    sliced: Output[dsl.SlicedClassificationMetrics],
    page: Output[HTML],
    any_: Output[Artifact],
) -> None:
    scores.log_confusion_matrix(["a"], [[1]])


@dsl.component
def generic(thing: Input[Artifact], maybe: Optional[Input[Dataset]] = None) -> None:
    print(thing)


@_keep
@dsl.pipeline(name="kinds-of-artifacts")
def kinds_of_artifacts() -> None:
    made = many_kinds()
    generic(thing=made.outputs["scores"])


@dsl.component
def copy_data(data: Input[Dataset]) -> Dataset:
    return data


@dsl.component
def name_data(name: str) -> Dataset:
    return dsl.Dataset(uri=dsl.get_uri(name))


@dsl.component
def use_all(data: Input[list[Dataset]]) -> None:
    print(data)


@_keep
@dsl.pipeline(name="lists-of-artifacts")
def lists_of_artifacts(one: Input[Dataset], many: Input[list[Dataset]]) -> None:
    copy_data(data=one)
    use_all(data=many)
    with dsl.ParallelFor(items=many) as item:
        copy_data(data=item)


@dsl.pipeline
def named(name: str) -> Dataset:
    return name_data(name=name).output


@_keep
@dsl.pipeline(name="pipelines-in-loops")
def pipelines_in_loops(names: list[str] = ["a"]) -> None:  # noqa: B006
    with dsl.ParallelFor(names) as name:
        made = named(name=name).set_retry(2)
        copied = copy_data(data=made.output)
    use_all(data=dsl.Collected(copied.output))


@dsl.component(
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    ]
)
def with_config(text: str, config: dsl.TaskConfig) -> None:
    print(text, config)


@_keep
@dsl.pipeline(name="settings-passed-through")
def settings_passed_through() -> None:
    with_config(text="x").set_cpu_limit("1").set_env_variable("A", "b")


@dsl.container_component
def with_all_types(text: str, table: dict, number: float, flag: bool):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(
        image="alpine:3",
        command=["run", text],
        args=[table, number, flag, dsl.IfPresentPlaceholder("text", ["--text", text], ["--no-text"])],
    )


@_keep
@dsl.pipeline(name="types-in-containers")
def types_in_containers(table: dict = {}, number: float = 1, flag: bool = True) -> None:  # noqa: B006
    with_all_types(text="x", table=table, number=number, flag=flag)


_keep(add)
_keep(shout)
_keep(train)
