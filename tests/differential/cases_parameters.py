"""Parameters in and out, of every type and at their edges."""

from typing import Any

from tests.differential.running import Case

IN_WORDS = "the message names the function, the output, and what was expected"


def _typed(name: str, kind: str, value: Any) -> Case:
    """A value through a component that returns it, and says what it got."""
    source = f"def f(a: {kind}) -> {kind}:\n    print('SAID', type(a).__name__, repr(a))\n    return a\n"
    return Case(name, source, {"a": value})


def _wrong(name: str, annotation: str, expression: str) -> Case:
    source = f"def f() -> {annotation}:\n    return {expression}\n"
    return Case(f"wrong {name}", source, differs={"error": IN_WORDS})


TYPED = [
    _typed("str", "str", "text"),
    _typed("str empty", "str", ""),
    _typed("str unicode", "str", "ünïcode 漢字 🎈 \u2028 \\ \" ' {{$}}"),
    _typed("str control", "str", "a\x00b\tc\nd\r"),
    _typed("str surrogate", "str", "\ud800"),
    _typed("str large", "str", "x" * 1_000_000),
    _typed("int", "int", 7),
    _typed("int negative", "int", -1),
    _typed("int zero", "int", 0),
    _typed("int huge", "int", 10**40),
    _typed("float", "float", 0.1),
    _typed("float whole", "float", 3.0),
    _typed("float given int", "float", 3),
    _typed("float tiny", "float", 5e-324),
    _typed("float nan", "float", float("nan")),
    _typed("float infinite", "float", float("-inf")),
    _typed("bool true", "bool", True),
    _typed("bool false", "bool", False),
    _typed("list", "list", [1, "a", None, [], {"k": 1.5}]),
    _typed("list empty", "list", []),
    _typed("List", "List", [1]),
    _typed("List of str", "List[str]", ["a", "b"]),
    _typed("list of int", "list[int]", [1, 2]),
    _typed("List of dicts", "List[Dict[str, int]]", [{"a": 1}]),
    _typed("dict", "dict", {"a": {"b": [1, None]}, "": 0}),
    _typed("dict empty", "dict", {}),
    _typed("Dict", "Dict", {"a": 1}),
    _typed("Dict of int", "Dict[str, int]", {"a": 1}),
    _typed("Mapping", "Mapping[str, int]", {"a": 1})._replace(
        differs=dict.fromkeys(
            ("exit", "output", "said", "error"), "the compiler takes it, the executor does not know it"
        )
    ),
    _typed("quoted annotation", "'str'", "text")._replace(
        differs={
            "exit": "an annotation given as text is taken for what it stands for",
            "output": "…",
            "error": "…",
        }
    ),
]

WRONG = [
    _wrong("str for int", "int", "'1'"),
    _wrong("int for str", "str", "1"),
    _wrong("float for int", "int", "1.0"),
    _wrong("str for float", "float", "'1.0'"),
    _wrong("int for bool", "bool", "1"),
    _wrong("tuple for list", "list", "(1,)"),
    _wrong("list for dict", "Dict[str, int]", "[1]"),
    _wrong("two for three", "NamedTuple('O', [('a', int), ('b', int), ('c', int)])", "(1, 2)"),
    _wrong("one of several", "NamedTuple('O', [('a', int), ('b', int)])", "(1, 'b')"),
    _wrong("set in a list", "list", "[{1}]"),
    _wrong("bytes in a dict", "dict", "{'a': b'1'}"),
    Case("wrong: undeclared", "def f():\n    return 1\n", returns=(), differs={"error": IN_WORDS}),
]

DEFAULTS = [
    Case(
        "literal",
        "def f(a: Literal['x', 'y'] = 'x') -> str:\n    return a\n",
        {"a": "y"},
        differs={"output": "the SDK's executor leaves such an argument out, whatever the value is"},
    ),
    Case("optional list", "def f(a: Optional[List[str]] = None) -> str:\n    return str(a)\n", {"a": ["x"]}),
    Case("union with none", "def f(a: Union[int, None] = 4) -> str:\n    return str(a)\n", {"a": 0}),
    Case(
        "defaults left out",
        "def f(a: str = 'd', b: int = 3, c: Optional[str] = None, d: float = 0.5, e: bool = True) -> str:\n"
        "    return repr([a, b, c, d, e])\n",
    ),
    Case(
        "defaults given null",
        "def f(a: str = 'd', b: Optional[int] = 3, c: Optional[dict] = None) -> str:\n    return repr([a, b, c])\n",
        {"a": None, "b": None, "c": None},
    ),
    Case(
        "defaults given values",
        "def f(a: str = 'd', b: Optional[int] = 3, c: Optional[Dict[str, int]] = None) -> str:\n"
        "    return repr([a, b, c])\n",
        {"a": "", "b": 0, "c": {"k": 1}},
    ),
    Case("missing without a default", "def f(a: str) -> str:\n    return a\n"),
    Case("null without a default", "def f(a: str) -> str:\n    return a\n", {"a": None}),
    Case("unknown parameter", "def f(a: str) -> str:\n    return a\n", {"a": "x", "b": "y"}),
    Case(
        "placeholders in defaults",
        "def f(a: str = dsl.PIPELINE_JOB_NAME_PLACEHOLDER, b: str = PIPELINE_TASK_ID_PLACEHOLDER) -> str:\n"
        "    return a + b\n",
    ),
    Case("pipe optional", "def f(a: 'str | None' = None) -> str:\n    return str(a)\n"),
    Case("keyword only", "def f(*, a: str, b: int = 2) -> str:\n    return a * b\n", {"a": "x"}),
]

RETURNS = [
    Case("nothing", "def f():\n    print('SAID hello')\n", returns=()),
    Case("none for a value", "def f() -> int:\n    return None\n"),
    Case("true for int", "def f() -> int:\n    return True\n"),
    Case("int for float", "def f() -> float:\n    return 2\n"),
    Case("subclass of str", "def f() -> str:\n    class S(str): pass\n    return S('x')\n"),
    Case(
        "ordered dict", "def f() -> dict:\n    from collections import OrderedDict\n    return OrderedDict(b=1, a=2)\n"
    ),
    Case("tuple in a list", "def f() -> list:\n    return [(1, 2)]\n"),
    Case("nan within", "def f() -> dict:\n    return {'a': float('nan'), 'b': [float('inf')]}\n"),
    Case("keys that are no texts", "def f() -> dict:\n    return {1: 'a', None: 'b', True: 'c', 1.5: 'd'}\n"),
    Case(
        "named tuple",
        "def f(a: int) -> NamedTuple('Outputs', [('total', int), ('name', str), ('more', Dict[str, float])]):\n"
        "    from collections import namedtuple\n"
        "    return namedtuple('Any', ['name', 'total', 'more'])(more={'a': 1.5}, total=a, name='n')\n",
        {"a": 3},
        returns=("total", "name", "more"),
    ),
    Case(
        "plain tuple",
        "def f() -> NamedTuple('Outputs', [('total', int), ('name', str)]):\n    return (1, 'n')\n",
        returns=("total", "name"),
    ),
    Case(
        "list for a tuple",
        "def f() -> NamedTuple('Outputs', [('total', int), ('name', str)]):\n    return [1, 'n']\n",
        returns=("total", "name"),
        differs={"exit": "a list of the right length says the same", "output": "…", "error": "…"},
    ),
    Case(
        "class of tuple",
        "class Outputs(NamedTuple):\n    total: int\n    name: str\n\n"
        "def f() -> Outputs:\n    return Outputs(1, 'n')\n",
        returns=("total", "name"),
    ),
]

PATHS = [
    Case(
        "output paths",
        "def f(a: OutputPath(str), b: OutputPath(int), c: dsl.OutputPath(Dict[str, int])):\n"
        "    import json, os\n"
        "    for path, value in ((a, 'text'), (b, 1), (c, {'k': 1})):\n"
        "        assert os.path.isdir(os.path.dirname(path)), path\n"
        "        with open(path, 'w') as file:\n"
        "            file.write(value if isinstance(value, str) else json.dumps(value))\n"
        "    print('SAID', [os.path.basename(each) for each in (a, b, c)])\n",
        returns=("a", "b", "c"),
    ),
    Case(
        "output path and value",
        "def f(a: OutputPath(str)) -> int:\n    open(a, 'w').write('text')\n    return 1\n",
        returns=("a", "Output"),
    ),
    Case("output path unused", "def f(a: OutputPath(str)):\n    pass\n", returns=("a",)),
]

DOCUMENTS = [
    Case(
        "final status",
        "def f(status: PipelineTaskFinalStatus) -> str:\n    import dataclasses\n"
        "    print('SAID', status)\n    return str(dataclasses.asdict(status))\n",
        {
            "status": {
                "state": "FAILED",
                "pipelineJobResourceName": "job",
                "pipelineTaskName": "task",
                "error": {"code": 9, "message": "it broke"},
            }
        },
    ),
    Case(
        "final status, old names",
        "def f(s: dsl.PipelineTaskFinalStatus) -> str:\n"
        "    return f'{s.state} {s.pipeline_task_name} {s.error_message}'\n",
        {"s": {"state": "SUCCEEDED", "pipeline_job_resource_name": "job", "pipeline_task_name": "task"}},
    ),
    Case(
        "final status, optional",
        "def f(s: Optional[PipelineTaskFinalStatus]) -> str:\n    return s.state\n",
        {"s": {"state": "SUCCEEDED"}},
    ),
    Case(
        "final status, null error",
        "def f(s: PipelineTaskFinalStatus) -> str:\n    return str(s.error_code)\n",
        {"s": {"state": "SUCCEEDED", "error": None}},
        differs={"exit": "no error may also be said by null", "output": "…", "error": "…"},
    ),
    Case(
        "task config",
        "def f(config: dsl.TaskConfig) -> str:\n    import dataclasses\n    return str(dataclasses.asdict(config))\n",
        {
            "config": {
                "affinity": {"a": 1},
                "tolerations": [{}],
                "nodeSelector": {"disk": "ssd"},
                "env": [{"name": "A", "value": "1"}],
                "volumes": [],
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "resources": {"limits": {"cpu": "1"}},
            }
        },
    ),
    Case("task config, none", "def f(config: TaskConfig) -> str:\n    return str(config)\n"),
]

CASES = [*TYPED, *WRONG, *DEFAULTS, *RETURNS, *PATHS, *DOCUMENTS]
