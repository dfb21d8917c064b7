"""Tools: offered, forced, called, answered."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, Way

pytestmark = pytest.mark.usefixtures("signed_in")


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("ask", ALL)
def test_a_tool_is_called_and_its_result_used(ask: Way) -> None:
    """The whole round: the call with its arguments, its result, the answer from it."""
    model = ChatQwenPortal().bind_tools([add])
    question = HumanMessage("Use add to compute 17 plus 25.")
    message = ask(model, [question])
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("add", {"a": 17, "b": 25})]
    assert not message.invalid_tool_calls
    result = ToolMessage(str(add.invoke(message.tool_calls[0]["args"])), tool_call_id=message.tool_calls[0]["id"])
    assert "42" in ask(model, [question, message, result]).text


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
        ("auto", "auto"),
        ("none", "none"),
    ],
)
def test_a_tool_choice_arrives_as_it_was_meant(ask: Way, choice: Any, sent: Any, emulator: Emulator) -> None:
    """Every spelling of tool_choice becomes what the service knows."""
    ask(ChatQwenPortal().bind_tools([add, weather], tool_choice=choice), "Hello")
    assert emulator.chats()[0].body["tool_choice"] == sent


@pytest.mark.parametrize(
    "thinking",
    [
        {"enable_thinking": True, "thinking_budget": 100},
        {"extra_body": {"enable_thinking": True}},
        {"reasoning_effort": "high"},
    ],
)
@pytest.mark.parametrize("choice", ["any", "add"])
def test_forcing_a_tool_pauses_thinking_for_that_request(
    thinking: dict[str, Any], choice: str, emulator: Emulator
) -> None:
    """The service refuses both at once, so the forced request goes without thinking, and the next one with it."""
    model = ChatQwenPortal(**thinking)
    assert model.bind_tools([add], tool_choice=choice).invoke("Add 1 and 2.").tool_calls
    assert model.invoke("What is 1+2?").additional_kwargs["reasoning_content"]
    flags = ("enable_thinking", "thinking_budget", "reasoning_effort")
    forced, free = ({name: entry.body[name] for name in flags if name in entry.body} for entry in emulator.chats())
    assert forced == {"enable_thinking": False}
    assert free
    assert free != forced


def test_thinking_turned_off_stays_off_for_a_forced_tool(emulator: Emulator) -> None:
    """enable_thinking=False does no harm there, and is what a model that always thinks needs."""
    ChatQwenPortal(enable_thinking=False).bind_tools([add], tool_choice="any").invoke("Add 1 and 2.")
    assert emulator.chats()[0].body["enable_thinking"] is False


def test_calls_side_by_side_can_be_asked_for_and_refused(emulator: Emulator) -> None:
    """parallel_tool_calls and strict reach the service."""
    ChatQwenPortal().bind_tools([add], parallel_tool_calls=False, strict=True).invoke("Hello")
    body = emulator.chats()[0].body
    assert body["parallel_tool_calls"] is False
    assert body["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize("ask", ALL)
def test_two_calls_at_once_stay_apart(ask: Way) -> None:
    """Parallel calls keep their own names, arguments and ids."""
    model = ChatQwenPortal().bind_tools([add, weather], parallel_tool_calls=True)
    calls = ask(model, "Use add with 1 and 2, and use weather for Paris.").tool_calls
    assert [call["name"] for call in calls] == ["add", "weather"]
    assert calls[1]["args"] == {"city": "Paris"}
    assert len({call["id"] for call in calls}) == 2
