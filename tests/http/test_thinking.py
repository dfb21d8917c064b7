"""Thinking, where a model refuses it beside what else is asked for."""

import logging
from typing import Any

import httpx
import pytest

from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenBadRequestError
from qwen_portal.requests.chat_request import RequestBuilder
from qwen_portal.secrets import Secret
from qwen_portal.service.models import family
from qwen_portal.settings import load_settings
from qwen_portal.storage.credential import Credential
from tests.scripted import answering
from tests.ways import ALL, HELLO, WHOLE, Way

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
FORCED: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required"}
NAMED: dict[str, Any] = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}
JSON: dict[str, Any] = {"response_format": {"type": "json_object"}}
FIELDS = ("enable_thinking", "thinking_budget", "reasoning_effort", "tool_choice", "response_format")


def sent(model: str, plan: str = "studio", **params: Any) -> dict[str, Any]:
    """Shape a request, and return what of it is about thinking and force."""
    credential = Credential(kind="key", plan=plan, access_token=Secret("x"))
    builder = RequestBuilder(load_settings())
    body = builder.chat(credential, HELLO, model=model, stream=False, params=params).body
    return {name: body[name] for name in FIELDS if name in body}


OFF = {"enable_thinking": False}


@pytest.mark.reported("cloudwego/eino#994")
@pytest.mark.reported("agentscope-ai/agentscope#1608")
@pytest.mark.parametrize("forced", [FORCED, NAMED])
@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("qwen3.7-max", OFF),
        ("qwen3.5-plus-2026-02-15", OFF),
        ("Qwen3.6-Flash", OFF),
        ("qwen3.8-max", OFF),
        ("qwen3.8-flash", {"reasoning_effort": "none"}),
        ("qwen3-32b", OFF),
        ("qwen3-max", {}),
        ("qwen-plus-latest", {}),
        ("qwen3-coder-plus", {}),
        ("qwen3-30b-a3b-instruct-2507", {}),
        ("something-else", {}),
    ],
)
def test_a_forced_tool_call_goes_before_thinking(model: str, thinking: dict[str, Any], forced: dict[str, Any]) -> None:
    """cloudwego/eino#994, agentscope-ai/agentscope#1608: the two together are a 400, whatever the model is called."""
    assert sent(model, **forced) == {"tool_choice": forced["tool_choice"]} | thinking


NO_EFFORT = {"reasoning_effort": "none"}


@pytest.mark.parametrize(
    ("model", "asked", "thinking"),
    [
        ("qwen3.8-flash", OFF, NO_EFFORT),
        ("qwen4-max", OFF, NO_EFFORT),
        ("qwen3.8-max", OFF, OFF),
        ("qwen3.7-plus", OFF, OFF),
        ("qwen3.8-flash", NO_EFFORT, NO_EFFORT),
        ("qwen3.8-max", NO_EFFORT, OFF),
        ("qwen3.7-plus", NO_EFFORT, OFF),
        ("qwen3-max", {"reasoning_effort": "disable"}, OFF),
        # the two think unless told not to, and have no such switch
        ("qwen3.8-flash", {"enable_thinking": True}, {}),
        ("qwen3.8-max", {"enable_thinking": True}, {"enable_thinking": True}),
        ("qwen3.8-flash", {"extra_body": OFF}, NO_EFFORT),
        # the effort and the two others exclude each other; what says it in Qwen's words wins
        ("qwen3.8-max", {"enable_thinking": True, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ("qwen3.8-max", {"enable_thinking": True, **NO_EFFORT}, {"enable_thinking": True}),
        ("qwen3.8-flash", {"thinking_budget": 9, "reasoning_effort": "low"}, {"thinking_budget": 9}),
        ("qwen3.8-flash", {"thinking_budget": 9, **OFF}, NO_EFFORT),
        ("qwen3.8-flash", {"reasoning_effort": "low", **OFF}, NO_EFFORT),
        (
            "qwen3.7-plus",
            {"reasoning_effort": "low", "thinking_budget": 9},
            {"enable_thinking": True, "thinking_budget": 9},
        ),
        ("qwen3.7-plus", {"reasoning_effort": "high"}, {"enable_thinking": True, "thinking_budget": 4_096}),
        ("qwen3.7-plus", {"reasoning_effort": "max"}, {"enable_thinking": True}),
        ("qwen3.8-flash", {"reasoning_effort": "default"}, {}),
        ("qwen3.7-plus", {"reasoning_effort": "default"}, {}),
        # who knows better
        ("qwen3.8-flash", {"extra_body": {"reasoning_effort": "ultra"}}, {"reasoning_effort": "ultra"}),
        ("qwen3.7-plus", {"extra_body": {"reasoning_effort": "low"}}, {"reasoning_effort": "low"}),
    ],
)
def test_thinking_is_asked_for_in_the_models_own_words(
    model: str, asked: dict[str, Any], thinking: dict[str, Any]
) -> None:
    """Whichever way its user says it: a switch, a budget or an effort."""
    assert sent(model, **asked) == thinking


@pytest.mark.reported("VicBilibily/GCMP#384")
@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("qwen3.8-flash", ["low", "low", "medium", "xhigh", "xhigh", "xhigh"]),
        ("qwen3.8-max-preview", ["low", "low", "medium", "xhigh", "xhigh", "xhigh"]),
        ("qwen4-max", ["minimal", "low", "medium", "high", "xhigh", "max"]),
    ],
)
def test_an_effort_that_the_model_lacks_is_the_next_stronger(model: str, efforts: list[str]) -> None:
    """VicBilibily/GCMP#384: else a 400; the vendor's own table reads high and max as xhigh, minimal as low."""
    asked = ["minimal", "low", "medium", "high", "xhigh", "max"]
    assert [sent(model, reasoning_effort=effort) for effort in asked] == [
        {"reasoning_effort": effort} for effort in efforts
    ]


@pytest.mark.parametrize("effort", ["ultra", "", 3, {"effort": "low"}])
def test_what_is_no_effort_is_refused_with_the_words_that_are(effort: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(QwenBadRequestError, match="reasoning_effort is") as caught:
        sent("qwen3.8-flash", reasoning_effort=effort)
    assert "minimal, low, medium, high, xhigh, max" in caught.value.hint


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("model", ["qwen3.8-flash", "qwen3.8-max", "qwen4-max", "qwen3.7-plus"])
def test_the_emulated_service_takes_each_wish_of_thinking(ask: Way, model: str, signed_in: Emulator) -> None:
    """It refuses another model's words."""
    client = {"api_key": "sk-x", "base_url": f"{signed_in.url}/compatible-mode/v1"}
    wishes: list[dict[str, Any]] = [OFF, {"enable_thinking": True}, {"thinking_budget": 9}]
    for asked in (*wishes, NO_EFFORT, {"reasoning_effort": "high"}):
        ask(client=client, model=model, **asked)
    assert {chat.status for chat in signed_in.chats()} == {200}


@pytest.mark.reported("presenton/presenton#184")
@pytest.mark.reported("yigit353/langchain-qwq#23")
@pytest.mark.parametrize(
    ("model", "asked", "thinking"),
    [
        ("qwen3-32b", {}, OFF),
        ("qwen3-max", {"enable_thinking": True}, OFF),
        ("qwen-plus", {"enable_thinking": True, "thinking_budget": 9}, OFF),
        ("qwen-plus", {}, {}),
        ("qwen3-coder-plus", {}, {}),
        # QwenLM/Qwen#2329: the newer ones take both
        ("qwen3.8-max", {"enable_thinking": True}, {"enable_thinking": True}),
        ("qwen3.7-plus", {}, {}),
    ],
)
def test_json_mode_goes_before_thinking_where_the_two_are_refused(
    model: str, asked: dict[str, Any], thinking: dict[str, Any]
) -> None:
    """presenton/presenton#184, yigit353/langchain-qwq#23: the two together are a 400 there."""
    assert sent(model, **JSON, **asked) == JSON | thinking


@pytest.mark.reported("QwenLM/qwen-code#7659")
@pytest.mark.parametrize("model", ["qwen3-235b-a22b-thinking-2507", "qwq-plus", "qwen3.8-max-preview"])
def test_a_model_that_always_thinks_is_asked_without_force(model: str, caplog: pytest.LogCaptureFixture) -> None:
    """QwenLM/qwen-code#7659: it takes neither the force nor enable_thinking=False; one line says what is sent."""
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        assert sent(model, **FORCED) == {"tool_choice": "auto"}
    assert "tool_choice='auto'" in caplog.text
    if "json" in family(model).refuses:
        assert sent(model, **JSON) == {}


def test_who_asked_for_thinking_is_told_that_it_is_off(caplog: pytest.LogCaptureFixture) -> None:
    """A wish is not dropped without a word."""
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        sent("qwen3.7-max", **FORCED)
        assert not caplog.records
        sent("qwen3.7-max", **FORCED, enable_thinking=True)
    assert "switched off" in caplog.text


@pytest.mark.reported("langchain4j/langchain4j#3974")
@pytest.mark.reported("alibaba/spring-ai-alibaba#867")
@pytest.mark.reported("musistudio/claude-code-router#948")
@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize(
    "words",
    [
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "parameter.enable_thinking必须设置为false才能进行非流式调用",
        "enable thinking can not be support when `stream=False`.",
    ],
)
def test_a_model_that_thinks_in_a_stream_alone_has_a_hint(
    words: str, ask: Way, signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """langchain4j#3974, spring-ai-alibaba#867, claude-code-router#948: the hint names the stream and the switch."""
    body = {"error": {"message": words, "code": "invalid_parameter_error"}}
    for model, switch in (("qwen3-32b", True), ("qwq-plus", False)):
        with (
            answering(lambda request: httpx.Response(400, json=body), monkeypatch),
            pytest.raises(QwenBadRequestError) as caught,
        ):
            ask(model=model)
        assert "ask for a stream" in caught.value.hint
        assert ("enable_thinking=False" in caught.value.hint) is switch


@pytest.mark.reported("vercel/ai#1578")
@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("by_url", [False, True])
def test_a_stream_without_usage_sends_no_stream_options(ask: Way, by_url: bool, signed_in: Emulator) -> None:
    """vercel/ai#1578: services that know no stream_options refuse them, so who wants no usage sends none."""
    client = {"api_key": "sk-x", "base_url": f"{signed_in.base_url}"} if by_url else {}
    ask(client=client, stream_options={"include_usage": False})
    assert "stream_options" not in signed_in.chats()[0].body
