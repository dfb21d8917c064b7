"""Marks for the service's prompt cache: where they stand, and what the usage says of it."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from langchain_qwen_portal import ChatQwenPortal
from langchain_qwen_portal.payload import mark_for_caching
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

pytestmark = pytest.mark.usefixtures("signed_in")

MARK = {"type": "ephemeral"}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}"


def _marked(message: dict[str, Any]) -> bool:
    content = message["content"]
    return isinstance(content, list) and [part.get("cache_control") for part in content][-1] == MARK


@pytest.mark.parametrize("ask", ALL)
def test_system_last_tool_and_last_message_are_marked(ask: Way, emulator: Emulator) -> None:
    """Three marks; a conversation that grows is then read from the cache up to its last turn."""
    model = ChatQwenPortal(prompt_caching=True).bind_tools([add, weather])
    ask(model, [SystemMessage("Be brief."), HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("What is 2+2?")])
    body = emulator.chats()[0].body
    assert [_marked(message) for message in body["messages"]] == [True, False, False, True]
    assert [tool.get("cache_control") for tool in body["tools"]] == [None, MARK]


def test_a_tools_result_is_marked_as_the_last_message(emulator: Emulator) -> None:
    """In an agent's loop the last message is a tool's."""
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}
    messages = [HumanMessage("Add."), AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="c1")]
    ChatQwenPortal(prompt_caching=True).bind_tools([add]).invoke(messages)
    assert [_marked(message) for message in emulator.chats()[0].body["messages"]] == [False, False, True]


def test_marks_of_the_callers_own_stay_alone(emulator: Emulator) -> None:
    """They pass as they are, with and without the option, and none is added to them."""
    own = HumanMessage([{"type": "text", "text": "Long.", "cache_control": MARK}, {"type": "text", "text": "What?"}])
    for option in (True, False):
        ChatQwenPortal(prompt_caching=option).invoke([SystemMessage("Be brief."), own])
    for entry in emulator.chats():
        assert [message["content"] for message in entry.body["messages"]] == ["Be brief.", own.content]


@pytest.mark.parametrize("content", ["", [], ["plain text in a list"]])
def test_what_cannot_carry_a_mark_is_left_as_it_is(content: Any) -> None:
    """Nothing to mark, or nothing that takes one."""
    payload = {"messages": [{"role": "user", "content": content}]}
    assert mark_for_caching(payload) == payload


def test_the_option_can_be_had_for_one_call(emulator: Emulator) -> None:
    """It is no parameter of the service's, and is not sent to it."""
    ChatQwenPortal().invoke("Hi", prompt_caching=True)
    ChatQwenPortal().invoke("Hi")
    marked, plain = (entry.body for entry in emulator.chats())
    assert _marked(marked["messages"][0])
    assert plain["messages"][0]["content"] == "Hi"
    assert "prompt_caching" not in marked


@pytest.mark.parametrize("ask", ALL)
def test_the_usage_tells_what_was_written_and_what_was_read(ask: Way) -> None:
    """First the prompt is written to the cache, then read from it; without marks nothing is written."""
    model = ChatQwenPortal(prompt_caching=True)
    first, second = (ask(model, "What is 2+2?").usage_metadata for _ in range(2))
    assert first is not None
    assert second is not None
    assert first["input_token_details"] == {"cache_read": 0, "cache_creation": first["input_tokens"]}
    assert second["input_token_details"] == {"cache_read": second["input_tokens"], "cache_creation": 0}
    plain = ask(ChatQwenPortal(), "What is 3+3?").usage_metadata
    assert plain is not None
    assert "cache_creation" not in plain["input_token_details"]
