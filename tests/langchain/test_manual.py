"""The class docstring is the manual, and every example in it runs."""

import inspect
import re
import textwrap
from typing import Any

import pytest

from langchain_qwen_portal import ChatQwenPortal, QwenPortalEmbeddings
from qwen_portal.emulator import Emulator
from tests.embeddings.ways import keep_key

_SECTIONS = ("Setup", "Instantiate", "Invoke", "Stream", "Async", "Tool calling", "Structured output", "Image input")


def run_blocks(documented: type) -> int:
    """Run all Python blocks of a class's docstring; return how many there are."""
    manual = inspect.getdoc(documented) or ""
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?: {8}.*)?\n)+)", manual + "\n")
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(textwrap.dedent(block), "manual", "exec"), names)  # noqa: S102 - our own words
    return len(blocks)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.usefixtures("signed_in")
def test_the_manuals_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """All Python blocks, in order, as one program."""
    assert run_blocks(ChatQwenPortal) >= 10
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


def test_the_examples_of_the_embeddings_run(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Vectors, and a store that finds what is asked for."""
    keep_key(emulator, "studio")
    assert run_blocks(QwenPortalEmbeddings) == 2
    assert capsys.readouterr().out.splitlines() == ["2 512", "A passport is renewed at the town hall."]


@pytest.mark.parametrize("section", [*_SECTIONS, "Token usage", "Response metadata", "Agents", "Errors"])
def test_the_manual_has_the_usual_sections(section: str) -> None:
    """LangChain's readers know where to look."""
    assert f"\n{section}:\n" in (inspect.getdoc(ChatQwenPortal) or "")
