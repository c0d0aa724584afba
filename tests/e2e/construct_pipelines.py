"""One small pipeline for each construct of the SDK: its control flow and its components.

Each ends with an output that is right only if the construct did what it means.
"""

# Written as users of the SDK write, which does not understand every newer form.
# ruff: noqa: UP006, UP035, UP045

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl

PIPELINES = []


def pipeline(function):  # type: ignore[no-untyped-def]
    made = dsl.pipeline(name=function.__name__.replace("_", "-"))(function)
    PIPELINES.append(made)
    return made


@dsl.component
def say(text: str) -> str:
    return text


@dsl.component
def number(x: int) -> int:
    return x


@dsl.component
def total(xs: list) -> int:
    def flat(x):  # type: ignore[no-untyped-def]
        return sum(map(flat, x)) if isinstance(x, list) else x

    return flat(xs)


@dsl.component
def fail(text: str = "on purpose") -> str:
    raise RuntimeError(text)


@dsl.component
def write(text: str, out: dsl.Output[dsl.Dataset]):
    with open(out.path, "w") as file:
        file.write(text)
    out.metadata["length"] = len(text)


@dsl.component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.component
def read_all(data: dsl.Input[List[dsl.Dataset]]) -> str:
    return ",".join(open(each.path).read() for each in data)


@dsl.component
def join(a: str = "", b: str = "") -> str:
    return f"{a}|{b}"


@dsl.component
def touch(folder: str, name: str, text: str = "none") -> str:
    with open(folder + "/" + name, "w") as file:
        file.write(text)
    return name


@dsl.component
def joined(xs: list) -> str:
    return "+".join(xs)


@dsl.component
def checked(a: int, b: list) -> str:
    return f"{a} {b}"


@dsl.component
def describe(data: dsl.Input[dsl.Dataset]) -> str:
    return f"{data.metadata['kind']} {open(data.path).read() == open('/etc/hostname').read()}"


@dsl.component
def place(folder: str) -> str:
    with open(folder + "/placed.txt", "w") as file:
        file.write("placed")
    return folder + "/placed.txt"


@dsl.component
def read_file(path: str) -> str:
    return open(path).read()


@dsl.component
def write_file(path: str, text: str):
    with open(path, "w") as file:
        file.write(text)


@dsl.component
def scratch() -> str:
    import os

    open("/scratch/x", "w").close()
    return ",".join(os.listdir("/scratch"))


# control flow


@pipeline
def branches(x: int = 7) -> str:
    with dsl.If(x > 10):
        large = say(text="large")
    with dsl.Elif(x > 5):
        medium = say(text="medium")
    with dsl.Else():
        small = say(text="small")
    return dsl.OneOf(large.output, medium.output, small.output)


@pipeline
def branch_artifacts(flag: bool = False) -> str:
    with dsl.If(flag == True):  # noqa: E712 - the SDK's own way to write it
        yes = write(text="yes")
    with dsl.Else():
        no = write(text="no")
    return read(data=dsl.OneOf(yes.outputs["out"], no.outputs["out"])).output


@pipeline
def nested_conditions(folder: str, x: int = 3):
    first = number(x=x)
    with dsl.If(first.output >= 3):
        with dsl.If(first.output != 4):
            touch(folder=folder, name="deep")
        with dsl.If(first.output == 4):
            touch(folder=folder, name="wrong")


@pipeline
def nested_loops(outer: list = [1, 2]) -> int:  # noqa: B006 - a pipeline's default
    with dsl.ParallelFor(outer, parallelism=1) as i, dsl.ParallelFor([10, 20]) as j:
        a = number(x=i)
        b = number(x=j).after(a)
    return total(xs=dsl.Collected(b.output)).output


@pipeline
def loop_over_dicts() -> int:
    with dsl.ParallelFor([{"a": 1, "b": 2}, {"a": 3, "b": 4}]) as item:
        a = number(x=item.a)
    return total(xs=dsl.Collected(a.output)).output


@dsl.component
def make_list() -> List[Dict[str, int]]:
    return [{"n": 5}, {"n": 6}]


@dsl.component
def make_none() -> List[int]:
    return []


@pipeline
def loop_over_output() -> int:
    with dsl.ParallelFor(make_list().output) as item:
        a = number(x=item.n)
    return total(xs=dsl.Collected(a.output)).output


@pipeline
def loop_over_nothing() -> int:
    with dsl.ParallelFor(make_none().output) as item:
        a = number(x=item)
    return total(xs=dsl.Collected(a.output)).output


@pipeline
def collected_artifacts() -> str:
    with dsl.ParallelFor(["a", "b", "c"]) as item:
        made = write(text=item)
    return read_all(data=dsl.Collected(made.outputs["out"])).output


@dsl.pipeline
def many() -> List[dsl.Dataset]:
    with dsl.ParallelFor(["x", "y"]) as item:
        made = write(text=item)
    return dsl.Collected(made.outputs["out"])


@pipeline
def loop_over_artifacts() -> str:
    with dsl.ParallelFor(many().output) as each:
        got = read(data=each)
    return joined(xs=dsl.Collected(got.output)).output


@dsl.component
def report(folder: str, status: dsl.PipelineTaskFinalStatus):
    with open(folder + "/status", "w") as file:
        file.write(f"{status.state} {status.pipeline_task_name} {status.error_message is not None}")


@pipeline
def exit_after_failure(folder: str):
    last = report(folder=folder)
    with dsl.ExitHandler(last, name="guarded"):
        fail()


@pipeline
def exit_after_success(folder: str):
    last = report(folder=folder)
    with dsl.ExitHandler(last):
        say(text="fine")


@pipeline
def cleanup_in_spite(folder: str):
    failing = fail()
    touch(folder=folder, name="cleaned", text=failing.output).ignore_upstream_failure()


@dsl.component
def flaky(folder: str) -> int:
    import os

    tries = len([name for name in os.listdir(folder) if name.startswith("try")]) + 1
    open(f"{folder}/try{tries}", "w").close()
    if tries < 3:
        raise RuntimeError(f"try {tries}")
    return tries


@pipeline
def retried(folder: str) -> int:
    return flaky(folder=folder).set_retry(3, backoff_duration="0s").output


@dsl.pipeline
def inner(folder: str, prefix: str = "in") -> int:
    said = say(text=prefix)
    return flaky(folder=folder).after(said).output


@pipeline
def retried_pipeline(folder: str) -> int:
    return inner(folder=folder).set_retry(3, backoff_duration="0s").output


@dsl.pipeline
def deepest(a: str = "from default") -> str:
    return say(text=a).output


@dsl.pipeline
def middle(b: Optional[str] = None) -> str:
    return join(a=deepest().output, b=deepest(a="given").output).output


@pipeline
def nested_defaults() -> str:
    return middle().output


@dsl.component
def optional(data: Optional[dsl.Input[dsl.Dataset]] = None, text: Optional[str] = None, n: int = 4) -> str:
    return f"{data is None} {text} {n}"


@pipeline
def optionals() -> str:
    return optional().output


# components


class Two(NamedTuple):
    a: int
    b: List[str]


@dsl.component
def pair() -> NamedTuple("outputs", [("a", int), ("b", list)]):
    from collections import namedtuple

    return namedtuple("outputs", ["a", "b"])(3, ["x", "y"])


@pipeline
def named_outputs() -> str:
    two = pair()
    return checked(a=two.outputs["a"], b=two.outputs["b"]).output


@dsl.container_component
def shell(text: str, out: dsl.OutputPath(str), extra: Optional[str] = None):  # type: ignore[valid-type]
    return dsl.ContainerSpec(
        image="debian",
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")"; shift 0; printf "%s" "$2$3" > "$1"', "sh"],
        args=[
            out,
            dsl.ConcatPlaceholder([text, "!"]),
            dsl.IfPresentPlaceholder(input_name="extra", then=[extra], else_=["none"]),
        ],
    )


@pipeline
def container_placeholders() -> str:
    return join(a=shell(text="one").outputs["out"], b=shell(text="two", extra="three").outputs["out"]).output


@dsl.container_component
def measure(data: dsl.Input[dsl.Dataset], out: dsl.OutputPath(str), copy: dsl.Output[dsl.Dataset]):  # type: ignore[valid-type]
    return dsl.ContainerSpec(
        image="debian",
        command=[
            "sh",
            "-ec",
            'mkdir -p "$(dirname "$2")" "$(dirname "$3")"; cp "$1" "$3"; printf "%s of %s" "$4" "$(cat "$1")" > "$2"',
            "sh",
        ],
        args=[data.path, out, copy.path, data.metadata["length"]],
    )


@pipeline
def artifact_metadata() -> str:
    measured = measure(data=write(text="hello").outputs["out"])
    return join(a=measured.outputs["out"], b=read(data=measured.outputs["copy"]).output).output


@dsl.component
def names(job: str, resource: str, job_id: str, task: str, task_id: str, created: str) -> str:
    assert job_id
    assert task_id
    assert created.startswith("20"), created
    assert resource.startswith("placeholders-"), resource
    return f"{job} {task}"


@pipeline
def placeholders() -> str:
    return names(
        job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_id=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
    ).output


@pipeline
def imported() -> str:
    found = dsl.importer(
        artifact_uri="file:///etc/hostname",
        artifact_class=dsl.Dataset,
        reimport=False,
        metadata={"kind": "host"},
    )
    return describe(data=found.output).output


@pipeline
def imported_by_parameter(folder: str) -> str:
    made = place(folder=folder)
    found = dsl.importer(artifact_uri=made.output, artifact_class=dsl.Dataset)
    return read(data=found.output).output


@dsl.component
def metrics(m: dsl.Output[dsl.Metrics], c: dsl.Output[dsl.ClassificationMetrics], h: dsl.Output[dsl.HTML]):
    m.log_metric("accuracy", 0.5)
    c.log_confusion_matrix(["a", "b"], [[1, 2], [3, 4]])
    c.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    with open(h.path, "w") as file:
        file.write("<b>hi</b>")


@pipeline
def metric_artifacts():
    metrics()


@dsl.component
def custom() -> dsl.Dataset:
    made = dsl.Dataset(uri=dsl.get_uri("mine"), metadata={"k": 1})
    with open(made.path, "w") as file:
        file.write("pythonic")
    return made


@pipeline
def pythonic_artifacts() -> str:
    return read(data=custom().output).output


@dsl.component
def with_paths(text: str, out: dsl.OutputPath("Dataset"), number: dsl.OutputPath(int)):  # type: ignore[valid-type]
    with open(out, "w") as file:
        file.write(text)
    with open(number, "w") as file:
        file.write("42")


@dsl.component
def from_path(data: dsl.InputPath("Dataset"), n: int) -> str:  # type: ignore[valid-type]
    return f"{open(data).read()} {n}"


@pipeline
def paths() -> str:
    made = with_paths(text="by path")
    return from_path(data=made.outputs["out"], n=made.outputs["number"]).output
