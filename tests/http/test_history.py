"""Messages that go back: whatever a model or a framework wrote, the service gets arguments that are JSON objects."""

import asyncio
import json
from typing import Any

import openai
import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.requests.history import sendable
from tests.ways import ALL, Way

Message = dict[str, Any]


def call(arguments: Any, call_id: str = "call_1") -> Message:
    """Make an assistant's call of a tool."""
    return {"id": call_id, "type": "function", "function": {"name": "add", "arguments": arguments}}


def turn(*calls: Message, answers: int = 0) -> list[Message]:
    """Make a conversation in which the assistant called tools, of which the first ones answered."""
    said: list[Message] = [{"role": "tool", "tool_call_id": made["id"], "content": "42"} for made in calls[:answers]]
    assistant: Message = {"role": "assistant", "content": "", "tool_calls": list(calls)}
    return [{"role": "user", "content": "Add."}, assistant, *said, {"role": "user", "content": "What is 2+2?"}]


BROKEN = [
    pytest.param('{"a": 1', '{"a": 1}', id="cut"),
    pytest.param('{"a": "x', '{"a": "x"}', id="cut in a text"),
    pytest.param('{"a": [1, {"b": 2', '{"a": [1, {"b": 2}]}', id="cut in depth"),
    pytest.param('{"a": ', "{}", id="cut before a value"),
    pytest.param("", "{}", id="empty"),
    pytest.param("null", "{}", id="null"),
    pytest.param("[1]", "{}", id="a list"),
    pytest.param(None, "{}", id="none"),
    pytest.param({"a": 1}, '{"a": 1}', id="an object"),
    pytest.param(json.dumps('{"a": 1}'), '{"a": 1}', id="encoded twice"),
    pytest.param('{"a": "x\ny"}', '{"a": "x\\ny"}', id="a control character"),
    pytest.param("[" * 100_000, "{}", id="very deep"),
]


@pytest.mark.reported("HKUDS/nanobot#1487")
@pytest.mark.reported("vllm-project/vllm#43995")
@pytest.mark.parametrize(("arguments", "sent"), BROKEN)
@pytest.mark.parametrize("ask", ALL)
def test_arguments_go_back_as_a_json_object(ask: Way, arguments: Any, sent: str, signed_in: Emulator) -> None:
    """HKUDS/nanobot#1487, vllm-project/vllm#43995: one broken call makes every later turn a 400."""
    ask(turn(call(arguments), answers=1))
    (chat,) = signed_in.chats()
    assert chat.body["messages"][1]["tool_calls"][0]["function"]["arguments"] == sent


@pytest.mark.reported("HKUDS/nanobot#2469")
@pytest.mark.parametrize("ask", ALL)
def test_a_call_that_was_cut_and_not_made_is_answered(ask: Way, signed_in: Emulator) -> None:
    """HKUDS/nanobot#2469: frameworks run no tool on a cut call, and the service wants an answer to each."""
    assert "4" in ask(turn(call('{"a": 1}'), call('{"a": 1', "call_2"), answers=1))
    answers = [each for each in signed_in.chats()[0].body["messages"] if each["role"] == "tool"]
    assert [answer["tool_call_id"] for answer in answers] == ["call_1", "call_2"]
    assert "not called" in answers[1]["content"]


def test_what_is_right_is_handed_on_as_it_is() -> None:
    """Nothing is copied or rewritten without a reason, and an unanswered call that is right stays the caller's."""
    messages = turn(call('{ "a":1}'), answers=0)
    assert all(old is new for old, new in zip(messages, sendable(messages), strict=True))


def test_the_callers_messages_stay_as_they_were() -> None:
    """A framework keeps them and sends them again."""
    messages = turn(call('{"a": 1'))
    before = json.dumps(messages)
    sendable(messages)
    assert json.dumps(messages) == before


@pytest.mark.reported("HKUDS/nanobot#1487")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_openais_client_sends_objects_too(asynchronous: bool, signed_in: Emulator) -> None:
    """HKUDS/nanobot#1487, through OpenAI's SDK."""
    messages: Any = turn(call('{"a": 1'))
    if asynchronous:

        async def ask() -> None:
            async with qwen_portal.async_openai_client() as portal:
                await portal.chat.completions.create(model="coder-model", messages=messages)

        asyncio.run(ask())
    else:
        with qwen_portal.openai_client() as portal:
            assert isinstance(portal, openai.OpenAI)
            portal.chat.completions.create(model="coder-model", messages=messages)
    assert [chat.status for chat in signed_in.chats()] == [200]
    assert signed_in.chats()[0].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


WHOLE = '{"a": "x\\n\\"y", "b": [1, {"c": null}, true], "d": -1.5e3}'


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_call_may_be_cut_anywhere(length: int) -> None:
    """Whatever is left becomes an object."""
    (_, assistant, *_) = sendable(turn(call(WHOLE[:length])))
    assert isinstance(json.loads(assistant["tool_calls"][0]["function"]["arguments"]), dict)


@pytest.mark.parametrize("calls", ["x", 3, [None], ["x"], [{}], [{"function": "f"}], [{"function": {}}], {"a": 1}])
def test_what_is_no_call_is_left_to_the_service(calls: Any) -> None:
    """It cannot be mended, and must not raise here."""
    assert sendable([{"role": "assistant", "content": "", "tool_calls": calls}])
