"""Classes of characters as ranges of code points: those with a name, their complements, the other case of letters."""

LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]  # of code points, both ends included

DIGITS: Ranges = ((0x30, 0x39),)
WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}


def negated(ranges: Ranges) -> Ranges:
    free: list[tuple[int, int]] = []
    at = 0
    for first, last in sorted(ranges):
        if at < first:
            free.append((at, first - 1))
        at = max(at, last + 1)
    return (*free, (at, LAST)) if at <= LAST else tuple(free)


def other_case(ranges: Ranges) -> Ranges:
    """The ranges and the other case of every letter in them. Ranges of more than a thousand characters stay."""
    others = [
        (ord(other), ord(other))
        for first, last in ranges
        if last - first <= 1000
        for code in range(first, last + 1)
        for other in (chr(code).lower(), chr(code).upper())
        if len(other) == 1
    ]
    return (*ranges, *others)
