"""Event streams in pieces of any size."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lodestep.cli import sse

STREAM = (
    b": hello\n\n"
    b'id: 7\nevent: task\ndata: {"a":\ndata: 1}\n\n'
    b"event: run\r\nid: 8\r\ndata:x\r\n\r\n"
    b"retry: 100\n\n"
    b"data: \xc3\xbc\n\n"
    b"data: not finished\n"
)
EVENTS = [sse.Event("task", "7", '{"a":\n1}'), sse.Event("run", "8", "x"), sse.Event("message", "8", "ü")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted({0, *cuts, len(STREAM)})
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(places)]
    assert list(sse.events(pieces)) == EVENTS
