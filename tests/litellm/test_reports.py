"""What LiteLLM's records, its bridges and its clients were reported to miss with providers of their own kind."""

import logging
from typing import Any

import httpx
import litellm
import openai
import pytest
from litellm import anthropic_interface as anthropic
from litellm import exceptions
from litellm.integrations.custom_logger import CustomLogger

from litellm_qwen_portal import unoffered
from qwen_portal.emulator import Emulator
from tests.litellm.conftest import finish_logging
from tests.litellm.ways import CALLS, MODEL, WAYS, acall, achunks, call, chunks, run
from tests.scripted import answering

pytestmark = pytest.mark.usefixtures("signed_in")

WEATHER = "What is the weather in Paris?"
FUNCTION: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CHAT_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": FUNCTION["parameters"]},
}


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    """Forget what other tests were told once."""
    unoffered._tell_search.cache_clear()


def _responses(*tools: dict[str, Any]) -> None:
    litellm.responses(model=MODEL, input=WEATHER, tools=[*tools, FUNCTION])


def _aresponses(*tools: dict[str, Any]) -> None:
    run(lambda: litellm.aresponses(model=MODEL, input=WEATHER, tools=[*tools, FUNCTION]))


def _responses_stream(*tools: dict[str, Any]) -> None:
    stream: Any = litellm.responses(model=MODEL, input=WEATHER, tools=[*tools, FUNCTION], stream=True)
    assert list(stream)


def _anthropic(*tools: dict[str, Any]) -> None:
    run(lambda: _ask_anthropic(tools, stream=False))


def _anthropic_stream(*tools: dict[str, Any]) -> None:
    async def read() -> None:
        async for _ in await _ask_anthropic(tools, stream=True):
            pass

    run(read)


async def _ask_anthropic(tools: Any, *, stream: bool) -> Any:
    messages = [{"role": "user", "content": WEATHER}]
    function = {"name": "get_weather", "input_schema": FUNCTION["parameters"]}
    return await anthropic.messages.acreate(
        model=MODEL, max_tokens=100, messages=messages, tools=[*tools, function], stream=stream
    )


def _completion(*tools: dict[str, Any]) -> None:
    call([{"role": "user", "content": WEATHER}], tools=[*tools, CHAT_TOOL])


OPENAI_SEARCHES = [
    {"type": "web_search"},
    {"type": "web_search", "external_web_access": False},
    {"type": "web_search_preview", "search_context_size": "low"},
]
ANTHROPIC_SEARCHES = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]
OFFERS = [
    *[(ask, tool) for ask in (_responses, _aresponses, _responses_stream, _completion) for tool in OPENAI_SEARCHES],
    *[(ask, tool) for ask in (_anthropic, _anthropic_stream) for tool in ANTHROPIC_SEARCHES],
]


@pytest.mark.reported("openai/codex#10257")
@pytest.mark.parametrize(("ask", "search"), OFFERS)
def test_a_search_that_is_merely_offered_is_left_out(ask: Any, search: dict[str, Any], emulator: Emulator) -> None:
    """openai/codex#10257: Codex offers one by default, Claude Code too; every request was a 400."""
    for _ in range(2):
        ask(search)
    for chat in emulator.chats():
        assert chat.status == 200
        assert [tool["function"]["name"] for tool in chat.body["tools"]] == ["get_weather"]
        assert not {"web_search_options", "enable_search"} & chat.body.keys()


@pytest.mark.reported("openai/codex#10257")
def test_an_offered_search_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """openai/codex#10257: a client offers it with every request."""
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        for _ in range(2):
            _anthropic(*ANTHROPIC_SEARCHES)
    assert [record.message.split(",")[0] for record in caplog.records] == ["a client offers a web search"]


UNOFFERED: list[dict[str, Any]] = [
    {"web_search_options": {}},
    {"web_search_options": {"search_context_size": "low"}},
    {"audio": {"voice": "alloy", "format": "wav"}},
    {"modalities": ["text", "audio"]},
]


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("given", UNOFFERED, ids=str)
def test_what_is_not_offered_is_dropped_when_litellm_is_to_drop(
    way: str, given: dict[str, Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the call or by LiteLLM's setting; without either it is LiteLLM's error for it, and nothing is sent."""
    with pytest.raises(exceptions.UnsupportedParamsError):
        CALLS[way](**given)
    assert not emulator.chats()
    CALLS[way](**given, drop_params=True)
    monkeypatch.setattr(litellm, "drop_params", True)
    CALLS[way](**given)
    assert [chat.status for chat in emulator.chats()] == [200, 200]
    assert not any(chat.body.keys() & given.keys() for chat in emulator.chats())


def test_what_is_not_offered_is_not_listed() -> None:
    """A program that looks first is told the truth; other providers' lists stay."""
    for given in ({"model": MODEL}, {"model": "coder-model", "custom_llm_provider": "qwen-portal"}):
        assert not set(unoffered.PARAMETERS) & set(litellm.get_supported_openai_params(**given) or ())
    assert "audio" in (litellm.get_supported_openai_params("gpt-4o", "openai") or [])


HEADERS = {"x-request-id": "req-1", "x-ratelimit-remaining-requests": "59", "x-dashscope-call-gateway": "true"}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "qwen3.6-plus",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
}


@pytest.mark.parametrize("ask", [call, acall])
def test_a_whole_answers_headers_are_kept(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were there for streams alone: the remaining rate, and the id that the vendor's support asks for."""
    with answering(lambda request: httpx.Response(200, json=ANSWER, headers=HEADERS), monkeypatch):
        found = ask()._hidden_params["additional_headers"]
    assert found["llm_provider-x-request-id"] == "req-1"
    assert found["x-ratelimit-remaining-requests"] == "59"
    assert not any("authorization" in name.lower() for name in found)


@pytest.mark.reported("BerriAI/litellm#19020")
@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_an_errors_request_id_is_kept(way: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """BerriAI/litellm#19020: in the text, in the response, and where LiteLLM looks for the headers."""
    body = {"error": {"message": "no", "code": "some_code"}}
    with (
        answering(lambda request: httpx.Response(status, json=body, headers=HEADERS), monkeypatch),
        pytest.raises(openai.OpenAIError) as caught,
    ):
        CALLS[way](max_retries=0, api_key="sk-x", api_base="http://127.0.0.1:9/v1")
    error: Any = caught.value
    assert "req-1" in str(error)
    assert error.response.headers["x-request-id"] == "req-1"
    assert error.litellm_response_headers["x-request-id"] == "req-1"
    assert error.litellm_response_headers["x-ratelimit-remaining-requests"] == "59"


@pytest.mark.reported("BerriAI/litellm#19020")
@pytest.mark.parametrize("ask", [chunks, achunks])
def test_the_request_id_of_an_error_in_a_stream_is_kept(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """BerriAI/litellm#19020, where the status was 200 and the refusal came in the stream."""
    text = 'data: {"error":{"message":"Requests rate limit exceeded","code":"limit_requests"}}\n\n'
    headers = {**HEADERS, "content-type": "text/event-stream"}
    with (
        answering(lambda request: httpx.Response(200, text=text, headers=headers), monkeypatch),
        pytest.raises(openai.OpenAIError, match="req-1") as caught,
    ):
        ask(max_retries=0)
    error: Any = caught.value
    assert error.litellm_response_headers["x-request-id"] == "req-1"


class _Recorder(CustomLogger):
    """Keeps the payloads that LiteLLM writes for spend and observability."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: list[Any] = []

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.payloads.append(kwargs["standard_logging_object"])

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.payloads.append(kwargs["standard_logging_object"])

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.payloads.append(kwargs["standard_logging_object"])

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self.payloads.append(kwargs["standard_logging_object"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fails", [False, True])
def test_the_record_says_where_it_was_asked(
    way: str, fails: bool, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host and the path, as for the providers built into LiteLLM; the record's field was empty."""
    recorder = _Recorder()
    monkeypatch.setattr(litellm, "callbacks", [recorder])
    if fails:
        emulator.scenario("input-range")
        with pytest.raises(exceptions.ContextWindowExceededError):
            WAYS[way]()
    else:
        WAYS[way]()
    finish_logging()
    assert {payload["api_base"] for payload in recorder.payloads} == {f"{emulator.base_url}/chat/completions"}
