"""Texts for people: a label as a shell takes it, a duration in words, lines that fit a terminal."""

import os
from collections.abc import Iterator
from typing import TextIO

# in minutes
_HOUR, _DAY, _YEAR = 60, 24 * 60, 365 * 24 * 60
_USUAL_COLUMNS = 80


def format_duration(seconds: float) -> str:
    """Say how long something lasts in words: ``"30 min"``, ``"5 h 12 min"``, ``"12 days"``."""
    minutes = max(1, round(seconds / 60))
    if minutes < 2 * _HOUR:
        return f"{minutes} min"
    if minutes < 2 * _DAY:
        return f"{minutes // _HOUR} h {minutes % _HOUR} min"
    return f"{minutes // _DAY} days" if minutes < 2 * _YEAR else "more than 2 years"


def shell_quote(label: str) -> str:
    """Write a label as a shell takes it, for a command that is shown."""
    import shlex

    # a label may begin as an option does
    return f"-- {shlex.quote(label)}" if label.startswith("-") else shlex.quote(label)


def sentence(text: str) -> str:
    """End somebody else's words with a full stop, unless they have one."""
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def counted(number: int, one: str, many: str) -> str:
    """Say how many there are: ``"1 account"``, ``"3 accounts"``."""
    return f"{number} {one if number == 1 else many}"


def columns(stream: TextIO | None) -> int | None:
    """Return the width of the terminal that a stream writes to; ``None`` where it is none, such as a pipe."""
    if stream is None or not stream.isatty():
        return None
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def wrapped(text: str, width: int | None, *, first: str = "", rest: str = "") -> str:
    """Lay a text out in lines that end between words, and never within a command between backticks.

    A word that is longer than a line has a line of its own: the terminal continues it below, and copies it whole.

    Args:
        text: One line, or several; what a line is indented by, its continuation is too.
        width: Columns of the terminal; ``None`` leaves the text as it is.
        first: Stands before the first line.
        rest: Stands before the others.
    """
    if width is None:
        return first + text
    head, *others = text.split("\n")
    return "\n".join([_broken(head, width, first, rest), *(_broken(line, width, rest, rest) for line in others)])


def _broken(line: str, width: int, first: str, rest: str) -> str:
    said = line.lstrip(" ")
    indent = line[: len(line) - len(said)]
    first, rest = first + indent, rest + indent
    if cells(first + said) <= width:
        return first + said
    done, now, is_empty = list[str](), first, True
    for word in words(said):
        joined = now + word if is_empty else f"{now} {word}"
        if cells(joined) > width and not is_empty:
            done.append(now)
            joined = rest + word
        now, is_empty = joined, False
    return "\n".join([*done, now])


def words(text: str) -> Iterator[str]:
    """Yield the words of a text; a command between backticks is one."""
    import re

    return (match[0] for match in re.finditer(r"(?:`[^`]*`|\S)+", text))


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
