"""A moment in UTC as text, by the two notations that schedules use: a layout by example as in Go, and strftime.

Ours and not the C library's strftime, so that the text depends neither on the platform nor on its language.
"""

import re
from collections.abc import Callable
from datetime import datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

# The longest form first where one begins another. A short month or day that a lower-case letter follows is a word.
_PART = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|2006|__2|_2(?!006)|PM|pm"
    r"|[-Z]07(?:0000|:00:00|00|:00)?|[.,](?:0+|9+)(?![0-9])|[1-5]"
)

_LETTERS: dict[str, Callable[[datetime], str]] = {
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "C": lambda at: f"{at.year // 100:02d}",
    "c": lambda at: layout(at, "Mon Jan _2 15:04:05 2006"),
    "D": lambda at: layout(at, "01/02/06"),
    "d": lambda at: f"{at.day:02d}",
    "e": lambda at: f"{at.day:2d}",
    "F": lambda at: layout(at, "2006-01-02"),
    "H": lambda at: f"{at.hour:02d}",
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "I": lambda at: f"{_hour12(at):02d}",
    "j": lambda at: f"{_day_of_year(at):03d}",
    "k": lambda at: f"{at.hour:2d}",
    "l": lambda at: f"{_hour12(at):2d}",
    "M": lambda at: f"{at.minute:02d}",
    "m": lambda at: f"{at.month:02d}",
    "n": lambda at: "\n",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "R": lambda at: layout(at, "15:04"),
    "r": lambda at: layout(at, "03:04:05 PM"),
    "S": lambda at: f"{at.second:02d}",
    "s": lambda at: str(int(at.timestamp())),
    "T": lambda at: layout(at, "15:04:05"),
    "t": lambda at: "\t",
    "U": lambda at: f"{(_day_of_year(at) + 6 - (at.weekday() + 1) % 7) // 7:02d}",
    "u": lambda at: str(at.isoweekday()),
    "V": lambda at: f"{at.isocalendar().week:02d}",
    "v": lambda at: layout(at, "_2-Jan-2006"),
    "W": lambda at: f"{(_day_of_year(at) + 6 - at.weekday()) // 7:02d}",
    "w": lambda at: str(at.isoweekday() % 7),
    "X": lambda at: layout(at, "15:04:05"),
    "x": lambda at: layout(at, "01/02/06"),
    "Y": lambda at: f"{at.year:04d}",
    "y": lambda at: f"{at.year % 100:02d}",
    "Z": lambda at: "UTC",
    "z": lambda at: "+0000",
    "%": lambda at: "%",
}

_PARTS: dict[str, Callable[[datetime], str]] = {
    "January": _LETTERS["B"],
    "Jan": _LETTERS["b"],
    "Monday": _LETTERS["A"],
    "Mon": _LETTERS["a"],
    "MST": _LETTERS["Z"],
    "002": _LETTERS["j"],
    "__2": lambda at: f"{_day_of_year(at):3d}",
    "01": _LETTERS["m"],
    "1": lambda at: str(at.month),
    "02": _LETTERS["d"],
    "_2": _LETTERS["e"],
    "2": lambda at: str(at.day),
    "03": _LETTERS["I"],
    "3": lambda at: str(_hour12(at)),
    "15": _LETTERS["H"],
    "04": _LETTERS["M"],
    "4": lambda at: str(at.minute),
    "05": _LETTERS["S"],
    "5": lambda at: str(at.second),
    "06": _LETTERS["y"],
    "2006": _LETTERS["Y"],
    "PM": _LETTERS["p"],
    "pm": lambda at: "am" if at.hour < 12 else "pm",
}


def layout(at: datetime, example: str) -> str:
    """`at` in the way that the example writes 2 January 2006, 15:04:05. What is no part of a time stays."""
    return _PART.sub(lambda part: _part(at, part[0]), example)


def strftime(at: datetime, format: str) -> str | None:
    """`at` by the letters of strftime; None where one is unknown."""
    known = True

    def written(sign: re.Match[str]) -> str:
        nonlocal known
        write = _LETTERS.get(sign[1])
        known = known and write is not None
        return write(at) if write else ""

    text = re.sub(r"%(.?)", written, format, flags=re.DOTALL)
    return text if known else None


def _part(at: datetime, part: str) -> str:
    if write := _PARTS.get(part):
        return write(at)
    match part[0]:
        case "Z":
            return "Z"
        case "-":
            return "+" + re.sub("[0-9]", "0", part[1:])
        case mark:  # a fraction of a second, which is none: zeros are kept, nines vanish
            return mark + part[1:] if part[1] == "0" else ""


def _hour12(at: datetime) -> int:
    return at.hour % 12 or 12


def _day_of_year(at: datetime) -> int:
    return at.timetuple().tm_yday
