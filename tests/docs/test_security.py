"""SECURITY.md names the tests behind each of its promises, and they are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTECTED = (ROOT / "SECURITY.md").read_text("utf-8").split("## What is protected\n")[1].split("\n## ")[0]
# A promise begins with a dash and its name, and goes on to the next one.
PROMISES = dict(re.findall(r"^- \*\*(.+?)\.\*\*(.+?)(?=^- |\Z)", PROTECTED, re.MULTILINE | re.DOTALL))
PATHS = sorted(set(re.findall(r"\]\((.+?)\)", PROTECTED)))


def test_the_promises_are_found() -> None:
    """Each dash is one, and no text is between them."""
    assert len(PROMISES) == len(re.findall(r"^- ", PROTECTED, re.MULTILINE)) > 8
    assert len(PATHS) > 20


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_ends_with_its_tests(promise: str) -> None:
    """What nothing proves is no promise."""
    said, _, tests = PROMISES[promise].partition("  Tests: ")
    assert said.strip()
    assert re.fullmatch(r"(\[[\w' -]+\]\(tests/[\w/.]+\)(,\s+|\.\s*))+", tests), tests


@pytest.mark.parametrize("path", PATHS)
def test_every_file_it_names_holds_tests(path: str) -> None:
    """A file that was moved, or that has no test any more, proves nothing."""
    assert re.search(r"^(async )?def test_", (ROOT / path).read_text("utf-8"), re.MULTILINE)
