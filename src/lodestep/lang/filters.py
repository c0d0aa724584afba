"""What a client asks of a list, parsed and checked: conditions, order, page. The one door to `predicates` and `paging`.

No SQL here: the store turns a `ListQuery` into a statement, and every value into a bound parameter.
"""

import msgspec

from lodestep.errors import InvalidInput
from lodestep.lang import paging, predicates
from lodestep.lang.fields import Resource
from lodestep.lang.paging import Cursor, Sort, Token
from lodestep.lang.predicates import Predicate


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for a page.

    `scope` is what the list belongs to beside its filter (an experiment, a namespace, a pipeline): a page token is
    good for the same scope only. `filter` is the text that `predicates` were made from.
    """

    resource: Resource
    predicates: tuple[Predicate, ...] = ()
    sort: Sort
    page_size: int = paging.DEFAULT_SIZE
    cursor: Cursor | None = None
    filter: str = ""
    scope: str = ""


def parse_query(
    resource: Resource,
    *,
    filter: str | None = "",
    sort_by: str | None = "",
    page_size: int | str | None = None,
    page_token: str | None = "",
    scope: str = "",
) -> ListQuery:
    """Raises `InvalidInput` with the parameter's name as the place.

    With a page token, order and filter may be left out, or must be those of the first page.
    """
    text = predicates.plain(filter or "")
    size = paging.size(page_size)
    conditions = predicates.parse(resource, text)
    order = paging.sort(resource, sort_by or "")
    begin = None
    if page_token:
        token = paging.read(page_token)
        same = predicates.parse(resource, token.filter), paging.sort(resource, token.sort_by)
        if (sort_by or text) and same != (conditions, order):
            hint = "give the same criteria, or leave them out where there is a page token"
            message = "page token does not match the supplied sort by and/or filtering criteria"
            raise InvalidInput(message, place="page_token", hint=hint)
        conditions, order = same
        text = token.filter
        begin = paging.cursor(token, resource=resource, scope=scope, order=order)
    return ListQuery(
        resource=resource, predicates=conditions, sort=order, page_size=size, cursor=begin, filter=text, scope=scope
    )


def next_token(query: ListQuery, last_sort_value: str | int, last_id: str) -> str:
    """The token of the page after the one that ends with this row."""
    order = f"{query.sort.field} {'desc' if query.sort.descending else 'asc'}"
    return paging.write(Token(query.resource, query.scope, query.filter, order, last_sort_value, last_id))
