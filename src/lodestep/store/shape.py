"""How the columns of a table become a struct of `rows`, and what happens to a row that cannot.

A stored row is not trusted: a flipped bit or a foreign hand may have left text where a number belongs. `one` refuses
such a row by name, `shown` gives what can be shown of it with the reason in `error`, so that a list always answers.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, get_origin

import msgspec

from lodestep.store import db
from lodestep.store.db import Connection, Corrupt
from lodestep.store.rows import Problem

T = TypeVar("T", bound=msgspec.Struct)

_NOT_STORED = ("error", "spec")
_EMPTY: dict[Any, Any] = {str: "", int: 0, bool: False, bytes: b"", bytes | None: None}


class Shape(Generic[T]):
    """One table's rows as structs of `kind`.

    Fields of the struct that are mappings are kept as JSON; `checks` are the types that the JSON in columns of bytes
    must have. `renamed` are columns with another name than the field.
    """

    def __init__(
        self,
        table: str,
        kind: type[T],
        *,
        checks: Mapping[str, Any] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.table = table
        self.kind = kind
        fields = [field for field in msgspec.structs.fields(kind) if field.name not in _NOT_STORED]
        self.names = tuple(field.name for field in fields)
        self.columns = tuple((renamed or {}).get(name, name) for name in self.names)
        self.select = ", ".join(f"{table}.{column}" for column in self.columns)
        self.insert = (
            f"INSERT INTO {table} ({', '.join(self.columns)}) VALUES ({', '.join(f':{name}' for name in self.names)})"
        )
        self._types: list[Any] = [field.type for field in fields]
        self._json = {
            place: msgspec.json.Decoder(field.type)
            for place, field in enumerate(fields)
            if get_origin(field.type) is dict or _is_struct(field.type)
        }
        self._checks = [(self.names.index(name), msgspec.json.Decoder(kind)) for name, kind in (checks or {}).items()]
        # A struct, for what msgspec knows of one is kept; a tuple's type it would look at anew for each row.
        self._raw = msgspec.defstruct(
            f"{kind.__name__}Columns",
            [
                (name, Any if place in self._json else kept)
                for place, (name, kept) in enumerate(zip(self.names, self._types, strict=True))
            ],
            array_like=True,
            gc=False,
        )

    def values(self, row: T) -> dict[str, Any]:
        """What to bind to `insert`."""
        given = {name: getattr(row, name) for name in self.names}
        for place in self._json:
            given[self.names[place]] = msgspec.json.encode(given[self.names[place]]).decode()
        return given

    def find(self, conn: Connection, text: str, given: Mapping[str, Any], *, salvage: bool = False) -> T | None:
        """The row that a query is about. Where it cannot be read: what can be, to `salvage`, or `Corrupt` is raised."""
        found = db.fetch(conn, text, given)
        if not found:
            return None
        return self.shown(found[0]) if salvage else self.one(found[0])

    def show(self, conn: Connection, text: str, given: Mapping[str, Any]) -> list[T]:
        """All rows of a query, readable or not."""
        return [self.shown(record) for record in db.fetch(conn, text, given)]

    def damaged(self, conn: Connection) -> Iterator[Problem]:
        """The rows of the table that cannot be read. Reads all."""
        for record in db.fetch(conn, f"SELECT {self.select} FROM {self.table}", {}):
            try:
                self.one(record)
            except Corrupt as error:
                yield Problem(self.table, str(record[0]), error.message)

    def one(self, record: tuple[Any, ...]) -> T:
        """The row. Raises `Corrupt`, which names it, where it cannot be read."""
        width = len(self.names)
        try:
            return self._read(record[:width], record[width:])
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
            raise Corrupt(f"row {record[0]!r} of table {self.table} cannot be read: {error}") from error

    def shown(self, record: tuple[Any, ...]) -> T:
        """The row, or what can be shown of it."""
        try:
            return self.one(record)
        except Corrupt as error:
            return self._salvage(record, error)

    def _read(self, record: tuple[Any, ...], more: tuple[Any, ...]) -> T:
        values: Any = msgspec.structs.astuple(msgspec.convert(record, self._raw, strict=False, builtin_types=(bytes,)))
        if self._json:
            parts = list(values)
            for place, decoder in self._json.items():
                parts[place] = decoder.decode(parts[place])
            values = parts
        for place, decoder in self._checks:
            if (stored := values[place]) is not None:
                decoder.decode(stored)
        return self.kind(*values, "", *more) if more else self.kind(*values)

    def _salvage(self, record: tuple[Any, ...], error: Corrupt) -> T:
        good = {name: self._part(place, record[place]) for place, name in enumerate(self.names)}
        return self.kind(**good, error=str(error))

    def _part(self, place: int, stored: Any) -> Any:
        read: Callable[[Any], Any]
        if decoder := self._json.get(place):
            read = decoder.decode
        else:
            read = lambda value: msgspec.convert(value, self._types[place], strict=False, builtin_types=(bytes,))  # noqa: E731
        try:
            value = read(stored)
            for checked, decoder in self._checks:
                if checked == place and value is not None:
                    decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
            return _EMPTY.get(self._types[place], {}) if place else str(stored)
        return value


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
