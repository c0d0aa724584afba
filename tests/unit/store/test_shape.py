"""From columns to structs and back, and what is shown of a row that is damaged."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lodestep.core.model import Values
from lodestep.store import db
from lodestep.store.db import Corrupt
from lodestep.store.shape import Shape


class _Row(msgspec.Struct, frozen=True):
    id: str
    key: str
    count: int
    flag: bool
    body: bytes | None
    tags: dict[str, str]
    values: Values
    error: str = ""
    spec: bytes | None = None


_SHAPE = Shape("thing", _Row, checks={"body": list[int]}, renamed={"key": "key_name"})


def _record(row: _Row) -> tuple[object, ...]:
    bound = _SHAPE.values(row)
    return tuple(bound[name] for name in _SHAPE.names)


_any_row = st.builds(
    _Row,
    id=st.text(),
    key=st.text(),
    count=st.integers(-(2**63), 2**63 - 1),
    flag=st.booleans(),
    body=st.none() | st.lists(st.integers(-9, 9)).map(msgspec.json.encode),
    tags=st.dictionaries(st.text(), st.text()),
    values=st.builds(Values, parameters=st.dictionaries(st.text(), st.integers(-9, 9))),
    error=st.just(""),
    spec=st.none(),
)


@given(_any_row)
def test_a_row_comes_back(row: _Row) -> None:
    assert _SHAPE.one(_record(row)) == row
    assert _SHAPE.shown(_record(row)) == row


def test_columns_that_were_joined_come_at_the_end() -> None:
    row = _Row("a", "k", 1, True, None, {}, Values())
    assert _SHAPE.one((*_record(row), b"spec")) == msgspec.structs.replace(row, spec=b"spec")


@pytest.mark.parametrize(
    ("place", "value"),
    [(1, 5), (1, b"\xff"), (2, "x"), (2, 1.5), (2, None), (3, "x"), (4, b"{}"), (4, b"["), (5, "[]"), (5, 7), (6, "{")],
)
def test_what_can_be_read_of_a_damaged_row_is_shown(place: int, value: object) -> None:
    row = _Row("a", "k", 1, True, b"[1]", {"a": "b"}, Values(parameters={"x": 1}))
    record = list(_record(row))
    record[place] = value
    with pytest.raises(Corrupt, match="row 'a' of table thing cannot be read"):
        _SHAPE.one(tuple(record))
    shown = _SHAPE.shown(tuple(record))
    assert "row 'a' of table thing" in shown.error
    for other, name in enumerate(_SHAPE.names):
        if other != place:
            assert getattr(shown, name) == getattr(row, name)


def test_a_row_whose_id_is_damaged_still_has_one() -> None:
    record = list(_record(_Row("a", "k", 1, True, None, {}, Values())))
    record[0] = b"\xff"
    assert _SHAPE.shown(tuple(record)).id == r"b'\xff'"


@given(st.integers(0, 300))
def test_rows_are_written_in_as_few_statements_as_their_number_allows(count: int) -> None:
    sent: list[int] = []

    class Recording:
        def execute(self, text: str, given: tuple[object, ...]) -> None:
            assert text.count("?") == len(given)
            sent.extend(int(str(value)) for value in given)
            statements.append(text)

    statements: list[str] = []
    db.Rows("t", ("a",)).write(Recording(), [(number,) for number in range(count)])  # pyright: ignore[reportArgumentType]
    assert sent == list(range(count))
    assert len(statements) <= count // 64 + 9
