"""Conditions as the published SDK compiles them, for every type and operator, against Python's own answer."""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lodestep.lang import cel
from tests.unit.lang.compiled import compiled, every

dsl = pytest.importorskip("kfp.dsl", reason="needs the published SDK")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SAMPLES: dict[str, list[Any]] = {
    "s": ["a", "b", "", "true", "5", 'it is "quoted" \\d', "line\nbreak", "ü€"],
    "i": [-7, 0, 5, 10**12],
    "f": [-0.5, 0, 5, 2.5, 1e-05, 1e30],
    "q": [True, False],
}
CONSTANTS: list[tuple[str, Any]] = [
    *[("s", constant) for constant in ("a", "", "true", 'it is "quoted" \\d', "line\nbreak", "ü€", "5")],
    *[("i", constant) for constant in (5, -7, 0, 10**12, 5.0, 2.5)],
    *[("f", constant) for constant in (5.0, 2.5, -0.5, 1e-05, 1e30, 5)],
]


def parameters(**given: Any) -> dict[str, Any]:
    return {f"pipelinechannel--{name}": value for name, value in given.items()}


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., list[Any]]], list[str]]:
    """Compiles a pipeline with one If for each of the comparisons that a function of its inputs makes."""

    @dsl.component
    def step() -> None:
        pass

    def made(comparisons: Callable[..., list[Any]]) -> list[str]:
        @dsl.pipeline(name="p")
        def pipeline(s: str, s2: str, i: int, i2: int, f: float, f2: float, q: bool, q2: bool) -> None:
            for comparison in comparisons(s=s, s2=s2, i=i, i2=i2, f=f, f2=f2, q=q, q2=q2):
                with dsl.If(comparison):
                    step()

        tasks = compiled(pipeline, tmp_path_factory.mktemp("spec"))["root"]["dag"]["tasks"]
        names = [f"condition-{number}" for number in range(1, len(tasks) + 1)]
        return [tasks[name]["triggerPolicy"]["condition"] for name in names]

    return made


@pytest.mark.parametrize("sign", OPERATORS)
def test_inputs_and_constants(conditions: Any, sign: str) -> None:
    compare = OPERATORS[sign]
    found = conditions(lambda **inputs: [compare(inputs[name], constant) for name, constant in CONSTANTS])
    assert len(found) == len(CONSTANTS)
    for (name, constant), text in zip(CONSTANTS, found, strict=True):
        for value in SAMPLES[name]:
            assert cel.condition(text, parameters(**{name: value})) == compare(value, constant), (text, value)


@pytest.mark.parametrize("sign", OPERATORS)
def test_inputs_and_inputs(conditions: Any, sign: str) -> None:
    compare = OPERATORS[sign]
    pairs = [("s", "s2"), ("i", "i2"), ("f", "f2"), ("q", "q2"), ("i", "f"), ("f", "i")]
    found = conditions(lambda **inputs: [compare(inputs[left], inputs[right]) for left, right in pairs])
    for (left, right), text in zip(pairs, found, strict=True):
        for a in SAMPLES[left[0]]:
            for b in SAMPLES[right[0]]:
                assert cel.condition(text, parameters(**{left: a, right: b})) == compare(a, b), (text, a, b)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("sign", ["==", "!="])
def test_booleans_and_constants(conditions: Any, sign: str, constant: bool) -> None:
    compare = OPERATORS[sign]
    (text,) = conditions(lambda **inputs: [compare(inputs["q"], constant)])
    older = text.replace("true", "'true'").replace("false", "'false'")
    for value in (True, False):
        for form in (text, older):
            for given in (value, str(value).lower()):
                assert cel.condition(form, parameters(q=given)) == compare(value, constant), (form, given)


@pytest.mark.parametrize("sign", ["==", "!="])
def test_a_string_and_what_is_none_is_compared_as_text(conditions: Any, sign: str) -> None:
    """The SDK quotes the input as well. The language would refuse it; there is one thing that it can mean."""
    compare = OPERATORS[sign]
    pairs = [("s", "i"), ("q", "s"), ("s", "f"), ("i", "s")]
    found = conditions(lambda **inputs: [compare(inputs[left], inputs[right]) for left, right in pairs])
    written = {"s": str, "i": str, "q": lambda value: str(value).lower(), "f": lambda value: f"{value:g}"}
    for (left, right), text in zip(pairs, found, strict=True):
        for a in SAMPLES[left]:
            for b in SAMPLES[right]:
                if 1e-05 in (a, b) or 1e30 in (a, b):
                    continue  # spelled in several ways
                expected = compare(written[left](a), written[right](b))
                assert cel.condition(text, parameters(**{left: a, right: b})) == expected, (text, a, b)


def test_branches_of_if_elif_else_exclude_each_other(tmp_path: Path) -> None:
    @dsl.component
    def flip() -> str:
        return ""

    @dsl.component
    def step() -> None:
        pass

    @dsl.pipeline(name="p")
    def pipeline() -> None:
        side = flip().output
        with dsl.If(side == "a"):
            step()
        with dsl.Elif(side == "b"):
            step()
        with dsl.Elif(side < "m"):
            step()
        with dsl.Else():
            step()

    texts = list(every(compiled(pipeline, tmp_path), "condition"))
    assert len(texts) == 4
    for value, expected in {"a": 0, "b": 1, "c": 2, "z": 3, "": 2}.items():
        answers = [cel.condition(text, {"pipelinechannel--flip-Output": value}) for text in texts]
        assert answers == [place == expected for place in range(4)], value


def test_the_older_name_of_if(tmp_path: Path) -> None:
    @dsl.component
    def number() -> int:
        return 1

    @dsl.component
    def step() -> None:
        pass

    @dsl.pipeline(name="p")
    def pipeline() -> None:
        with dsl.Condition(number().output >= 3, name="big"):
            step()

    (text,) = every(compiled(pipeline, tmp_path), "condition")
    assert [cel.condition(text, {"pipelinechannel--number-Output": n}) for n in (2, 3, 3.0, "4")] == [
        False,
        True,
        True,
        True,
    ]


def test_items_of_loops_are_selected(tmp_path: Path) -> None:
    @dsl.component
    def step(a: str, b: int) -> None:
        pass

    @dsl.pipeline(name="p")
    def pipeline(items: list) -> None:
        with dsl.ParallelFor(items) as item:
            step(a=item.key, b=item.n)

    selectors = sorted(every(compiled(pipeline, tmp_path), "parameterExpressionSelector"))
    assert selectors == ['parseJson(string_value)["key"]', 'parseJson(string_value)["n"]']
    item = {"key": 'it\'s "x"', "n": 3.0}
    assert [cel.select(selector, item) for selector in selectors] == ['it\'s "x"', 3]


def test_every_condition_of_the_published_pipelines_is_parsed() -> None:
    import yaml

    folder = Path(__file__).parents[4] / "shared" / "conformance" / "pipelines"
    if not folder.is_dir():
        pytest.skip("the published pipelines are not here")
    texts: set[str] = set()
    for path in folder.rglob("*.yaml"):
        for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            for key in ("condition", "parameterExpressionSelector"):
                texts |= {text for text in every(document, key) if isinstance(text, str)}
    assert texts
    for text in texts:
        assert cel.compile(text).text == text
