"""List filters, orders and page tokens: every form that clients send, every refusal, every byte of a token."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lodestep.errors import InvalidInput, LodestepError, TooLarge
from lodestep.lang import filters, paging, predicates
from lodestep.lang.fields import Resource
from lodestep.lang.filters import ListQuery, Predicate, Sort

SECOND = 1_700_000_000


def one(resource: Resource = Resource.RUNS, **predicate: Any) -> tuple[Predicate, ...]:
    return parsed({"predicates": [predicate]}, resource)


def parsed(document: Any, resource: Resource = Resource.RUNS) -> tuple[Predicate, ...]:
    return filters.parse_query(resource, filter=json.dumps(document)).predicates


@pytest.mark.parametrize(("number", "name"), predicates.OPERATIONS.items())
def test_operations_by_name_and_by_number(number: int, name: str) -> None:
    value = {"string_values": {"values": ["x"]}} if name == "IN" else {"string_value": "x"}
    by_name = one(operation=name, key="description", **value)
    assert by_name == one(operation=number, key="description", **value)
    assert by_name == one(op=number, key="description", **value)
    assert by_name == (Predicate("description", name, ("x",)),)


def test_names_in_camel_case() -> None:
    assert one(operation="EQUALS", key="name", stringValue="n") == (Predicate("display_name", "EQUALS", ("n",)),)
    found = one(operation="IN", key="id", stringValues={"values": ["a", "b"]})
    assert found == (Predicate("run_id", "IN", ("a", "b")),)


def test_all_predicates_hold_together_in_their_order() -> None:
    found = parsed(
        {
            "predicates": [
                {"operation": 1, "key": "display_name", "stringValue": "a"},
                {"operation": 9, "key": "description", "stringValue": "b%_"},
            ]
        }
    )
    assert [(p.key, p.operation, p.values) for p in found] == [
        ("display_name", "EQUALS", ("a",)),
        ("description", "IS_SUBSTRING", ("b%_",)),
    ]


@pytest.mark.parametrize("text", ["", "  ", "{}", '{"predicates": []}', '{"predicates": null}', None])
def test_no_filter(text: str | None) -> None:
    assert filters.parse_query(Resource.RUNS, filter=text).predicates == ()


@pytest.mark.parametrize("value", ["a+b", "50%", "100%25", "ü€", 'quote"', "back\\slash", "line\nfeed"])
def test_a_filter_encoded_once_more_means_the_same(value: str) -> None:
    text = json.dumps({"predicates": [{"operation": "EQUALS", "key": "name", "stringValue": value}]})
    plain = filters.parse_query(Resource.RUNS, filter=text)
    assert plain.predicates == (Predicate("display_name", "EQUALS", (value,)),)
    assert filters.parse_query(Resource.RUNS, filter=quote(text)) == plain


def at(operation: str, **value: Any) -> list[tuple[str, int | str]]:
    return [(p.operation, p.values[0]) for p in one(operation=operation, key="created_at", **value)]


@pytest.mark.parametrize(
    "value",
    [
        {"int_value": SECOND},
        {"long_value": str(SECOND)},
        {"longValue": SECOND},
        {"string_value": str(SECOND)},
        {"timestamp_value": "2023-11-14T22:13:20Z"},
        {"timestampValue": "2023-11-14T23:13:20+01:00"},
        {"string_value": "2023-11-14t22:13:20.0z"},
        {"string_value": "2023-11-14T22:13:20"},
    ],
)
def test_times_are_whole_seconds_in_every_form(value: dict[str, Any]) -> None:
    begin, end = SECOND * 1000, SECOND * 1000 + 1000
    assert at("EQUALS", **value) == [("GREATER_THAN_EQUALS", begin), ("LESS_THAN", end)]
    assert at("GREATER_THAN", **value) == [("GREATER_THAN_EQUALS", end)]
    assert at("GREATER_THAN_EQUALS", **value) == [("GREATER_THAN_EQUALS", begin)]
    assert at("LESS_THAN", **value) == [("LESS_THAN", begin)]
    assert at("LESS_THAN_EQUALS", **value) == [("LESS_THAN", end)]
    assert at("NOT_EQUALS", **value) == [("NOT_EQUALS", begin)]


@given(
    st.sampled_from(["EQUALS", "GREATER_THAN", "GREATER_THAN_EQUALS", "LESS_THAN", "LESS_THAN_EQUALS"]),
    st.integers(0, 5),
    st.integers(0, 5999),
)
def test_milliseconds_select_what_whole_seconds_did(operation: str, second: int, row_ms: int) -> None:
    compare = {
        "EQUALS": lambda a, b: a == b,
        "GREATER_THAN": lambda a, b: a > b,
        "GREATER_THAN_EQUALS": lambda a, b: a >= b,
        "LESS_THAN": lambda a, b: a < b,
        "LESS_THAN_EQUALS": lambda a, b: a <= b,
    }
    selected = all(compare[name](row_ms, bound) for name, bound in at(operation, int_value=second))
    assert selected == compare[operation](row_ms // 1000, second)


def test_a_time_with_a_fraction_is_exact() -> None:
    assert at("EQUALS", timestamp_value="1970-01-01T00:00:01.250Z") == [("EQUALS", 1250)]
    assert at("GREATER_THAN", timestamp_value="1970-01-01T00:00:01.250999Z") == [("GREATER_THAN_EQUALS", 1251)]


@pytest.mark.parametrize(
    ("key", "given_state", "stored"),
    [
        ("state", "succeeded", "SUCCEEDED"),
        ("status", "Succeeded", "SUCCEEDED"),
        ("status", "Error", "FAILED"),
        ("status", "Terminating", "CANCELING"),
        ("state", "CANCELLED", "CANCELED"),
        ("storage_state", "STORAGESTATE_ARCHIVED", "ARCHIVED"),
        ("storage_state", "AVAILABLE", "AVAILABLE"),
    ],
)
def test_states_of_both_versions(key: str, given_state: str, stored: str) -> None:
    (found,) = one(operation="EQUALS", key=key, string_value=given_state)
    assert (found.key, found.values) == ("state" if key == "status" else key, (stored,))


def test_tags_by_equality_alone() -> None:
    for resource in (Resource.PIPELINES, Resource.VERSIONS):
        found = one(resource, operation="EQUALS", key="tags.team.a", string_value="x")
        assert found == (Predicate("tags.team.a", "EQUALS", ("x",)),)
        with pytest.raises(InvalidInput, match="use EQUALS"):
            one(resource, operation="IS_SUBSTRING", key="tags.team", string_value="x")
        with pytest.raises(InvalidInput, match="name of a tag"):
            one(resource, operation="EQUALS", key="tags.", string_value="x")
    with pytest.raises(InvalidInput, match=r"no field 'tags\.team'"):
        one(Resource.RUNS, operation="EQUALS", key="tags.team", string_value="x")


def test_the_status_of_versions_is_always_ready() -> None:
    ready = {"key": "status", "string_value": "READY"}
    nothing = (Predicate("pipeline_version_id", "EQUALS", ("",)),)
    assert one(Resource.VERSIONS, operation="EQUALS", **ready) == ()
    assert one(Resource.VERSIONS, operation="NOT_EQUALS", **ready) == nothing
    assert one(Resource.VERSIONS, operation="EQUALS", key="status", string_value="CREATING") == nothing
    assert one(Resource.VERSIONS, operation="IN", key="status", string_values={"values": ["x", "ready"]}) == ()


def test_in_of_nothing_selects_nothing() -> None:
    for empty in ({"values": []}, {}):
        found = one(operation="IN", key="description", string_values=empty)
        assert found == (Predicate("run_id", "EQUALS", ("",)),)


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ({"operation": "IN", "key": "name", "string_value": "x"}, "cannot use IN operator with scalar"),
        ({"operation": "EQUALS", "key": "name", "string_values": {"values": ["x"]}}, "cannot use scalar operator"),
        ({"operation": "IS_SUBSTRING", "key": "name", "int_value": 1}, "this field is text"),
        ({"operation": "EQUALS", "key": "name", "int_value": 1}, "this field is text"),
        ({"operation": "EQUALS", "key": "name"}, "expected one value, found none"),
        ({"operation": "EQUALS", "key": "name", "string_value": "a", "int_value": 1}, "expected one value, found str"),
        ({"operation": "EQUALS", "key": "name", "string_value": "a", "stringValue": "a"}, "given twice"),
        ({"operation": "EQUALS", "key": "", "string_value": "x"}, "expected the name of a field"),
        ({"operation": "EQUALS", "string_value": "x"}, "expected the name of a field"),
        ({"operation": "EQUALS", "key": ["x"], "string_value": "x"}, "expected the name of a field"),
        ({"operation": "EQUALS", "key": "name; DROP TABLE run", "string_value": "x"}, "have no field"),
        ({"operation": "LIKE", "key": "name", "string_value": "x"}, "invalid predicate operation 'LIKE'"),
        ({"operation": 4, "key": "name", "string_value": "x"}, "invalid predicate operation '4'"),
        ({"operation": True, "key": "name", "string_value": "x"}, "invalid predicate operation 'True'"),
        ({"operation": {}, "key": "name", "string_value": "x"}, "invalid predicate operation"),
        ({"key": "name", "string_value": "x"}, "invalid predicate operation"),
        ({"operation": "EQUALS", "key": "name", "string_value": 5}, "'5' is no string_value"),
        ({"operation": "EQUALS", "key": "created_at", "int_value": "x"}, "'x' is no int_value"),
        ({"operation": "EQUALS", "key": "created_at", "int_value": 1.5}, "'1.5' is no int_value"),
        ({"operation": "EQUALS", "key": "created_at", "int_value": True}, "'True' is no int_value"),
        ({"operation": "EQUALS", "key": "created_at", "long_value": "9" * 19}, "is no long_value"),
        ({"operation": "EQUALS", "key": "created_at", "long_value": 2**62}, "is no time"),
        ({"operation": "EQUALS", "key": "created_at", "string_value": "yesterday"}, "'yesterday' is no time"),
        ({"operation": "EQUALS", "key": "created_at", "timestamp_value": "2023-02-30T00:00:00Z"}, "is no time"),
        ({"operation": "EQUALS", "key": "created_at", "timestamp_value": "0001-01-01T00:00:00+10:00"}, "is no time"),
        ({"operation": "IN", "key": "created_at", "int_values": {"values": [1]}}, "times cannot be compared by IN"),
        ({"operation": "IN", "key": "name", "string_values": ["x"]}, "expected an object"),
        ({"operation": "IN", "key": "name", "string_values": {"values": "x"}}, "expected a list"),
        ({"operation": "IN", "key": "name", "string_values": {"values": [1]}}, "'1' is no string_value"),
        ({"operation": "EQUALS", "key": "name", "string_value": "x", "or": 1}, "unknown field 'or'"),
        ("x", "expected an object"),
    ],
)
def test_refusals_say_what_and_where(predicate: Any, message: str) -> None:
    with pytest.raises(LodestepError, match=message) as caught:
        parsed({"predicates": [predicate]})
    assert caught.value.http_status in (400, 413)
    assert caught.value.place.startswith("filter.predicates[0]")


@pytest.mark.parametrize("text", ["{", "[]", "1", '"x"', '{"predicates": {}}', '{"or": []}', "%7B", "\x00", "{" * 9000])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        filters.parse_query(Resource.RUNS, filter=text)


@pytest.mark.parametrize(
    "document",
    [
        {"predicates": [{"operation": 1, "key": "name", "string_value": "x" * 5000}]},
        {"predicates": [{"operation": 1, "key": "name", "string_value": "x"}] * 51},
        {"predicates": [{"operation": 8, "key": "name", "string_values": {"values": ["x"] * 501}}]},
        {"predicates": [{"operation": 8, "key": "name", "string_values": {"values": ["x" * 4000] * 5}}]},
    ],
)
def test_limits(document: Any) -> None:
    with pytest.raises(TooLarge, match="at most"):
        parsed(document)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Sort("created_at")),
        ("created_at", Sort("created_at")),
        ("created_at desc", Sort("created_at", True)),
        ("  Created_At   DESC ", Sort("created_at", True)),
        ("name asc", Sort("display_name")),
        ("id", Sort("run_id")),
        ("metric:accuracy desc", Sort("run_id", True)),
    ],
)
def test_orders(text: str, expected: Sort) -> None:
    assert filters.parse_query(Resource.RUNS, sort_by=text).sort == expected


@pytest.mark.parametrize("text", ["nope", "name up", "name asc desc", "name,id", "name;--", "tags.x", "created_at -1"])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="sort_by"):
        filters.parse_query(Resource.PIPELINES, sort_by=text)


@pytest.mark.parametrize(
    ("given_size", "expected"), [(None, 20), (0, 20), ("", 20), ("0", 20), (7, 7), ("7", 7), (200, 200), (100000, 200)]
)
def test_page_sizes(given_size: int | str | None, expected: int) -> None:
    assert filters.parse_query(Resource.RUNS, page_size=given_size).page_size == expected


@pytest.mark.parametrize("given_size", [-1, "-1", "x", "1.5", "1e3", "٣", "9" * 5000, " 1"])
def test_page_sizes_that_are_none(given_size: int | str) -> None:
    with pytest.raises(InvalidInput, match="page_size"):
        filters.parse_query(Resource.RUNS, page_size=given_size)


FILTER = json.dumps({"predicates": [{"operation": 1, "key": "state", "string_value": "FAILED"}]})


def first_page(**changes: Any) -> ListQuery:
    asked: dict[str, Any] = {"filter": FILTER, "sort_by": "created_at desc", "scope": "experiment/e1", **changes}
    return filters.parse_query(Resource.RUNS, **asked)


TOKEN = filters.next_token(first_page(), 1_700_000_000_123, "run-7")


def test_a_token_goes_on_with_the_same_criteria_or_with_none() -> None:
    with_criteria = first_page(page_token=TOKEN)
    without = first_page(page_token=TOKEN, filter="", sort_by="")
    assert with_criteria.cursor == (1_700_000_000_123, "run-7")
    assert without == with_criteria
    assert with_criteria.sort == Sort("created_at", True)
    assert with_criteria.predicates == (Predicate("state", "EQUALS", ("FAILED",)),)
    assert filters.next_token(without, 1_700_000_000_123, "run-7") == TOKEN


def test_a_token_may_come_with_another_page_size_and_another_spelling() -> None:
    spelled = json.dumps({"predicates": [{"key": "status", "op": "EQUALS", "stringValue": "failed"}]})
    again = first_page(page_token=TOKEN, page_size=3, filter=quote(spelled), sort_by="CREATED_AT DESC")
    assert again.page_size == 3
    assert again.cursor == (1_700_000_000_123, "run-7")


@pytest.mark.parametrize(
    "changes",
    [
        {"sort_by": "created_at"},
        {"sort_by": "name desc"},
        {"sort_by": ""},
        {"filter": ""},
        {"filter": FILTER.replace("FAILED", "SUCCEEDED")},
        {"scope": "experiment/e2"},
        {"scope": ""},
    ],
)
def test_a_token_of_another_request_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="page_token"):
        first_page(page_token=TOKEN, **changes)


def test_a_token_of_another_resource_is_refused() -> None:
    token = filters.next_token(filters.parse_query(Resource.PIPELINES), 5, "p")
    with pytest.raises(InvalidInput, match="belongs to another list"):
        filters.parse_query(Resource.EXPERIMENTS, page_token=token)


def test_every_flipped_bit_of_a_token_is_refused_or_means_the_same() -> None:
    meant = first_page(page_token=TOKEN)
    for place in range(len(TOKEN)):
        for bit in range(8):
            changed = TOKEN[:place] + chr(ord(TOKEN[place]) ^ (1 << bit)) + TOKEN[place + 1 :]
            assert reads_as(changed) in (None, meant), (place, bit)


def reads_as(token: str) -> ListQuery | None:
    try:
        return first_page(page_token=token)
    except InvalidInput:
        return None


@given(st.one_of(st.text(), st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())))
def test_any_text_is_no_token(text: str) -> None:
    if text:
        assert reads_as(text) is None


@given(
    st.sampled_from(Resource),
    st.one_of(st.text(), st.just(FILTER)),
    st.text(),
    st.one_of(st.integers(), st.text(), st.floats(), st.none(), st.booleans(), st.lists(st.integers())),
    st.one_of(st.integers(), st.text(), st.none()),
)
def test_a_forged_token_with_a_right_digest_is_checked_like_any_input(
    resource: Resource, filter: str, sort_by: str, value: Any, row: Any
) -> None:
    try:
        payload = json.dumps([resource, "experiment/e1", filter, sort_by, value, row]).encode()
    except ValueError:
        return
    data = paging._digest(payload) + payload
    found = reads_forged(base64.urlsafe_b64encode(data).decode())
    if found is not None:
        assert found.cursor is not None
        assert isinstance(found.cursor.value, int) == found.sort.field.endswith("_at")
        assert -(2**63) <= found.cursor.value < 2**63 if isinstance(found.cursor.value, int) else True


def reads_forged(token: str) -> ListQuery | None:
    try:
        return filters.parse_query(Resource.RUNS, page_token=token, scope="experiment/e1")
    except LodestepError:
        return None


def test_a_long_token_is_refused_unread() -> None:
    assert reads_as("A" * 300_000) is None


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(sorted(predicates._NAMES)), st.text()), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.lists(JSON, max_size=3), st.sampled_from(Resource))
def test_any_json_is_parsed_or_refused_in_words(items: list[Any], resource: Resource) -> None:
    try:
        found = parsed({"predicates": items}, resource)
    except (InvalidInput, TooLarge):
        return
    for predicate in found:
        assert predicate.values
        assert predicate.operation in predicates.OPERATIONS.values()


@pytest.mark.parametrize("value", ["\ud800", "a\x00b", "\u202e", "x" * 4096])
def test_hostile_text_is_a_value_or_refused(value: str) -> None:
    try:
        (found,) = one(operation="EQUALS", key="name", string_value=value)
    except InvalidInput:
        return
    assert found.values == (value,)
    assert isinstance(value.encode(), bytes), "only what a database can store"
