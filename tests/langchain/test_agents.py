"""The model inside LangChain's agents."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator

pytestmark = pytest.mark.usefixtures("signed_in", "closing")

QUESTION: Any = {"messages": [("user", "Use add to compute 17 plus 25.")]}


class Result(BaseModel):
    """The result of a computation."""

    value: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_an_agent_calls_its_tool_and_answers() -> None:
    """Question, call, result, answer."""
    messages = create_agent(ChatQwenPortal(), [add]).invoke(QUESTION)["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert "42" in messages[-1].text


async def test_an_async_agent_streams() -> None:
    """The same, streamed token by token on an event loop."""
    agent = create_agent(ChatQwenPortal(), [add])
    parts: list[Any] = [part async for part in agent.astream(QUESTION, stream_mode="messages")]
    assert "".join(message.text for message, _ in parts).endswith("42")


def test_a_structured_answer_is_asked_for_by_a_tool(emulator: Emulator) -> None:
    """The profile says that Qwen guarantees no schema, so the agent forces a tool instead."""
    agent = create_agent(ChatQwenPortal(enable_thinking=True), [add], response_format=Result)
    assert agent.invoke(QUESTION)["structured_response"] == Result(value=42)
    assert {entry.body.get("tool_choice") for entry in emulator.chats()} == {"required"}
