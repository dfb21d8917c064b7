"""Emulated answers in the forms that public reports show: good ones, hard to read, and errors hidden in them."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Json, Person

TEXT = "count to 5"
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
ARGUMENTS = '{"a": 3, "b": 4}'


def _fragments(member: "Person") -> list["Json"]:
    frames = member.frames("add 3 and 4", tools=[ADD])
    deltas = [choice["delta"] or {} for frame in frames for choice in frame["choices"]]
    return [call for delta in deltas for call in delta.get("tool_calls", [])]


def _joined(fragments: list["Json"]) -> str:
    return "".join(fragment["function"].get("arguments", "") for fragment in fragments)


def test_dashscopes_event_names_status_code_and_request(member: "Person") -> None:
    """Four lines, without a blank after the colons, in a 200 stream."""
    member.emulator.scenario("dashscope-event-error")
    answer = member.chat(stream=True)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    name, event, status, data, *rest = answer.text.split("\n")
    assert (name, event, status, rest) == ("id:1", "event:error", ":HTTP_STATUS/429", ["", ""])
    assert json.loads(data.removeprefix("data:")) == {
        "code": "Throttling.AllocationQuota",
        "message": "Allocated quota exceeded, please increase your quota limit.",
        "request_id": answer.headers["x-request-id"],
    }


def test_a_numeric_code_is_a_number(member: "Person") -> None:
    """The one event is an error whose code is an HTTP status, as SGLang's and vLLM's servers have it."""
    member.emulator.scenario("numeric-code")
    answer = member.chat(stream=True)
    assert answer.status_code == 200
    (frame,) = member.frames()
    assert frame["error"]["code"] == 400
    assert "is longer than the model's context length" in frame["error"]["message"]
    assert answer.text.endswith("data: [DONE]\n\n")


def test_a_bare_error_is_no_event(member: "Person") -> None:
    """The JSON stands alone in a body of type text/event-stream, with no end of line."""
    member.emulator.scenario("bare-error")
    answer = member.chat(stream=True)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
    assert answer.json()["error"]["type"] == "exceed_context_size_error"


@pytest.mark.parametrize("stream", [True, False])
def test_a_framed_refusal_is_an_event_with_an_error_status(member: "Person", stream: bool) -> None:
    """The quota's 429, but its body has the form of a stream."""
    member.emulator.scenario("framed-refusal", times=1)
    answer = member.chat(stream=stream)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (429, "text/event-stream")
    assert json.loads(answer.text.removeprefix("data: "))["error"]["code"] == "insufficient_quota"
    assert member.chat(stream=stream).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
def test_a_plan_for_coding_agents_says_so_in_one_sentence(member: "Person", stream: bool) -> None:
    """405, and the error is text instead of an object."""
    member.emulator.scenario("coding-agents-only")
    answer = member.chat(stream=stream)
    assert answer.status_code == 405
    assert answer.json() == {"error": "Coding Plan is currently only available for Coding Agents"}


@pytest.mark.parametrize("scenario", ["dashscope-event-error", "numeric-code", "bare-error"])
def test_an_error_that_is_a_stream_needs_one(member: "Person", scenario: str) -> None:
    """A request for a whole answer gets it, and the scenario waits for a stream."""
    member.emulator.scenario(scenario, times=1)
    assert member.chat().status_code == 200
    assert "error" in member.chat(stream=True).text
    assert "error" not in member.chat(stream=True).text


def test_a_whole_answer_with_holes(member: "Person") -> None:
    """What OpenAI's SDK fills in is not there: role, index, type, object, id, model."""
    member.emulator.scenario("holes")
    answer = member.chat("add 3 and 4", tools=[ADD]).json()
    assert set(answer) == {"choices", "usage"}
    (choice,) = answer["choices"]
    assert set(choice) == {"message", "finish_reason"}
    assert set(choice["message"]) == {"content", "tool_calls"}
    (call,) = choice["message"]["tool_calls"]
    assert set(call) == {"id", "function"}
    assert call["function"] == {"name": "add", "arguments": ARGUMENTS}


def test_a_stream_with_holes(member: "Person") -> None:
    """No role, no index, no type; the frame with the finish_reason has a null for its delta."""
    member.emulator.scenario("holes")
    frames = member.frames(TEXT)
    assert all(set(frame) == {"choices"} for frame in frames)
    assert "".join(frame["choices"][0]["delta"]["content"] for frame in frames[:-1]) == "1 2 3 4 5"
    *_, called = member.frames("add 3 and 4", tools=[ADD])
    assert called["choices"] == [{"finish_reason": "tool_calls", "delta": None}]
    first, *more = _fragments(member)
    assert set(first) == {"id", "function"}
    assert all(set(fragment) == {"function"} for fragment in more)
    assert _joined([first, *more]) == ARGUMENTS
    usage = member.frames(TEXT, stream_options={"include_usage": True})[-1]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] > 0


def test_a_byte_order_mark_comes_first(member: "Person") -> None:
    """Three bytes before the first event; the rest is as ever."""
    member.emulator.scenario("bom")
    raw = member.chat(TEXT, stream=True).content
    assert raw.startswith(b"\xef\xbb\xbfdata: {")
    assert raw.count(b"\xef\xbb\xbf") == 1


def test_lines_that_end_with_cr_alone(member: "Person") -> None:
    """There is no LF, and a blank stands behind the end mark."""
    member.emulator.scenario("cr-lines")
    raw = member.chat(TEXT, stream=True).content
    assert b"\n" not in raw
    assert raw.endswith(b"}\r\rdata: [DONE] \r\r")


def test_a_name_in_pieces(member: "Person") -> None:
    """Two fragments with one index and one id have half of the name each."""
    member.emulator.scenario("name-in-pieces")
    first, second, *more = _fragments(member)
    assert (first["function"]["name"], second["function"]["name"]) == ("a", "dd")
    assert (first["id"], first["index"]) == (second["id"], second["index"])
    assert all("name" not in fragment["function"] for fragment in more)
    assert _joined([first, second, *more]) == ARGUMENTS


def test_an_id_for_every_fragment(member: "Person") -> None:
    """One call, one index, a new id in each fragment, and a name in the first alone."""
    member.emulator.scenario("ids-everywhere")
    fragments = _fragments(member)
    assert len({fragment["id"] for fragment in fragments}) == len(fragments) > 2
    assert {fragment["index"] for fragment in fragments} == {0}
    assert [fragment["function"].get("name") for fragment in fragments] == ["add"] + [None] * (len(fragments) - 1)
    assert _joined(fragments) == ARGUMENTS


def test_a_name_for_every_fragment(member: "Person") -> None:
    """One call, one index, one id, and the whole name in each fragment."""
    member.emulator.scenario("names-everywhere")
    fragments = _fragments(member)
    assert len(fragments) > 2
    assert len({(fragment["id"], fragment["index"], fragment["function"]["name"]) for fragment in fragments}) == 1
    assert _joined(fragments) == ARGUMENTS


def test_a_finish_reason_that_comes_twice(member: "Person") -> None:
    """Two frames end the one choice."""
    member.emulator.scenario("finish-twice")
    frames = member.frames(TEXT)
    assert [frame["choices"][0]["finish_reason"] for frame in frames[-3:]] == [None, "stop", "stop"]
    assert frames[-1]["choices"][0]["delta"] == {}


def test_a_usage_that_comes_twice(member: "Person") -> None:
    """With the finish frame and in a frame of its own, the same numbers."""
    member.emulator.scenario("usage-twice")
    *_, finish, last = member.frames(TEXT, stream_options={"include_usage": True})
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert last["choices"] == []
    assert finish["usage"] == last["usage"] is not None


def test_half_a_character_in_each_of_two_frames(member: "Person") -> None:
    """The halves are JSON's escapes, which no frame's text alone can be."""
    member.emulator.scenario("half-character")
    raw = member.chat(TEXT, stream=True).text
    assert r'"content":"\ud83d"' in raw
    assert r'"content":"\ude00"' in raw
    text = "".join(frame["choices"][0]["delta"].get("content") or "" for frame in member.frames(TEXT))
    assert text.encode("utf-16", "surrogatepass").decode("utf-16") == "\N{GRINNING FACE}1 2 3 4 5"


def test_arguments_encoded_twice(member: "Person") -> None:
    """Decoded once, the arguments of a call are JSON text; streamed and whole."""
    member.emulator.scenario("double-encoded")
    (call,) = member.message("add 3 and 4", tools=[ADD])["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS
    assert json.loads(_joined(_fragments(member))) == ARGUMENTS


@pytest.mark.parametrize(
    "scenario", ["holes", "double-encoded", "finish-twice", "usage-twice", "bom", "half-character"]
)
def test_an_odd_answer_without_calls_is_still_an_answer(member: "Person", scenario: str) -> None:
    """A scenario that has nothing to bend leaves the answer as it is."""
    member.emulator.scenario(scenario)
    assert member.message(TEXT)["content"] == "1 2 3 4 5"
