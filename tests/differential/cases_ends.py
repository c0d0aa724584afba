"""How components end, what they say, and what they find around them."""

from typing import Any

from tests.differential.running import Case

NESTED = (
    "def f() -> int:\n    def inner(x):\n        return 1 / x\n    try:\n        return inner(0)\n"
    "    except ZeroDivisionError as error:\n        raise ValueError('wrapped ü') from error\n"
)
CLUSTER = {"CLUSTER_SPEC": '{"task": {"type": "%s", "index": 0}}'}


def _end(name: str, *lines: str, **more: Any) -> Case:
    return Case(name, "def f() -> int:\n" + "".join(f"    {line}\n" for line in (*lines, "return 1")), **more)


ENDS = [
    _end("exception", "raise ValueError('three is too many')"),
    _end("exception without a message", "raise KeyError"),
    _end("exception of several lines", "raise RuntimeError('one\\ntwo')"),
    Case("exception in a call, with a cause", NESTED),
    _end("exception of an own class", "class Mine(Exception): pass", "raise Mine('x')"),
    _end("assertion", "assert 1 == 2"),
    _end("missing module", "import no_such_module"),
    _end("recursion", "def g(): return g()", "g()"),
    _end("keyboard interrupt", "raise KeyboardInterrupt")._replace(
        differs={"exit": "Python ends itself by a signal, which nobody sent"}
    ),
    _end("exit 0", "import sys", "sys.exit(0)"),
    _end("exit nothing", "import sys", "sys.exit()"),
    _end("exit 3", "import sys", "sys.exit(3)"),
    _end("exit -1", "import sys", "sys.exit(-1)"),
    _end("exit 256", "import sys", "sys.exit(256)"),
    _end("exit true", "import sys", "sys.exit(True)"),
    _end("exit words", "import sys", "sys.exit('SAID words')"),
    _end("exit object", "import sys", "sys.exit(['SAID', 1])"),
    _end("exit within try", "import sys", "try: sys.exit(4)", "finally: print('SAID finally')"),
    _end("os._exit 0", "import os", "os._exit(0)"),
    _end("os._exit 5", "import os", "os._exit(5)"),
    _end("signal", "import os, signal", "os.kill(os.getpid(), signal.SIGTERM)"),
    _end("broken message", "class Bad(Exception):", "    def __str__(self): raise ValueError('no')", "raise Bad()"),
    Case("syntax error", "def f() -> int:\n    return 1 +\n"),
    Case("error at import", "raise ValueError('at import')\n\ndef f() -> int:\n    return 1\n"),
    Case("function missing", "def g():\n    pass\n", differs={"error": "it names the function"}),
]

SAYS = [
    _end("print", "import sys", "print('SAID out')", "print('SAID err', file=sys.stderr)"),
    _end("print unicode", "print('SAID ü 漢字 🎈')"),
    _end("print without flush", "import sys", "sys.stdout.write('SAID at the end' + chr(10))"),
    _end("streams closed", "import sys", "sys.stdout.close()")._replace(
        differs={"error": "the SDK's executor logs to the stream that the component has closed"}
    ),
    _end("descriptor written", "import os", "os.write(1, b'SAID raw\\n')"),
    _end("child process", "import subprocess", "subprocess.run(['echo', 'SAID child'], check=True)"),
    _end("logging", "import logging", "logging.info('SAID info')", "logging.debug('SAID debug')"),
    _end("logger", "import logging", "logging.getLogger('mine').warning('SAID %s', 'warned')"),
    _end("basicConfig late", "import logging", "logging.basicConfig(level='DEBUG')", "logging.debug('SAID debug')"),
    _end("warning", "import warnings", "warnings.warn('SAID warned')"),
]

AT_EXIT = [
    _end("atexit", "import atexit", "atexit.register(print, 'SAID at exit')"),
    _end("atexit that fails", "import atexit", "atexit.register(lambda: 1 / 0)"),
    _end(
        "thread waited for",
        "import threading, time",
        "threading.Thread(target=lambda: (time.sleep(0.05), print('SAID from the thread'))).start()",
    ),
    _end(
        "daemon thread left",
        "import threading, time",
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ),
    _end("thread that fails", "import threading", "threading.Thread(target=lambda: 1 / 0).start()"),
    _end("finalizer", "import tempfile, weakref", "weakref.finalize(f, print, 'SAID finalized')"),
]

AROUND = [
    _end("main module", "import __main__", "print('SAID', hasattr(__main__, 'run_ours'))"),
    _end("own module", "import ephemeral_component", "print('SAID', __name__, ephemeral_component.f is f)"),
    _end("source", "import inspect", "print('SAID', inspect.getsource(f).splitlines()[0])"),
    _end("working folder", "import os", "print('SAID', os.getcwd(), os.listdir('.'))")._replace(
        differs={"said": "the component's own file is there too"}
    ),
    _end("working folder on the path", "open('mine.py', 'w').write('x = 1')", "import mine", "print('SAID', mine.x)"),
    _end("runtime flag", "import os", "print('SAID', os.environ['_KFP_RUNTIME'])"),
    _end("environment", "import os", "print('SAID', os.environ['MINE'])", env={"MINE": "ü"}),
    Case(
        "annotations are objects",
        "def f(a: int, b: List[str] = []) -> str:\n    return str(f.__annotations__)\n",
        {"a": 1},
    ),
    _end("pickle", "import pickle", "print('SAID', pickle.loads(pickle.dumps(f)) is f)"),
    Case(
        "process pool, forked",
        "def double(x):\n    return 2 * x\n\ndef f() -> list:\n    import multiprocessing\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n        return pool.map(double, [1, 2])\n",
    ),
    Case(
        "process pool, spawned",
        "def double(x):\n    return 2 * x\n\ndef f() -> list:\n    import multiprocessing\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n        return pool.map(double, [1, 2])\n",
    ),
    Case(
        "thread pool",
        "def f() -> list:\n    from concurrent.futures import ThreadPoolExecutor as T\n"
        "    with T(2) as pool:\n        return list(pool.map(str, [1, 2]))\n",
    ),
    Case("asyncio", "def f() -> int:\n    import asyncio\n    async def g(): return 3\n    return asyncio.run(g())\n"),
    Case(
        "dataclass and enum at the top",
        "import dataclasses, enum\n\n@dataclasses.dataclass\nclass Point:\n    x: 'int' = 1\n\n"
        "class Colour(enum.Enum):\n    RED = 1\n\ndef f() -> str:\n    return f'{Point()} {Colour.RED}'\n",
    ),
    Case(
        "decorated",
        "import functools\n\ndef d(g):\n    @functools.wraps(g)\n    def inner(*a, **k): return g(*a, **k) + 1\n"
        "    return inner\n\n@d\ndef f(a: int) -> int:\n    return a\n",
        {"a": 1},
    ),
    Case("chief", "def f() -> int:\n    return 1\n", env={"CLUSTER_SPEC": CLUSTER["CLUSTER_SPEC"] % "chief"}),
    Case("not the chief", "def f() -> int:\n    return 1\n", env={"CLUSTER_SPEC": CLUSTER["CLUSTER_SPEC"] % "worker"}),
]

KFP = [
    _end("kfp within", "from kfp import dsl as d", "from kfp.dsl import Dataset as D", "print('SAID', d.Dataset is D)"),
    _end(
        "kfp.dsl by star",
        "ns = {}",
        "exec('from kfp.dsl import *', ns)",
        "print('SAID', sorted(set(ns) - {'EmbeddedInput', '__builtins__'}))",
    ),
    _end("kfp by import", "import kfp.dsl, kfp", "print('SAID', kfp.dsl.Input is dsl.Input, kfp.TYPE_CHECK)"),
    _end(
        "types",
        "from kfp.dsl.types import artifact_types, type_annotations as t",
        "print('SAID', artifact_types.Model is Model, t.OutputPath is OutputPath)",
    ),
    _end("annotations", "print('SAID', Input[Dataset], dsl.Output[List[Model]], get_args(Input[Dataset]))")._replace(
        differs={"said": "the classes stand in other modules"}
    ),
    _end(
        "paths are equal",
        "print('SAID', OutputPath(str) == OutputPath(str), InputPath('Dataset') == OutputPath('Dataset'))",
    ),
    _end(
        "schema titles",
        "print('SAID', [k.schema_title + k.schema_version for k in (Artifact, HTML, Markdown, Metrics)])",
    ),
    _end(
        "artifact by hand",
        "a = Model('n', 'gs://b/c', {'k': 1})",
        "print('SAID', a.path, a.framework, Dataset().uri, Artifact().metadata)",
    ),
    _end("compile-time name", "dsl.ParallelFor")._replace(differs={"error": "it says what steps have"}),
    _end("run_notebook", "dsl.run_notebook(a=1)")._replace(differs={"error": "said in other words"}),
]

CASES = [*ENDS, *SAYS, *AT_EXIT, *AROUND, *KFP]
