"""The class docstring is the manual, and every example in it runs."""

import inspect
import re
import textwrap
from typing import Any

import pytest

from langchain_qwen_portal import ChatQwenPortal

_SECTIONS = ("Setup", "Instantiate", "Invoke", "Stream", "Async", "Tool calling", "Structured output", "Image input")


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.usefixtures("signed_in")
def test_the_manuals_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """All Python blocks, in order, as one program."""
    manual = inspect.getdoc(ChatQwenPortal) or ""
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?: {8}.*)?\n)+)", manual + "\n")
    assert len(blocks) >= 10
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(textwrap.dedent(block), "manual", "exec"), names)  # noqa: S102 - our own words
    printed = capsys.readouterr().out
    assert "2+2 = 4" in printed
    assert "1 2 3 4 5" in printed
    assert "{'a': 17, 'b': 25}" in printed
    assert "['reasoning', 'text']" in printed
    assert re.search(r"'cache_read': 0, 'cache_creation': [1-9]", printed)
    assert re.search(r"'cache_read': [1-9]\d+, 'cache_creation': \d+", printed)
    *_, agent, named, loaded, safe = printed.splitlines()
    assert "42" in agent
    assert (named, loaded, safe) == ("2+2 = 4", "True", "2+2 = 4")


@pytest.mark.parametrize("section", [*_SECTIONS, "Token usage", "Response metadata", "Agents", "Errors"])
def test_the_manual_has_the_usual_sections(section: str) -> None:
    """LangChain's readers know where to look."""
    assert f"\n{section}:\n" in (inspect.getdoc(ChatQwenPortal) or "")
