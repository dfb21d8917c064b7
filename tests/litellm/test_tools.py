"""Tool calls through LiteLLM, all four ways, and the answer to their result."""

import json
from typing import Any

import litellm
import pytest

from qwen_portal.emulator import Emulator
from tests.litellm.ways import TOOL, WAYS, WEATHER, ask, call, chunks


@pytest.mark.parametrize("way", WAYS)
def test_a_tool_is_called_with_arguments_that_fit(signed_in: Emulator, way: str) -> None:
    """The fragments of a stream add up to the same call as a whole answer's."""
    answer = WAYS[way](WEATHER, tools=[TOOL])
    assert answer.finish_reason == "tool_calls"
    assert [made["name"] for made in answer.tool_calls] == ["get_weather"]
    assert json.loads(answer.tool_calls[0]["arguments"])["city"] == "Paris"
    assert answer.tool_calls[0]["id"]


@pytest.mark.parametrize("way", WAYS)
def test_the_result_of_a_tool_is_answered(signed_in: Emulator, way: str) -> None:
    """LiteLLM's own message object goes back as it came, and the second request holds call and result."""
    message = call(WEATHER, tools=[TOOL]).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "19 degrees and sunny"}
    answer = WAYS[way]([*WEATHER, message, result], tools=[TOOL])
    assert "19" in answer.text
    assert [each["role"] for each in signed_in.chats()[-1].body["messages"]] == ["user", "assistant", "tool"]


def test_streamed_tool_calls_are_rebuilt_by_litellm(signed_in: Emulator) -> None:
    """stream_chunk_builder joins the fragments, whose later ones carry an empty id."""
    rebuilt: Any = litellm.stream_chunk_builder(chunks(WEATHER, tools=[TOOL]), messages=WEATHER)
    made = rebuilt.choices[0].message.tool_calls
    assert len(made) == 1
    assert json.loads(made[0].function.arguments) == {"city": "Paris"}


@pytest.mark.parametrize(
    ("choice", "called"), [("none", []), ({"type": "function", "function": {"name": "get_weather"}}, ["get_weather"])]
)
def test_the_choice_of_tool_is_sent(signed_in: Emulator, choice: Any, called: list[str]) -> None:
    """tool_choice and parallel_tool_calls arrive as they were given, and are followed."""
    answer = ask(WEATHER, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
    body = signed_in.chats()[-1].body
    assert (body["tool_choice"], body["parallel_tool_calls"]) == (choice, False)
    assert [made["name"] for made in answer.tool_calls] == called


def test_an_empty_list_of_tools_is_no_tools(signed_in: Emulator) -> None:
    """The service refuses an empty list, so it is left out."""
    assert "4" in ask(tools=[]).text
    assert "tools" not in signed_in.chats()[-1].body
