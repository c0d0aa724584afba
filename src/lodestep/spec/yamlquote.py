"""How PyYAML writes a text: plain, in single or in double quotes, and where it breaks the line.

The rules are those of its emitter with its defaults (ASCII only, 80 columns); a property test compares every byte.
"""

import re

import yaml

BEST_WIDTH = 80
_RESOLVERS = yaml.SafeDumper.yaml_implicit_resolvers
# What makes a text unfit to be plain: a start or an end that means something, ": ", " #", anything not printable ASCII.
_NOT_PLAIN = re.compile(r"[ #,\[\]{}&*!|>'\"%@`]|[?:-](?: |\Z)|---|\.\.\.|.*(?::(?: |\Z)| #| \Z|[^ -~])", re.DOTALL)
_NOT_SINGLE = re.compile(r" \n|\n |[^\n -~]")
_RUNS = re.compile(r"( +)|(\n+)")
_TOKENS = re.compile(r"[!#-\[\]-~]+| |.", re.DOTALL)
_ESCAPES = dict(zip('\0\a\b\t\n\v\f\r\x1b"\\\x85\xa0\u2028\u2029', '0abtnvfre"\\N_LP', strict=True))


def is_plain(text: str) -> bool:
    """May it stand without quotes, and does it mean itself then?"""
    if not text or _NOT_PLAIN.match(text):
        return False
    return not any(pattern.match(text) for _, pattern in _RESOLVERS.get(text[0], ()))


def single_quotable(text: str) -> bool:
    return not _NOT_SINGLE.search(text)


def plain(text: str, column: int, indent: int) -> str:
    """A plain text, broken at single spaces beyond the width. `column` is where it begins."""
    parts: list[str] = []
    at = 0
    for run in _RUNS.finditer(text):
        start, end = run.span()
        parts.append(text[at:start])
        column += start - at
        if end - start == 1 and column > BEST_WIDTH:
            parts.append(_new_line(indent))
            column = indent
        else:
            parts.append(run[0])
            column += end - start
        at = end
    parts.append(text[at:])
    return "".join(parts)


def single_quoted(text: str, column: int, indent: int, *, split: bool = True) -> str:
    if column + len(text) + text.count("'") < BEST_WIDTH and "\n" not in text:
        quoted = text.replace("'", "''")
        return f"'{quoted}'"
    parts: list[str] = ["'"]
    column += 1
    at = 0
    for run in _RUNS.finditer(text):
        start, end = run.span()
        word = text[at:start].replace("'", "''")
        parts.append(word)
        column += len(word)
        if run[2]:
            parts.append("\n" * (end - start) + _new_line(indent))
            column = indent
        elif split and end - start == 1 and column > BEST_WIDTH and start != 0 and end != len(text):
            parts.append(_new_line(indent))
            column = indent
        else:
            parts.append(run[0])
            column += end - start
        at = end
    parts.append(text[at:].replace("'", "''"))
    parts.append("'")
    return "".join(parts)


def double_quoted(text: str, column: int, indent: int, *, split: bool = True) -> str:
    """A line may be broken before a space or after an escape, with a backslash; a space that follows is escaped."""
    parts: list[str] = ['"']
    column += 1  # of what is written, but for the run of ordinary characters that is written last
    run = 0  # its length
    last = len(text) - 1
    line = "\\" + _new_line(indent)
    for token in _TOKENS.finditer(text):
        at = token.start()
        data = token[0]
        breakable = split and 0 < at < last
        if len(data) > 1 or data in _ORDINARY:
            if data == " ":
                if breakable and column + run > BEST_WIDTH:
                    parts.append(f"{line}\\")
                    column, run = indent + 1, 0
            elif run == 0 and breakable and column > BEST_WIDTH:
                parts.append(line)
                column = indent
            parts.append(data)
            run += len(data)
            continue
        escape = _escape(data)
        parts.append(escape)
        column, run = column + run + len(escape), 0
        if breakable and column - 1 > BEST_WIDTH:
            spaced = text[at + 1] == " "
            parts.append(f"{line}\\" if spaced else line)
            column = indent + spaced
    parts.append('"')
    return "".join(parts)


_ORDINARY = frozenset(chr(code) for code in range(0x20, 0x7F)) - {'"', "\\"}


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return f"\\{_ESCAPES[character]}"
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _new_line(indent: int) -> str:
    return "\n" + " " * indent
