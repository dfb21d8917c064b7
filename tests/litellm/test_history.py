"""What goes out of a LiteLLM call beside the question: earlier turns, and wishes about thinking."""

from typing import Any

import litellm
import pytest

from qwen_portal.emulator import Emulator
from tests.litellm.ways import CALLS, HELLO, WAYS, aask_stream, ask_stream

pytestmark = pytest.mark.usefixtures("signed_in")

CUT: list[dict[str, Any]] = [
    {"role": "user", "content": "Add."},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1'}}],
    },
    {"role": "user", "content": "What is 2+2?"},
]


@pytest.mark.reported("HKUDS/nanobot#1487")
@pytest.mark.parametrize("way", WAYS)
def test_a_cut_call_in_the_history_is_closed(way: str, emulator: Emulator) -> None:
    """HKUDS/nanobot#1487: every later turn was a 400."""
    assert "4" in WAYS[way](CUT).text
    messages = emulator.chats()[0].body["messages"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert messages[2]["role"] == "tool"


@pytest.mark.reported("vercel/ai#20871")
@pytest.mark.parametrize("as_object", [False, True])
@pytest.mark.parametrize("way", CALLS)
def test_reasoning_goes_back_where_it_is_to_be_kept(way: str, as_object: bool, emulator: Emulator) -> None:
    """vercel/ai#20871, with a dict and with the very message that LiteLLM gave."""
    answer: Any = litellm.completion(model="qwen-portal/coder-model", messages=HELLO, enable_thinking=True)
    message = answer.choices[0].message
    assistant = message if as_object else {"role": "assistant", "content": "4", "reasoning_content": "They ask."}
    CALLS[way]([*HELLO, assistant, *HELLO], preserve_thinking=True)
    chat = emulator.chats()[-1].body
    assert chat["preserve_thinking"] is True
    assert chat["messages"][1]["reasoning_content"] == (message.reasoning_content if as_object else "They ask.")


@pytest.mark.parametrize(("effort", "sent"), [("default", {}), ("none", {"enable_thinking": False})])
@pytest.mark.parametrize("way", WAYS)
def test_each_effort_that_litellm_knows_is_taken(
    way: str, effort: str, sent: dict[str, Any], emulator: Emulator
) -> None:
    """Two words of LiteLLM's own were 400s."""
    WAYS[way](reasoning_effort=effort)
    body = emulator.chats()[0].body
    assert {name: body[name] for name in body if "thinking" in name or "reasoning" in name} == sent


@pytest.mark.parametrize("ask", [ask_stream, aask_stream])
def test_reasoning_is_merged_into_a_streams_text_when_asked(ask: Any) -> None:
    """Interfaces such as Open WebUI read it there; LiteLLM does so for the providers built into it."""
    plain = ask(enable_thinking=True)
    merged = ask(enable_thinking=True, merge_reasoning_content_in_choices=True)
    assert merged.text == f"<think>{plain.reasoning}</think>{plain.text}"
    assert not merged.reasoning


@pytest.mark.parametrize("ask", [ask_stream, aask_stream])
def test_merged_reasoning_is_closed_before_a_call(ask: Any) -> None:
    """A tag that stays open would hide what comes after it."""
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
    merged = ask(
        [{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[tool],
        enable_thinking=True,
        merge_reasoning_content_in_choices=True,
    )
    assert merged.tool_calls
    assert merged.text.startswith("<think>")
    assert merged.text.endswith("</think>")


@pytest.mark.reported("vercel/ai#1578")
@pytest.mark.parametrize("ask", [ask_stream, aask_stream])
def test_a_stream_without_usage_sends_no_stream_options(ask: Any, emulator: Emulator) -> None:
    """vercel/ai#1578: services that know no stream_options refuse them."""
    ask(stream_options={"include_usage": False})
    assert "stream_options" not in emulator.chats()[0].body
