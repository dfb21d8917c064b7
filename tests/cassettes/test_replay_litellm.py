"""The LiteLLM provider on recorded answers, with sockets off."""

import json

import litellm
import pytest
from litellm.exceptions import APIConnectionError

import litellm_qwen_portal  # noqa: F401 - importing registers the provider
from tests.cassettes.conftest import Replay
from tests.cassettes.stories import QUESTION
from tests.cassettes.tape import CASSETTES, replaying

pytestmark = [pytest.mark.disable_socket, pytest.mark.usefixtures("account")]


@pytest.mark.parametrize("name", ["litellm/completion", "litellm/acompletion"])
def test_completion(replay: Replay, name: str) -> None:
    """A whole answer has its text, its finish reason and its usage."""
    answer = replay(name)
    assert "42" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0


@pytest.mark.parametrize("name", ["litellm/stream", "litellm/astream"])
def test_stream(replay: Replay, name: str) -> None:
    """A streamed answer comes in pieces that make the whole."""
    texts = [chunk.choices[0].delta.content or "" for chunk in replay(name) if chunk.choices]
    assert len([text for text in texts if text]) > 1
    assert "42" in "".join(texts)


def test_tools(replay: Replay) -> None:
    """The model calls the tool it was given, and answers from its result."""
    called, answer = replay("litellm/tools")
    (call,) = called.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Paris"})
    assert "18" in answer.content


@pytest.mark.parametrize("stream", [False, True])
def test_request_that_is_not_on_the_cassette_is_refused(*, stream: bool) -> None:
    """A changed body gets no answer, so a replay proves what was sent."""
    name = "stream" if stream else "completion"
    with (
        replaying(CASSETTES / f"litellm/{name}.yaml"),
        pytest.raises(APIConnectionError, match="No match for the request"),
    ):
        litellm.completion(
            "qwen-portal/coder-model", [{"role": "user", "content": QUESTION + "?"}], stream=stream, num_retries=0
        )
