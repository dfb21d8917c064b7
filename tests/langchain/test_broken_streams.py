"""Streams that break off: typed errors of both worlds, with the text and the tool calls that had arrived."""

from typing import Any

import pytest
from langchain_core import exceptions as langchain
from langchain_core.tools import tool

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import errors as qwen
from qwen_portal.emulator import Emulator
from tests.langchain.ways import ALL, STREAMED, Way

# Scenario: our class, LangChain's, whether trying again may help, and where the scenario must be put.
BREAKS: dict[str, tuple[type[qwen.QwenError], type[langchain.ModelError], bool]] = {
    "error-frame": (qwen.QwenServerError, langchain.ModelAPIError, True),
    "cut": (qwen.QwenStreamError, langchain.ModelAPIError, True),
    "reset": (qwen.QwenStreamError, langchain.ModelAPIError, True),
    "silence": (qwen.QwenTimeoutError, langchain.ModelTimeoutError, True),
    "error-finish": (qwen.QwenRateLimitError, langchain.ModelRateLimitError, True),
}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def _failure(ask: Way, *args: Any, **kwargs: Any) -> Any:
    with pytest.raises(qwen.QwenError) as caught:
        ask(*args, **kwargs)
    return caught.value


def _assert_is(error: Any, scenario: str) -> None:
    ours, theirs, retryable = BREAKS[scenario]
    assert isinstance(error, ours)
    assert isinstance(error, theirs)
    assert error.is_retryable is retryable
    assert error.hint
    assert type(error.__cause__).__module__ == "qwen_portal.errors"


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("scenario", BREAKS)
@pytest.mark.usefixtures("over_when_silent")
def test_the_text_so_far_is_in_the_error(ask: Way, scenario: str, signed_in: Emulator) -> None:
    """Whatever ended the stream."""
    signed_in.scenario(scenario)
    error = _failure(ask, ChatQwenPortal(), "Count to 30")
    _assert_is(error, scenario)
    assert error.partial_text.startswith("1")
    assert error.partial_tool_calls == []


@pytest.mark.parametrize("ask", STREAMED)
@pytest.mark.parametrize("scenario", BREAKS)
@pytest.mark.usefixtures("over_when_silent")
def test_the_tool_calls_so_far_are_in_the_error(ask: Way, scenario: str, signed_in: Emulator) -> None:
    """With their names, ids and as much of the arguments as came."""
    signed_in.scenario(scenario)
    error = _failure(ask, ChatQwenPortal().bind_tools([add]), "Use add to compute 17 plus 25.")
    _assert_is(error, scenario)
    (call,) = error.partial_tool_calls
    assert call["function"]["name"] == "add"
    assert call["id"].startswith("call_")
    assert '{"a": 17, "b": 25}'.startswith(call["function"]["arguments"])


@pytest.mark.parametrize("ask", ALL)
def test_a_web_page_instead_of_an_answer_is_a_firewalls(ask: Way, signed_in: Emulator) -> None:
    """HTML with status 200, asked for as a stream or not: typed, with its kind, and no answer made of it."""
    signed_in.scenario("firewall", where="chat")
    error = _failure(ask, ChatQwenPortal(max_retries=0), "Hi")
    assert isinstance(error, qwen.QwenAPIError)
    assert isinstance(error, langchain.ModelError)
    assert error.kind == "firewall"
    assert error.hint
    assert (error.partial_text, error.partial_tool_calls) == ("", [])


@pytest.mark.parametrize("ask", STREAMED)
def test_a_gateways_page_is_a_servers_error(ask: Way, signed_in: Emulator) -> None:
    """502 with HTML."""
    signed_in.scenario("html-502")
    error = _failure(ask, ChatQwenPortal(max_retries=0), "Hi")
    assert isinstance(error, qwen.QwenServerError)
    assert isinstance(error, langchain.ModelAPIError)
    assert "<html" not in str(error)


@pytest.mark.parametrize("ask", STREAMED)
def test_json_instead_of_a_stream_is_typed(ask: Way, signed_in: Emulator) -> None:
    """One whole completion where a stream was asked for."""
    signed_in.scenario("not-sse")
    error = _failure(ask, ChatQwenPortal(max_retries=0), "Hi")
    assert isinstance(error, qwen.QwenAPIError)
    assert isinstance(error, langchain.ModelAPIError)


@pytest.mark.parametrize("ask", STREAMED)
def test_a_break_is_not_repeated_once_content_has_arrived(ask: Way, signed_in: Emulator) -> None:
    """A second try would say the first half twice."""
    signed_in.scenario("cut", times=1)
    _failure(ask, ChatQwenPortal(), "Count to 30")
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize("ask", STREAMED)
def test_a_fallback_takes_over_where_nothing_had_arrived(ask: Way, signed_in: Emulator) -> None:
    """with_fallbacks also works for streams that fail before their first chunk."""
    signed_in.scenario("burst", times=1)
    model = ChatQwenPortal(max_retries=0)
    safe = model.with_fallbacks(
        [ChatQwenPortal(model="vision-model")], exceptions_to_handle=(langchain.ModelRateLimitError,)
    )
    assert ask(safe, "What is 2+2?").text == "2+2 = 4"
    assert [entry.body["model"] for entry in signed_in.chats()] == ["coder-model", "vision-model"]


async def test_events_end_with_the_error(signed_in: Emulator, closing: None) -> None:
    """astream_events raises it too, after the tokens that came."""
    signed_in.scenario("cut")
    events: list[Any] = []

    async def listen() -> None:
        async for event in ChatQwenPortal().astream_events("Count to 30", version="v2"):
            events.append(event)  # noqa: PERF401 - what came before the error is the point

    with pytest.raises(qwen.QwenStreamError) as caught:
        await listen()
    said = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(said) == caught.value.partial_text
