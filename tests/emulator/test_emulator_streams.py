"""The emulated streams: their odd shapes, and every way in which they go wrong."""

import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from qwen_portal.emulator import Emulator

if TYPE_CHECKING:
    from .conftest import Json, Person

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


def _delta(frame: "Json") -> "Json":
    delta: Json = frame["choices"][0]["delta"]
    return delta


def _finish(frame: "Json") -> str | None:
    reason: str | None = frame["choices"][0]["finish_reason"]
    return reason


def test_a_stream_has_the_frames_of_the_wire_in_order(member: "Person") -> None:
    """Role, text, finish, usage, [DONE]; each frame with the recorded field order."""
    answer = member.chat("count to 5", stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")
    frames = [line for line in answer.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in frames)
    parsed = member.frames("count to 5", stream_options={"include_usage": True})
    order = ["choices", "object", "usage", "created", "system_fingerprint", "model", "id"]
    assert all(list(frame) == order for frame in parsed)
    assert _delta(parsed[0]) == {"content": "", "role": "assistant"}
    assert "".join(_delta(frame)["content"] for frame in parsed[:-1]) == "1 2 3 4 5"
    assert [_finish(frame) for frame in parsed[:-1]] == [None] * (len(parsed) - 2) + ["stop"]
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"]["total_tokens"] > 0
    assert all(frame["usage"] is None for frame in parsed[:-1])


def test_the_ids_of_all_frames_are_the_request_id(member: "Person") -> None:
    """One stream has one id, that of the header."""
    answer = member.chat(stream=True)
    assert f'"id":"chatcmpl-{answer.headers["x-request-id"]}"' in answer.text
    assert len({frame["id"] for frame in member.frames()}) == 1


def test_without_include_usage_there_is_no_usage_frame(member: "Person") -> None:
    """The last frame is the finish frame unless usage was asked for."""
    frames = member.frames()
    assert _finish(frames[-1]) == "stop"
    assert all(frame["usage"] is None for frame in frames)


def test_tool_fragments_after_the_first_have_an_empty_id_and_no_name(member: "Person") -> None:
    """The first fragment has id and name, the others an empty id; joined they are the arguments."""
    frames = member.frames("add 3 and 4", tools=[ADD])
    calls = [_delta(frame)["tool_calls"][0] for frame in frames if "tool_calls" in _delta(frame)]
    assert calls[0]["id"].startswith("call_")
    assert calls[0]["function"] == {"name": "add", "arguments": ""}
    assert len(calls) > 2
    assert all(call["id"] == "" and "name" not in call["function"] for call in calls[1:])
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a": 3, "b": 4}'
    assert (_finish(frames[-1]), _delta(frames[-1])) == ("tool_calls", {})


def test_letters_of_every_script_are_sent_as_they_are(member: "Person") -> None:
    """No letter is escaped on the wire."""
    assert "你" in member.chat("你好", stream=True).text


@pytest.mark.parametrize("asked", [{"enable_thinking": True}, {"reasoning_effort": "high"}])
def test_reasoning_comes_before_the_text(member: "Person", asked: "Json") -> None:
    """Thinking frames have null content, text frames null reasoning, and usage counts both."""
    frames = member.frames("Hello", stream_options={"include_usage": True}, **asked)
    assert _delta(frames[0]) == {"content": "", "reasoning_content": "", "role": "assistant"}
    deltas = [_delta(frame) for frame in frames[1:-2]]
    thinking = [delta for delta in deltas if delta["content"] is None]
    assert deltas[: len(thinking)] == thinking
    assert all(delta["reasoning_content"] is None for delta in deltas[len(thinking) :])
    usage = frames[-1]["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == len(thinking)


def test_the_reasoning_scenario_needs_no_request(member: "Person") -> None:
    """Some models think without being asked."""
    assert "reasoning_content" not in member.message()
    member.emulator.scenario("reasoning")
    assert member.message()["reasoning_content"]


def test_usage_can_ride_on_the_finish_frame(member: "Person") -> None:
    """Some gateways send both at once."""
    member.emulator.scenario("usage-together")
    frames = member.frames(stream_options={"include_usage": True})
    assert _finish(frames[-1]) == "stop"
    assert frames[-1]["usage"]["total_tokens"] > 0


def test_several_choices_stream_side_by_side(member: "Person") -> None:
    """Each choice has its index and its own finish frame."""
    frames = member.frames(n=2)
    assert {frame["choices"][0]["index"] for frame in frames} == {0, 1}
    assert [_finish(frame) for frame in frames[-2:]] == ["stop", "stop"]


def test_error_finish_puts_the_error_into_the_text(member: "Person") -> None:
    """The finish reason is error_finish and the message stands in the delta."""
    member.emulator.scenario("error-finish")
    frames = member.frames("count to 50")
    assert _finish(frames[-1]) == "error_finish"
    assert "rate limit" in _delta(frames[-1])["content"]
    assert _delta(frames[1])["content"] == "1"


def test_an_error_frame_ends_the_stream(member: "Person") -> None:
    """After some text a frame carries the error envelope, and nothing follows."""
    member.emulator.scenario("error-frame")
    text = member.chat("count to 50", stream=True).text
    assert '"error":{"message":"Internal server error in the middle."' in text.split("\n\n")[-2]
    assert "[DONE]" not in text


def test_a_cut_stream_ends_without_a_finish_reason(member: "Person") -> None:
    """The body ends cleanly in the middle of the answer."""
    member.emulator.scenario("cut")
    answer = member.chat("count to 50", stream=True)
    assert "[DONE]" not in answer.text
    assert '"finish_reason":"' not in answer.text
    assert "1" in answer.text


def test_not_sse_is_one_json_completion(member: "Person") -> None:
    """A stream was asked for, and one JSON body comes."""
    member.emulator.scenario("not-sse")
    answer = member.chat(stream=True)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["object"] == "chat.completion"


def test_a_reset_breaks_the_connection_in_the_middle(member: "Person", caplog: pytest.LogCaptureFixture) -> None:
    """Some frames arrive, then the connection is gone."""
    member.emulator.scenario("reset")
    received: list[bytes] = []

    def read() -> None:
        with member.open_stream("count to 50") as answer:
            received.extend(answer.iter_bytes())

    with pytest.raises(httpx.RemoteProtocolError):
        read()
    assert received
    assert member.emulator.chats()[-1].finished is False
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


@pytest.mark.parametrize("stream", [True, False])
def test_a_dropped_connection_sends_no_byte(
    member: "Person",
    caplog: pytest.LogCaptureFixture,
    stream: bool,
) -> None:
    """A kept-alive connection dies under the request; the next request gets a new one and an answer."""
    assert member.chat().status_code == 200
    member.emulator.scenario("drop", times=1)
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending"):
        member.chat(stream=stream)
    assert member.emulator.chats()[-1].status is None
    assert member.chat().status_code == 200
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


@pytest.mark.parametrize("stream", [True, False])
def test_silence_lasts_until_the_client_gives_up(member: "Person", stream: bool, over_when_silent: list[float]) -> None:
    """Only the client's own limit ends it, and the emulator goes on serving."""
    member.emulator.scenario("silence", times=1)
    member.http.timeout = httpx.Timeout(60)
    with pytest.raises(httpx.ReadTimeout):
        member.chat(stream=stream)
    assert over_when_silent == [60]
    assert member.chat().status_code == 200


def test_a_silent_stream_ends_when_the_emulator_stops() -> None:
    """Stopping neither waits for silent clients nor leaves the thread behind."""
    first_frame, ended = threading.Event(), threading.Event()

    def listen(url: str) -> None:
        body = {"model": "coder-model", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        try:
            with httpx.stream("POST", url, json=body, headers={"authorization": "Bearer sk-x"}, timeout=60) as answer:
                for _ in answer.iter_bytes():
                    first_frame.set()
        except httpx.HTTPError:
            ended.set()

    with Emulator(["silence"]) as emulator:
        listener = threading.Thread(target=listen, args=(f"{emulator.base_url}/chat/completions",))
        listener.start()
        assert first_frame.wait(30)
    assert ended.wait(30)
    listener.join()
    assert "qwen-portal-emulator" not in {thread.name for thread in threading.enumerate()}


def test_a_stream_that_the_client_leaves_is_noted(member: "Person") -> None:
    """The log tells a stream read to the end from one that was left."""
    assert member.chat(stream=True).status_code == 200
    assert member.emulator.chats()[-1].finished is True
    member.emulator.scenario("silence")
    with member.open_stream() as answer:
        next(answer.iter_bytes())
    assert member.emulator.chats()[-1].finished is False
