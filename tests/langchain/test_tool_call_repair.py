"""Tool calls that arrive in odd pieces, and what LangChain makes of them after mending."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import QwenStreamError
from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.answers.completions import whole_answer
from qwen_portal.emulator import Emulator
from tests.langchain.ways import STREAMED, WHOLE, Way

pytestmark = pytest.mark.usefixtures("signed_in")

ADD, MULTIPLY = {"name": "add", "args": {"a": 1, "b": 2}}, {"name": "multiply", "args": {"a": 3}}
NOT_GIVEN = object()


def piece(index: Any = NOT_GIVEN, call_id: Any = NOT_GIVEN, name: Any = NOT_GIVEN, args: Any = NOT_GIVEN) -> Any:
    """One fragment of a tool call, with only the fields that are given."""
    function = {"name": name, "arguments": args}
    fields = {"index": index, "id": call_id, "type": "function", "function": _given(function)}
    return _given(fields)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not NOT_GIVEN}


# Each: what arrives, fragment by fragment; what was meant.
ODD: dict[str, tuple[list[Any], list[Any]]] = {
    "as documented, later ids empty": (
        [piece(0, "c1", "add", ""), piece(0, "", args='{"a": 1,'), piece(0, "", args=' "b": 2}')],
        [ADD],
    ),
    "no id at all": ([piece(0, name="add", args='{"a": 1, "b": 2}')], [ADD]),
    "only empty ids": ([piece(0, "", "add", '{"a": 1,'), piece(0, "", "", ' "b": 2}')], [ADD]),
    "an id that comes late": ([piece(0, "", "add", '{"a": 1,'), piece(0, "c1", None, ' "b": 2}')], [ADD]),
    "no index": ([piece(call_id="c1", name="add", args='{"a": 1,'), piece(args=' "b": 2}')], [ADD]),
    "no index, two calls": (
        [
            piece(call_id="c1", name="add", args='{"a": 1, "b": 2}'),
            piece(call_id="c2", name="multiply", args='{"a"'),
            piece(call_id="", args=": 3}"),
        ],
        [ADD, MULTIPLY],
    ),
    "null index, two calls without ids": (
        [piece(None, None, "add", '{"a": 1, "b": 2}'), piece(None, None, "multiply", '{"a": 3}')],
        [ADD, MULTIPLY],
    ),
    "an index used again with a new id": (
        [piece(0, "c1", "add", '{"a": 1, "b": 2}'), piece(0, "c2", "multiply", '{"a":'), piece(0, "", args=" 3}")],
        [ADD, MULTIPLY],
    ),
    "an index used again without ids": (
        [piece(0, "", "add", '{"a": 1, "b": 2}'), piece(0, "", "multiply", '{"a": 3}')],
        [ADD, MULTIPLY],
    ),
    "the same tool again under one index": (
        [piece(0, "c1", "add", '{"a": 1, "b": 2}'), piece(0, "", "add", '{"a": 1, "b": 2}')],
        [ADD, ADD],
    ),
    "an index that changes within a call": (
        [piece(0, "c1", "add", ""), piece(1, "", args='{"a": 1,'), piece(1, "", args=' "b": 2}')],
        [ADD],
    ),
    "interleaved calls": (
        [
            piece(0, "c1", "add", '{"a": 1,'),
            piece(1, "c2", "multiply", '{"a":'),
            piece(0, "", args=' "b": 2}'),
            piece(1, "", args=" 3}"),
        ],
        [ADD, MULTIPLY],
    ),
    "interleaved calls told apart by id alone": (
        [
            piece(call_id="c1", name="add", args='{"a": 1,'),
            piece(call_id="c2", name="multiply", args='{"a":'),
            piece(call_id="c1", args=' "b": 2}'),
            piece(call_id="c2", args=" 3}"),
        ],
        [ADD, MULTIPLY],
    ),
    "id and name in every fragment": (
        [piece(0, "c1", "add", '{"a": 1,'), piece(0, "c1", "add", ' "b": 2}')],
        [ADD],
    ),
    "the name repeated without an id": ([piece(0, "", "add", '{"a": 1,'), piece(0, "", "add", ' "b": 2}')], [ADD]),
    "the name after the arguments began": ([piece(0, "c1", args='{"a": 1,'), piece(0, "", "add", ' "b": 2}')], [ADD]),
    "an empty last fragment": (
        [piece(0, "c1", "add", '{"a": 1, "b": 2}'), {"index": 0, "function": {}}, {"index": 1, "function": None}],
        [ADD],
    ),
    "an unclosed object": ([piece(0, "c1", "add", '{"a": 1, "b": 2')], [ADD]),
    "an unclosed string": (
        [piece(0, "c1", "add", '{"word": "a \\"b\\" ['), piece(0, "", args='c", "more": ["d')],
        [{"name": "add", "args": {"word": 'a "b" [c', "more": ["d"]}}],
    ),
    "arguments that are an object": ([piece(0, "c1", "add", {"a": 1, "b": 2})], [ADD]),
    "no arguments": ([piece(0, "c1", "add", ""), piece(0, "", args="")], [{"name": "add", "args": {}}]),
}


def _answering(fragments: list[Any], monkeypatch: pytest.MonkeyPatch, reason: str = "tool_calls") -> None:
    """Let the next stream consist of these fragments."""
    deltas: list[Any] = [{"role": "assistant", "content": ""}, *({"tool_calls": [each]} for each in fragments)]
    choices: list[Any] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    stream = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices) + "data: [DONE]\n\n"
    real = ChunkReader.feed

    def feed(self: ChunkReader, data: bytes) -> Iterator[dict[str, Any]]:
        return real(self, stream.encode())

    monkeypatch.setattr(ChunkReader, "feed", feed)


def _said(message: Any) -> list[dict[str, Any]]:
    return [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("odd", ODD)
def test_odd_fragments_become_the_calls_that_were_meant(ask: Way, odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is whole, has its name once and an id of its own, whatever the pieces looked like."""
    fragments, meant = ODD[odd]
    _answering(fragments, monkeypatch)
    message = ask(ChatQwenPortal(), "Hi")
    assert _said(message) == meant
    assert not message.invalid_tool_calls
    ids = [call["id"] for call in message.tool_calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {each["id"] for each in fragments if each.get("id")}


@pytest.mark.parametrize("ask", STREAMED)
def test_a_broken_stream_has_the_mended_calls(ask: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls under one index are two in the error as well, the second as far as it came."""
    _answering(ODD["an index used again with a new id"][0][:2], monkeypatch, reason="error_finish")
    with pytest.raises(QwenStreamError) as caught:
        ask(ChatQwenPortal(), "Hi")
    assert [(call["id"], call["function"]) for call in caught.value.partial_tool_calls] == [
        ("c1", {"name": "add", "arguments": '{"a": 1, "b": 2}'}),
        ("c2", {"name": "multiply", "arguments": '{"a":'}),
    ]


@pytest.mark.parametrize("output_version", ["v0", "v1"])
def test_mended_calls_are_content_blocks(output_version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a streamed message say the same as its tool calls, in both formats."""
    _answering(ODD["no index, two calls"][0], monkeypatch)
    chunks = list(ChatQwenPortal(output_version=output_version).stream("Hi"))
    full = chunks[0]
    for chunk in chunks[1:]:
        full += chunk
    blocks: list[Any] = [block for block in full.content_blocks if block["type"] == "tool_call"]
    assert [(block["name"], block["args"]) for block in blocks] == [
        ("add", ADD["args"]),
        ("multiply", MULTIPLY["args"]),
    ]


@pytest.mark.parametrize(
    "arguments", ['{"a": 1, "b":', '{"a": 1]', "[1, 2]", "add(1, 2)"], ids=["no value", "mismatch", "list", "no JSON"]
)
def test_nothing_is_made_up(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments that no bracket completes stay as they came."""
    _answering([piece(0, "c1", "add", arguments)], monkeypatch)
    chunks = [chunk for chunk in ChatQwenPortal().stream("Hi") if chunk.tool_call_chunks]
    assert "".join(each["args"] or "" for chunk in chunks for each in chunk.tool_call_chunks) == arguments


def test_arguments_that_the_limit_cut_are_not_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    """finish_reason "length" means that more was to come; brackets would hide that."""
    _answering([piece(0, "c1", "add", '{"word": "hal')], monkeypatch, reason="length")
    chunks = [chunk for chunk in ChatQwenPortal().stream("Hi") if chunk.tool_call_chunks]
    assert "".join(each["args"] or "" for chunk in chunks for each in chunk.tool_call_chunks) == '{"word": "hal'


def _whole(calls: list[Any], reason: str = "tool_calls") -> Any:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return ChatQwenPortal()._create_chat_result(whole_answer(json.loads(json.dumps(answer)))).generations[0].message


def test_whole_answers_are_mended_too() -> None:
    """Ids are given, brackets closed, objects written as text, missing arguments taken as none."""
    message = _whole(
        [
            piece(call_id="", name="add", args='{"a": 1, "b": 2'),
            piece(name="multiply", args={"a": 3}),
            piece(call_id="c3", name="now", args=None),
        ]
    )
    assert _said(message) == [ADD, MULTIPLY, {"name": "now", "args": {}}]
    assert [bool(call["id"]) for call in message.tool_calls] == [True, True, True]
    assert not message.invalid_tool_calls


@pytest.mark.parametrize(("arguments", "reason"), [('{"a": 1', "length"), ('{"a":', "tool_calls"), ("a=1", "stop")])
def test_whole_answers_keep_what_is_beyond_mending(arguments: str, reason: str) -> None:
    """Such a call is LangChain's invalid_tool_call, with its text as it came."""
    message = _whole([piece(call_id="c1", name="add", args=arguments)], reason)
    assert not message.tool_calls
    assert [call["args"] for call in message.invalid_tool_calls] == [arguments]


@pytest.mark.parametrize("ask", WHOLE)
def test_an_answer_without_calls_is_left_alone(ask: Way, emulator: Emulator) -> None:
    """Text stays text."""
    message = ask(ChatQwenPortal(), [HumanMessage("What is 2+2?")])
    assert message.text == "2+2 = 4"
    assert not message.tool_calls
