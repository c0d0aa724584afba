"""Artifacts in and out: classes, paths, metadata, lists, returned ones."""

from typing import Any

from tests.differential.running import Case

DATA: dict[str, Any] = {
    "type": "system.Dataset",
    "uri": "{dir}/inputs/data",
    "metadata": {"rows": 3, "é": [1]},
    "content": "the data",
}
MORE = {**DATA, "name": "more", "uri": "{dir}/inputs/more", "content": "more data"}
FOREIGN = {"type": "acme.Thing", "uri": "{dir}/inputs/thing", "metadata": {"a": 1}, "content": "thing"}
SHOW = "    print('SAID', type(a).__name__, a.name, a.uri, a.path, a.metadata, a.schema_title, repr(a.custom_path))\n"
READ = "    print('SAID', open(a.path).read())\n"
GOES_ON = {"exit": "", "output": "", "error": ""}


def _goes_on(why: str) -> dict[str, str]:
    return dict.fromkeys(GOES_ON, why)


def _remote(uri: str, kind: str = "Artifact") -> Case:
    source = f"def f(a: Input[{kind}]) -> str:\n{SHOW}    return a.path\n"
    return Case(f"path of {uri} as {kind}", source, artifacts={"a": [{"type": f"system.{kind}", "uri": uri}]})


INPUTS = [
    Case("input", f"def f(a: Input[Dataset]):\n{SHOW}{READ}", artifacts={"a": [DATA]}),
    Case("input by dsl", f"def f(a: dsl.Input[dsl.Dataset]):\n{SHOW}{READ}", artifacts={"a": [DATA]}),
    Case("input bare", f"def f(a: Dataset):\n{SHOW}{READ}", artifacts={"a": [DATA]}),
    Case("input of another class", f"def f(a: Input[Artifact]):\n{SHOW}", artifacts={"a": [DATA]}),
    Case("input of a foreign type", f"def f(a: Input[Artifact]):\n{SHOW}", artifacts={"a": [FOREIGN]}),
    Case(
        "input of an own class",
        "class Thing(Artifact):\n    schema_title = 'acme.Thing'\n    schema_version = '0.0.2'\n\n"
        f"def f(a: Input[Thing]):\n{SHOW}    assert isinstance(a, Thing)\n",
        artifacts={"a": [FOREIGN]},
    ),
    Case(
        "input of a class with a maker",
        "class Thing(Artifact):\n    schema_title = 'acme.Thing'\n    schema_version = '0.0.2'\n"
        "    def __init__(self, must): super().__init__(name=must)\n    @classmethod\n"
        "    def _from_executor_fields(cls, *, uri, name, metadata): return cls(name + uri[:1])\n\n"
        f"def f(a: Thing):\n{SHOW}",
        artifacts={"a": [FOREIGN]},
    ),
    Case("input optional, given", f"def f(a: Optional[Input[Dataset]] = None):\n{SHOW}", artifacts={"a": [DATA]}),
    Case("input optional, absent", "def f(a: Optional[Input[Dataset]] = None):\n    print('SAID', a)\n"),
    Case("input absent", "def f(a: Input[Dataset]):\n    print('SAID', a)\n"),
    Case(
        "input path", "def f(a: InputPath('Dataset')):\n    print('SAID', a, open(a).read())\n", artifacts={"a": [DATA]}
    ),
    Case("input path of class", "def f(a: InputPath(Dataset)):\n    print('SAID', a)\n", artifacts={"a": [DATA]}),
    Case("input path of any", "def f(a: InputPath()):\n    print('SAID', a)\n", artifacts={"a": [DATA]}),
    Case("input path of foreign", "def f(a: InputPath('Thing')):\n    print('SAID', a)\n", artifacts={"a": [FOREIGN]}),
    Case(
        "input path absent",
        "def f(a: InputPath('Dataset') = None):\n    print('SAID', a)\n",
        differs={"exit": "an optional input may be absent", "output": "…", "error": "…", "said": "…"},
    ),
    Case(
        "input list",
        "def f(a: Input[List[Dataset]]) -> list:\n"
        "    return [[each.name, each.metadata, open(each.path).read()] for each in a]\n",
        artifacts={"a": [DATA, MORE]},
    ),
    Case(
        "input list bare",
        "def f(a: List[Dataset]) -> list:\n    return [type(each).__name__ for each in a]\n",
        artifacts={"a": [DATA, MORE, FOREIGN]},
    ),
    Case(
        "input list of one",
        "def f(a: Input[list[Artifact]]) -> list:\n    return [type(each).__name__ for each in a]\n",
        artifacts={"a": [DATA]},
    ),
    Case(
        "input list, empty",
        "def f(a: Input[List[Dataset]]) -> int:\n    return len(a)\n",
        artifacts={"a": []},
        differs=_goes_on("a list of no artifacts is a list"),
    ),
    Case("input list, absent", "def f(a: Optional[Input[List[Dataset]]] = None) -> str:\n    return str(a)\n"),
    _remote("gs://bucket/a/b"),
    _remote("s3://bucket/a/b"),
    _remote("minio://bucket/a/b", "Dataset"),
    _remote("oci://host/image:1", "Model"),
    _remote("oci://host/image:1"),
    _remote("https://host/a"),
    _remote("/plain/path"),
    _remote(""),
    _remote("file:///plain/path")._replace(
        differs={"said": "artifacts of this machine may be named by a file URI", "output": "…"}
    ),
    Case(
        "input in the workspace",
        f"def f(a: Input[Model]):\n{SHOW}",
        artifacts={"a": [{"type": "system.Model", "uri": "s3://b/m", "metadata": {"_kfp_workspace": True}}]},
    ),
]

OUTPUTS = [
    *(
        Case(
            f"output {kind}",
            f"def f(a: Output[{kind}]):\n{SHOW}    open(a.path, 'w').write('made')\n    a.metadata['n'] = 1\n",
            returns=(),
            makes={"a": f"system.{kind}"},
        )
        for kind in (
            "Artifact",
            "Dataset",
            "Model",
            "Metrics",
            "ClassificationMetrics",
            "SlicedClassificationMetrics",
            "HTML",
            "Markdown",
        )
    ),
    Case("output untouched", "def f(a: Output[Dataset]):\n    pass\n", returns=(), makes={"a": "system.Dataset"}),
    Case(
        "output folder",
        "def f(a: Output[Model]):\n    import os\n    os.makedirs(a.path)\n"
        "    open(os.path.join(a.path, 'weights'), 'w').write('w')\n    a.framework = 'none'\n"
        "    print('SAID', a.framework)\n",
        returns=(),
        makes={"a": "system.Model"},
    ),
    Case(
        "output path of artifact",
        "def f(a: OutputPath('Dataset'), b: OutputPath(Model), c: OutputPath('Thing')):\n"
        "    for each in (a, b, c):\n        open(each, 'w').write('made')\n        print('SAID', each)\n",
        returns=(),
        makes={"a": "system.Dataset", "b": "system.Model", "c": "system.Artifact"},
    ),
    Case(
        "uri, name and metadata replaced",
        "def f(a: Output[Dataset]):\n    a.uri = 's3://elsewhere/x'\n    a.name = 'mine'\n"
        "    a.metadata = {'k': 'v'}\n"
        "    print('SAID', a.path)\n",
        returns=(),
        makes={"a": "system.Dataset"},
    ),
    Case(
        "path replaced",
        "def f(a: Output[Dataset], b: Output[Dataset]):\n    a.path = '/gcs/bucket/x'\n    b.path = '/plain'\n"
        "    print('SAID', a.uri, b.uri)\n",
        returns=(),
        makes={"a": "system.Dataset", "b": "system.Dataset"},
    ),
    Case(
        "custom path",
        "def f(a: Output[Dataset], b: Output[Model]):\n    a.custom_path = 'here'\n    b.set_path('there')\n"
        "    open(a.path, 'w').write('1')\n    open(b.path, 'w').write('2')\n"
        "    print('SAID', a.uri, b.custom_path)\n",
        returns=(),
        makes={"a": "system.Dataset", "b": "system.Model"},
    ),
    Case(
        "metrics",
        "def f(m: Output[Metrics]) -> float:\n    m.log_metric('x', 0.9)\n    m.log_metric('n', 3)\n    return 0.9\n",
        makes={"m": "system.Metrics"},
    ),
    Case(
        "classification",
        "def f(m: Output[ClassificationMetrics]):\n    m.log_roc_curve([0.0, 0.5], [0.1, 0.6], [0.9, 0.4])\n"
        "    m.log_roc_data_point(1.0, 1.0, 0.0)\n    m.set_confusion_matrix_categories(['a', 'b'])\n"
        "    m.log_confusion_matrix_row('a', [1, 2])\n    m.log_confusion_matrix_cell('b', 'a', 3)\n",
        returns=(),
        makes={"m": "system.ClassificationMetrics"},
    ),
    Case(
        "confusion matrix",
        "def f(m: Output[ClassificationMetrics]):\n    m.log_confusion_matrix(['a', 'b'], [[1, 2], [3, 4]])\n",
        returns=(),
        makes={"m": "system.ClassificationMetrics"},
    ),
    *(
        Case(
            f"classification misused: {call}",
            "def f(m: Output[ClassificationMetrics]):\n    m.set_confusion_matrix_categories(['a', 'b'])\n    try:\n"
            f"        m.{call}\n    except ValueError:\n        print('SAID ValueError', m.metadata)\n",
            returns=(),
            makes={"m": "system.ClassificationMetrics"},
        )
        for call in (
            "log_roc_curve([1], [1, 2], [1])",
            "log_confusion_matrix_row('c', [1, 2])",
            "log_confusion_matrix_row('a', [1])",
            "log_confusion_matrix_cell('a', 'c', 1)",
            "log_confusion_matrix(['a', 'b'], [[1, 2]])",
        )
    ),
    Case(
        "sliced classification",
        "def f(m: Output[SlicedClassificationMetrics]):\n    m.log_roc_reading('s', 0.5, 0.6, 0.1)\n"
        "    m.set_confusion_matrix_categories('s', ['a'])\n    m.log_confusion_matrix_cell('s', 'a', 'a', 1)\n",
        returns=(),
        makes={"m": "system.SlicedClassificationMetrics"},
        differs=_goes_on("that class of the SDK calls methods that are not there"),
    ),
    Case(
        "metadata that is no JSON",
        "def f(a: Output[Dataset]):\n    a.metadata['when'] = object()\n",
        returns=(),
        makes={"a": "system.Dataset"},
        differs={"error": "it names the artifact", "output": "no empty file is left"},
    ),
    Case(
        "metadata of nan",
        "def f(a: Output[Dataset]):\n    a.metadata.update(x=float('nan'), t=(1, 2), n=None, d={'k': {}})\n",
        returns=(),
        makes={"a": "system.Dataset"},
    ),
    Case(
        "input passed on",
        "def f(a: Input[Dataset], b: Output[Dataset]):\n    import shutil\n    shutil.copy(a.path, b.path)\n"
        "    b.metadata.update(a.metadata)\n",
        artifacts={"a": [DATA]},
        returns=(),
        makes={"b": "system.Dataset"},
    ),
]

RETURNED = [
    Case(
        "returned artifact",
        "def f() -> Dataset:\n    a = Dataset(uri=dsl.get_uri(), metadata={'n': 1})\n"
        "    open(a.path, 'w').write('made')\n"
        "    print('SAID', a.uri)\n    return a\n",
        returns=(),
        makes={"Output": "system.Dataset"},
    ),
    Case(
        "returned artifact with a name",
        "def f() -> dsl.Model:\n    return dsl.Model(name='mine', uri=get_uri('sub'), metadata={'framework': 'x'})\n",
        returns=(),
        makes={"Output": "system.Model"},
    ),
    *(
        Case(
            f"returned {kind} for an artifact",
            f"def f() -> Artifact:\n    return {expression}\n",
            returns=(),
            makes={"Output": "system.Artifact"},
        )
        for kind, expression in (("text", "'text ü'"), ("number", "1.5"), ("list", "[1, 'a']"))
    ),
    Case(
        "returned parameters and artifacts",
        "def f(a: int) -> NamedTuple('O', [('n', int), ('data', Dataset), ('model', Model)]):\n"
        "    from collections import namedtuple\n    made = Dataset(uri=dsl.get_uri('data'))\n"
        "    return namedtuple('O', ['n', 'data', 'model'])(a, made, 'a model')\n",
        {"a": 1},
        returns=("n",),
        makes={"data": "system.Dataset", "model": "system.Model"},
    ),
    Case(
        "returned nothing for an artifact",
        "def f() -> Dataset:\n    pass\n",
        returns=(),
        makes={"Output": "system.Dataset"},
    ),
    Case("get_uri", "def f() -> str:\n    return dsl.get_uri() + ' ' + dsl.get_uri(suffix='a/b')\n"),
]

EMBEDDED = [
    Case(
        f"embedded {kind}",
        f"__KFP_EMBEDDED_ASSET_DIR = '/e'\n{line}"
        f"def f(a: dsl.EmbeddedInput[{inner}]):\n    print('SAID', type(a).__name__, a.path, a.uri)\n",
    )
    for kind, line, inner in (
        ("folder", "", "Dataset"),
        ("file", "__KFP_EMBEDDED_ASSET_FILE = '/e/file'\n", "Artifact"),
    )
]
EMBEDDED.append(
    Case(
        "embedded nothing",
        "def f(a: dsl.EmbeddedInput[Dataset]):\n    pass\n",
        differs={"error": "it names the function"},
    )
)

CASES = [*INPUTS, *OUTPUTS, *RETURNED, *EMBEDDED]
