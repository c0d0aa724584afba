"""A component's exception in words: its type, its message, and where in the component it came from.

The traceback starts in the component and ends there or in what the component called: frames of the step host and of
the run-time part of `kfp` say nothing to the one who reads it. The component's file is shown by the component's name.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType

_OWN = os.path.dirname(os.path.abspath(__file__))
_MESSAGE = 20_000
_TRACEBACK = 40_000


def tell(error: BaseException, path: str, *, component: str) -> dict[str, str]:
    """`{type, message, traceback}`. `path` is the component's file."""
    text = _formatted(error, path).replace(f'File "{path}"', f'File "component {component}"')
    if len(text) > _TRACEBACK:  # the first lines say where, the last ones what
        text = f"{text[: _TRACEBACK // 4]}\n[…]\n{text[-_TRACEBACK * 3 // 4 :]}"
    return {"type": type(error).__name__, "message": _message(error), "traceback": text}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE]
    except Exception as fault:
        return f"<its message cannot be shown: {type(fault).__name__}>"


def _formatted(error: BaseException, path: str) -> str:
    _trim(error, path, set())
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:  # a type of exception that breaks what shows it
        return f"{type(error).__name__}: {_message(error)}\n"


def _trim(error: BaseException | None, path: str, seen: set[int]) -> None:
    """Cut our own frames from an exception and from those that led to it."""
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.with_traceback(_within(error.__traceback__, path))
        for each in getattr(error, "exceptions", ()):  # a group's
            _trim(each, path, seen)
        _trim(error.__cause__, path, seen)
        error = error.__context__


def _within(frames: TracebackType | None, path: str) -> TracebackType | None:
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename != path:
        first = first.tb_next
    if first is None:  # none of the component's: raised by ours, or by the loading of the component
        first = frames
        while first is not None and _is_own(first):
            first = first.tb_next
    last = each = first
    while each is not None:
        if not _is_own(each):
            last = each
        each = each.tb_next
    if last is not None:
        last.tb_next = None
    return first


def _is_own(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.startswith(_OWN)
