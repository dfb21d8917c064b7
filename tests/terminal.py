"""A command at a terminal of a given size, as a person sees it and types to it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pexpect  # type: ignore[import-untyped]

from qwen_portal.text import cells, words
from tests.cli.program import LIMIT, PROGRAM

SIZES = [(40, 24), (80, 24), (120, 40)]
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextmanager
def at_screen(*args: str, columns: int = 80, lines: int = 24, **environment: str) -> Iterator[Any]:
    """Start a command all of whose streams are one terminal; yield what pexpect makes of it."""
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    child = pexpect.spawn(
        PROGRAM[0],
        [*PROGRAM[1:], *args],
        dimensions=(lines, columns),
        env={**variables, "TERM": "xterm-256color", **environment},
        encoding="utf-8",
        codec_errors="replace",
        timeout=LIMIT,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def shown(*args: str, columns: int = 80, lines: int = 24, **environment: str) -> tuple[int, str]:
    """Run a command that asks nothing; return its exit code and the whole of what was on the screen."""
    with at_screen(*args, columns=columns, lines=lines, **environment) as child:
        child.expect(pexpect.EOF)
        text: str = child.before
        child.close()
        return int(child.exitstatus), text


def plain(text: str) -> str:
    """Return what is left on the screen: without colours, and of a line that was written again the last."""
    rows = _COLOUR.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(row.rstrip("\r").rpartition("\r")[2] for row in rows)


def assert_nothing_cut(text: str, columns: int) -> None:
    """Fail if the terminal would break a line within a word, or a line ends within a command between backticks."""
    for row in plain(text).split("\n"):
        # what is longer than a line anyway, such as an address, has one of its own; click's are 50 columns wide or more
        assert cells(row) <= columns or len(list(words(row))) == 1 or row.startswith(("Usage: ", "Try '")), row
    for command in re.findall(r"`[^`]*`", plain(text)):
        assert "\n" not in command or len(command) > columns - 10, command
