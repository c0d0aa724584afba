"""What names and tags may be."""

from collections.abc import Callable

import pytest

from lodestep.api import naming
from lodestep.errors import InvalidInput

NAMES: list[tuple[Callable[[str], str], int]] = [
    (naming.experiment_name, 128),
    (naming.pipeline_name, 128),
    (naming.version_name, 127),
    (naming.run_name, 255),
]


@pytest.mark.parametrize(("check", "limit"), NAMES)
def test_names_have_a_longest_length(check: Callable[[str], str], limit: int) -> None:
    assert check("ü" * limit) == "ü" * limit
    with pytest.raises(InvalidInput, match=f"{limit + 1} characters: at most {limit}"):
        check("ü" * (limit + 1))


@pytest.mark.parametrize(("check", "_"), NAMES)
@pytest.mark.parametrize("name", ["", " ", "\t", "a\nb", "a\x00", "\x1b[0m", "\x7f"])
def test_names_are_of_printable_characters(check: Callable[[str], str], _: int, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(name)
    assert refused.value.place in ("name", "display_name")


@pytest.mark.parametrize("name", ["a", "日本", "a/b:c", "..", "'; DROP TABLE run", " padded ", "<b>"])
def test_other_names_are_taken_as_they_are(name: str) -> None:
    assert naming.run_name(name) == name


def test_the_place_is_that_of_the_field() -> None:
    with pytest.raises(InvalidInput) as refused:
        naming.pipeline_name("x" * 129, place="display_name")
    assert refused.value.place == "display_name"


@pytest.mark.parametrize("tags", [{}, {"k" * 63: "v" * 63}, {f"k{n}": "" for n in range(20)}])
def test_tags_within_the_limits(tags: dict[str, str]) -> None:
    naming.check_tags(tags)


@pytest.mark.parametrize(
    "tags", [{f"k{n}": "" for n in range(21)}, {"": "v"}, {"a.b": "v"}, {"k" * 64: ""}, {"k": "v" * 64}]
)
def test_tags_beyond_the_limits(tags: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        naming.check_tags(tags)
