"""Reasoning: asked for, received whole and in pieces, as additional_kwargs and as content blocks."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.mark.parametrize("ask", ALL)
def test_reasoning_is_kept_beside_the_text(ask: Way) -> None:
    """What the model thought is in additional_kwargs, and not in the text."""
    message = ask(ChatQwenPortal(enable_thinking=True), "What is 2+2?")
    assert "2+2" in message.additional_kwargs["reasoning_content"]
    assert message.text == "2+2 = 4"


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("version", [None, "v1"])
def test_reasoning_is_a_content_block(ask: Way, version: str | None) -> None:
    """content_blocks has the reasoning first, then the text, whatever the output version."""
    message = ask(ChatQwenPortal(enable_thinking=True, output_version=version), "What is 2+2?")
    assert [block["type"] for block in message.content_blocks] == ["reasoning", "text"]
    assert message.content_blocks[1] | {"index": 1} == {"type": "text", "text": "2+2 = 4", "index": 1}


@pytest.mark.parametrize("ask", ALL)
def test_version_one_content_is_blocks(ask: Way) -> None:
    """With output_version v1 the content itself is the list of blocks."""
    content: Any = ask(ChatQwenPortal(enable_thinking=True, output_version="v1"), "What is 2+2?").content
    assert [block["type"] for block in content] == ["reasoning", "text"]


def test_the_answer_with_reasoning_can_go_back(emulator: Emulator) -> None:
    """A message with reasoning is a turn of the next request, its text alone."""
    for version in (None, "v1"):
        model = ChatQwenPortal(enable_thinking=True, output_version=version)
        first = model.invoke("My name is Ada.")
        assert "Ada" in model.invoke([HumanMessage("My name is Ada."), first, HumanMessage("What is my name?")]).text
        assert "reasoning" not in str(emulator.chats()[-1].body["messages"])


def test_thinking_is_left_to_the_service_unless_asked_for(emulator: Emulator) -> None:
    """Unset options are not sent; set ones are."""
    ChatQwenPortal().invoke("Hi")
    ChatQwenPortal(enable_thinking=True, thinking_budget=64).invoke("Hi")
    plain, thinking = (entry.body for entry in emulator.chats())
    assert not {"enable_thinking", "thinking_budget"} & set(plain)
    assert (thinking["enable_thinking"], thinking["thinking_budget"]) == (True, 64)
