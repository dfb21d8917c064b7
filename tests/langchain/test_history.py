"""What goes back to the service from a conversation that LangChain keeps."""

import json
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, STREAMED, Way
from tests.scripted import answering

pytestmark = pytest.mark.usefixtures("signed_in")


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def _refusal(messages: list[dict[str, Any]]) -> str | None:
    """Say what the service refuses these messages for, as it was reported."""
    for number, message in enumerate(messages):
        for call in message.get("tool_calls") or ():
            try:
                json.loads(call["function"]["arguments"])
            except ValueError:
                return 'The "function.arguments" parameter of the code model must be in JSON format.'
            answers = [each.get("tool_call_id") for each in messages[number + 1 :] if each["role"] == "tool"]
            if call["id"] not in answers:
                return 'An assistant message with "tool_calls" must be followed by tool messages'
    return None


def _cut_once(request: httpx.Request) -> httpx.Response:
    """Cut the first question's call off, then answer what is fit to be answered."""
    body = json.loads(request.content)
    if why := _refusal(body["messages"]):
        return httpx.Response(400, json={"error": {"code": "invalid_parameter_error", "message": why}})
    is_first = not any(message["role"] == "assistant" for message in body["messages"])
    function = {"name": "add", "arguments": '{"a": 1'}
    message: dict[str, Any] = {"role": "assistant", "content": "" if is_first else "Go on."}
    if is_first:
        message["tool_calls"] = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    reason = "length" if is_first else "stop"
    envelope = {"id": "chatcmpl-1", "created": 1, "model": "qwen3.6-plus"}
    if not body["stream"]:
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return httpx.Response(200, json={**envelope, "object": "chat.completion", "choices": [choice]})
    chunks = [{"index": 0, "delta": message}, {"index": 0, "delta": {}, "finish_reason": reason}]
    frames = [json.dumps({**envelope, "object": "chat.completion.chunk", "choices": [chunk]}) for chunk in chunks]
    text = "".join(f"data: {frame}\n\n" for frame in [*frames, "[DONE]"])
    return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})


@pytest.mark.reported("HKUDS/nanobot#1487")
@pytest.mark.reported("HKUDS/nanobot#2469")
@pytest.mark.parametrize("streaming", [False, True])
def test_an_agent_with_a_checkpointer_whose_call_was_cut_goes_on(
    streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HKUDS/nanobot#1487, #2469: the cut call stays in the thread, and every later turn was a 400."""
    agent: Any = create_agent(ChatQwenPortal(streaming=streaming), [add], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    with answering(_cut_once, monkeypatch):
        first = agent.invoke({"messages": [("user", "Add 1 and 2.")]}, thread)["messages"]
        assert first[1].response_metadata["finish_reason"] == "length"
        for question in ("Try again.", "And again."):
            last = agent.invoke({"messages": [("user", question)]}, thread)["messages"][-1]
            assert last.text == "Go on."


@pytest.mark.reported("HKUDS/nanobot#1487")
@pytest.mark.parametrize("ask", ALL)
def test_a_cut_call_in_the_history_is_closed(ask: Way, emulator: Emulator) -> None:
    """HKUDS/nanobot#1487, each way of asking."""
    cut = {"name": "add", "args": '{"a": 1', "id": "call_1", "error": None, "type": "invalid_tool_call"}
    history = [HumanMessage("Add."), AIMessage("", invalid_tool_calls=[cut]), HumanMessage("What is 2+2?")]
    assert "4" in ask(ChatQwenPortal(), history).text
    assistant = emulator.chats()[0].body["messages"][1]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


@pytest.mark.reported("vercel/ai#20871")
@pytest.mark.reported("QwenLM/qwen-code#5637")
@pytest.mark.reported("langchain-ai/langchain#34166")
@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("ask", ALL)
def test_reasoning_goes_back_where_it_is_to_be_kept(ask: Way, output_version: str, emulator: Emulator) -> None:
    """vercel/ai#20871, QwenLM/qwen-code#5637, langchain#34166: without it preserve_thinking did nothing."""
    model = ChatQwenPortal(enable_thinking=True, output_version=output_version)
    answer = ask(model, "What is 2+2?")
    ask(model, [HumanMessage("What is 2+2?"), answer, HumanMessage("And 3+3?")])
    ask(model, [HumanMessage("What is 2+2?"), answer, HumanMessage("And 3+3?")], preserve_thinking=True)
    _, without, kept = (chat.body["messages"] for chat in emulator.chats())
    assert "reasoning_content" not in without[1]
    assert "What is 2+2?" in kept[1]["reasoning_content"]
    assert [message.get("reasoning_content") for message in (kept[0], kept[2])] == [None, None]


@pytest.mark.reported("vercel/ai#1578")
@pytest.mark.parametrize("ask", STREAMED)
def test_a_stream_without_usage_sends_no_stream_options(ask: Way, emulator: Emulator) -> None:
    """vercel/ai#1578: services that know no stream_options refuse them, on a plan by URL above all."""
    by_url: dict[str, Any] = {"api_key": "sk-x", "base_url": emulator.base_url}
    places: list[dict[str, Any]] = [{}, by_url]
    for where in places:
        answer = ask(ChatQwenPortal(stream_usage=False, **where), "What is 2+2?")
        assert answer.usage_metadata is None
    assert all("stream_options" not in chat.body for chat in emulator.chats())
    assert len(emulator.chats()) == 2
