"""The nearest peer: `kfp.local` with a process a step and nothing recorded. Prints seconds a step of a chain.

`install_kfp_package=False` spares it a run of pip in each step, which it does by default and which takes a second.
"""

import contextlib
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")

from kfp import dsl, local  # noqa: E402 - after the filter, or it prints its warnings


@dsl.component(install_kfp_package=False)
def step(x: int) -> int:
    return x + 1


def chain(length: int) -> float:
    @dsl.pipeline
    def steps() -> int:
        last = step(x=0)
        for _ in range(length - 1):
            last = step(x=last.output)
        return last.output

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
        start = time.perf_counter()
        steps()
        return (time.perf_counter() - start) / length


if __name__ == "__main__":
    print(chain(int(sys.argv[1])))
