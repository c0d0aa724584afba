"""`python examples/compile.py`: writes the YAML beside each example anew. Needs kfp.

What it writes is committed, so that the examples run where no kfp is.
"""

import sys
import warnings
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent


def main() -> int:
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(EXAMPLES))
    import flaky
    import hello
    import squares
    import wine
    from kfp import compiler

    for name, pipeline in (
        ("hello", hello.hello),
        ("squares", squares.squares),
        ("flaky", flaky.retrying),
        ("wine", wine.wine),
    ):
        compiler.Compiler().compile(pipeline, str(EXAMPLES / f"{name}.yaml"))
        print(f"{name}.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
