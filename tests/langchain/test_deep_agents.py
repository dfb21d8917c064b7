"""The model inside deepagents."""

from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain_core.tools import tool

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator

pytestmark = pytest.mark.usefixtures("signed_in", "closing")

WORK: Any = {
    "messages": [
        ("user", 'Use add for 17 and 25, then write_file to /sum.txt with "It is 42", then read_file /sum.txt')
    ]
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_deep_agent_uses_its_own_tools_and_ours() -> None:
    """It computes, writes a file, and reads it."""
    state = create_deep_agent(model=ChatQwenPortal(), tools=[add]).invoke(WORK)
    assert state["files"]["/sum.txt"]["content"] == "It is 42"
    assert "It is 42" in state["messages"][-1].text


async def test_a_deep_agent_streams(emulator: Emulator) -> None:
    """Token by token on an event loop."""
    agent = create_deep_agent(model=ChatQwenPortal(), tools=[add])
    parts: list[Any] = [part async for part in agent.astream(WORK, stream_mode="messages")]
    assert "It is 42" in "".join(message.text for message, _ in parts)
    assert [entry.body["stream"] for entry in emulator.chats()] == [True] * 4
