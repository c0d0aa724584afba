"""Pages of lists: filters to SQL with bound values only, keyset pagination, and total sizes that cost little.

A page begins after the last row of the one before, by the sort field and the id, so every row is shown once however
much is inserted meanwhile, and page 1,000 costs what page 1 does.

The total is exact where the filters are those that a table of counts is kept for, or where there are none; any other
filter is counted up to `COUNTED_TO` rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from lodestep.errors import InvalidInput
from lodestep.store import db
from lodestep.store.db import Connection
from lodestep.store.shape import Shape

T = TypeVar("T", bound=msgspec.Struct)

COUNTED_TO = 100_000

Cursor = tuple[Any, str]  # the sort field's value and the id of the last row of a page


class Predicate(Protocol):
    """One condition of a filter: a field by the name that clients use, an operation, the values to compare with."""

    @property
    def key(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def values(self) -> Sequence[Any]: ...


class Sort(Protocol):
    """A field by the name that clients use, and the direction; rows that are equal in it go by their ids."""

    @property
    def field(self) -> str: ...
    @property
    def descending(self) -> bool: ...


class Query(Protocol):
    """What a client asks of a list; `lang.filters` has parsed and checked it against the fields of the resource."""

    @property
    def predicates(self) -> Sequence[Any]: ...  # of `Predicate`
    @property
    def sort(self) -> Any: ...  # a `Sort`
    @property
    def page_size(self) -> int: ...
    @property
    def cursor(self) -> Cursor | None: ...


class Counted(msgspec.Struct, frozen=True):
    """A table of counts by some columns. In `whole`, '*' is the sum over all of its values."""

    table: str
    columns: tuple[str, ...]
    whole: str


class Listing(Generic[T]):
    """How one resource is listed. `fields` are the names that clients use, with their columns."""

    def __init__(
        self,
        shape: Shape[T],
        fields: Mapping[str, str],
        *,
        tags: str = "",
        join: str = "",
        joined: str = "",
        counted: Counted | None = None,
    ) -> None:
        """`join` and `joined` add a column at the end of each row where a caller wants it."""
        self.shape = shape
        self.fields = fields
        self.tags = tags
        self.join = join
        self.joined = joined
        self.counted = counted

    def column(self, key: str) -> str:
        """Raises `InvalidInput` where the resource has no such field."""
        if key not in self.fields:
            raise InvalidInput(f"no field {key!r}: there are {', '.join(sorted(self.fields))}")
        return self.fields[key]


class _Condition(msgspec.Struct, frozen=True):
    column: str  # "" where it is about something else than a column alone
    text: str


_COMPARISONS = {
    "EQUALS": "=",
    "NOT_EQUALS": "<>",
    "GREATER_THAN": ">",
    "GREATER_THAN_EQUALS": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_EQUALS": "<=",
}


def page(
    conn: Connection,
    listing: Listing[T],
    query: Query,
    *,
    scope: Mapping[str, str | None],
    joined: bool = False,
) -> tuple[list[T], int, Cursor | None]:
    """Rows of a page, the size of the whole list, and where the next page begins (None at the end).

    `scope` are columns that must have a value; one whose value is None is not looked at. A row that cannot be read is
    in its place, with its `error`.
    """
    given: dict[str, Any] = {}
    conditions = [*_scope(scope, given, listing), *_predicates(listing, query.predicates, given)]
    total = _total(conn, listing, conditions, given)
    records = db.fetch(conn, _page_text(listing, query, conditions, given, joined=joined), given)
    more = len(records) > query.page_size
    records = records[: query.page_size]
    sort = listing.shape.columns.index(listing.column(query.sort.field))
    following = (records[-1][sort], str(records[-1][0])) if more else None
    return [listing.shape.shown(record) for record in records], total, following


def _page_text(
    listing: Listing[T], query: Query, conditions: list[_Condition], given: dict[str, Any], *, joined: bool
) -> str:
    table = listing.shape.table
    column = listing.column(query.sort.field)
    direction, beyond = ("DESC", "<") if query.sort.descending else ("ASC", ">")
    texts = [condition.text for condition in conditions]
    if query.cursor is not None:
        given["cursor_value"], given["cursor_id"] = query.cursor
        if column == "id":
            texts.append(f"{table}.id {beyond} :cursor_id")
        else:
            texts.append(f"({table}.{column}, {table}.id) {beyond} (:cursor_value, :cursor_id)")
    given["limit"] = query.page_size + 1
    more = f", {listing.joined}" if joined else ""
    order = f"{table}.id {direction}" if column == "id" else f"{table}.{column} {direction}, {table}.id {direction}"
    return (
        f"SELECT {listing.shape.select}{more} FROM {table} {listing.join if joined else ''}"
        f"{_where(texts)} ORDER BY {order} LIMIT :limit"
    )


def _scope(scope: Mapping[str, str | None], given: dict[str, Any], listing: Listing[T]) -> list[_Condition]:
    conditions: list[_Condition] = []
    for column, value in scope.items():
        if value is not None:
            given[f"scope_{column}"] = value
            conditions.append(_Condition(column, f"{listing.shape.table}.{column} = :scope_{column}"))
    return conditions


def _predicates(listing: Listing[T], predicates: Sequence[Predicate], given: dict[str, Any]) -> list[_Condition]:
    return [_condition(listing, predicate, f"p{place}", given) for place, predicate in enumerate(predicates)]


def _condition(listing: Listing[T], predicate: Predicate, name: str, given: dict[str, Any]) -> _Condition:
    values = list(predicate.values)
    if listing.tags and predicate.key.startswith("tags."):
        given[f"{name}_key"], given[name] = predicate.key.removeprefix("tags."), values[0]
        return _Condition("", db.has_tag(f"{listing.shape.table}.{listing.tags}", f"{name}_key", name))
    column = listing.column(predicate.key)
    place = f"{listing.shape.table}.{column}"
    match predicate.operation:
        case "IN":
            names = [f"{name}_{number}" for number in range(len(values))]
            given.update(zip(names, values, strict=True))
            return _Condition(column, f"{place} IN ({', '.join(f':{each}' for each in names)})")
        case "IS_SUBSTRING":
            given[name] = f"%{_escaped(str(values[0]))}%"
            return _Condition("", f"{place} LIKE :{name} ESCAPE '!'")
        case operation:
            given[name] = values[0]
            return _Condition(column, f"{place} {_COMPARISONS[operation]} :{name}")


def _escaped(text: str) -> str:
    """The text as a pattern that matches it alone. A backslash as escape would mean different things to databases."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _total(conn: Connection, listing: Listing[T], conditions: list[_Condition], given: dict[str, Any]) -> int:
    counted = listing.counted
    table = listing.shape.table
    if counted and all(condition.column in counted.columns for condition in conditions):
        texts = [condition.text.replace(f"{table}.", f"{counted.table}.", 1) for condition in conditions]
        if not any(condition.column == counted.whole for condition in conditions):
            texts.append(f"{counted.whole} = '*'")
        else:
            texts.append(f"{counted.whole} <> '*'")
        text = f"SELECT COALESCE(SUM(n), 0) FROM {counted.table}{_where(texts)}"
    else:
        within = f"SELECT 1 FROM {table}{_where([condition.text for condition in conditions])} LIMIT {COUNTED_TO}"
        text = f"SELECT count(*) FROM ({within}) AS counted"
    return int(conn.execute(text, given).fetchone()[0])


def _where(texts: list[str]) -> str:
    return f" WHERE {' AND '.join(texts)}" if texts else ""
