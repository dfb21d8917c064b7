"""ChatQwenPortal on recorded answers, with sockets off."""

from typing import Any

import pytest
from vcr.errors import CannotOverwriteExistingCassetteException  # type: ignore[import-untyped]

from langchain_qwen_portal import ChatQwenPortal
from tests.cassettes.conftest import Replay
from tests.cassettes.stories import QUESTION
from tests.cassettes.tape import CASSETTES, replaying

pytestmark = [pytest.mark.disable_socket, pytest.mark.usefixtures("account")]


def test_invoke(replay: Replay) -> None:
    """A whole answer has its text, its finish reason and its usage."""
    answer = replay("langchain/invoke")
    assert "42" in answer.text
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("name", ["langchain/stream", "langchain/astream"])
def test_stream(replay: Replay, name: str) -> None:
    """A streamed answer comes in pieces and ends with its usage."""
    chunks = replay(name)
    whole = sum(chunks[1:], chunks[0])
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    assert "42" in whole.text
    assert whole.usage_metadata["output_tokens"] > 0


def test_tools(replay: Replay) -> None:
    """The model calls the tool it was given, and answers from its result."""
    _, called, result, answer = replay("langchain/tools")
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert result.tool_call_id == call["id"]
    assert "18" in answer.text


def test_structured_output(replay: Replay) -> None:
    """The answer is an object of the class that was asked for."""
    person = replay("langchain/structured_output")
    assert (person.name, person.age) == ("Anna", 31)


def test_image(replay: Replay) -> None:
    """The picture travels in the request, or the cassette would not answer."""
    assert replay("langchain/image").text


def test_an_agent_works_in_ten_steps(replay: Replay) -> None:
    """Ten calls of two tools, each with what the one before gave, and the last answer from all of them."""
    messages = replay("langchain/agent")
    assert [message.type for message in messages] == ["human", *["ai", "tool"] * 10, "ai"]
    called = [call["name"] for message in messages for call in getattr(message, "tool_calls", ())]
    assert called == ["add", "multiply"] * 5
    assert messages[-2].text in messages[-1].text


def test_a_deep_agent_writes_a_file_and_reads_it(replay: Replay) -> None:
    """The tools that deepagents brings are called like any other."""
    messages = replay("langchain/deep_agent")
    called = [call["name"] for message in messages for call in getattr(message, "tool_calls", ())]
    assert called == ["add", "write_file", "read_file"]
    assert "The sum is 42" in messages[-1].text


@pytest.mark.parametrize(
    ("options", "question"),
    [
        pytest.param({}, "What is 17 + 26?", id="another question"),
        pytest.param({"temperature": 0.5}, QUESTION, id="another parameter"),
        pytest.param({"model": "qwen3-coder-plus"}, QUESTION, id="another model"),
        pytest.param({"base_url": "https://portal.qwen.ai/v2"}, QUESTION, id="another path"),
        pytest.param({"base_url": "https://elsewhere.qwen.ai/v1"}, QUESTION, id="another host"),
    ],
)
def test_request_that_is_not_on_the_cassette_is_refused(options: dict[str, Any], question: str) -> None:
    """A changed body, path or host gets no answer, so a replay proves what was sent."""
    with (
        replaying(CASSETTES / "langchain/invoke.yaml"),
        pytest.raises(CannotOverwriteExistingCassetteException, match="No match for the request"),
    ):
        ChatQwenPortal(**options).invoke(question)


def test_recorded_answer_is_given_once() -> None:
    """A request that is repeated behind the test's back is refused."""
    with replaying(CASSETTES / "langchain/invoke.yaml"):
        ChatQwenPortal().invoke(QUESTION)
        with pytest.raises(CannotOverwriteExistingCassetteException, match="already been consumed"):
            ChatQwenPortal().invoke(QUESTION)
