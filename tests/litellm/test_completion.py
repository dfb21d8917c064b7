"""A question and its answer through LiteLLM: what is sent, and what comes back."""

from typing import Any

import litellm
import pytest
from litellm import exceptions
from pydantic import BaseModel

from qwen_portal import QwenTimeoutError
from qwen_portal.emulator import Emulator
from tests.litellm.ways import CALLS, HELLO, MODEL, TOOL, WAYS, ask, call

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # noqa: E501 - one pixel


@pytest.mark.parametrize("way", WAYS)
def test_all_four_ways_answer(signed_in: Emulator, way: str) -> None:
    """Sync and async, whole and streamed give the same answer and one request each."""
    answer = WAYS[way]()
    assert "4" in answer.text
    assert answer.finish_reason == "stop"
    assert len(signed_in.chats()) == 1


def test_a_whole_answer_is_a_litellm_response_with_real_usage(signed_in: Emulator) -> None:
    """Usage is the service's own, and the cost of the portal is nought, not unknown."""
    response = call()
    assert isinstance(response, litellm.ModelResponse)
    assert response.id.startswith("chatcmpl-")
    assert response.usage.total_tokens == response.usage.prompt_tokens + response.usage.completion_tokens > 0
    assert response._hidden_params["response_cost"] == 0.0


@pytest.mark.parametrize("way", CALLS)
def test_the_parameters_of_openai_arrive(signed_in: Emulator, way: str) -> None:
    """What LiteLLM takes as OpenAI's reaches the service under the same name, whichever way is asked."""
    sent: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["END"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 2,
        "max_tokens": 100,
        "response_format": {"type": "text"},
        "tools": [TOOL],
        "tool_choice": "none",
        "parallel_tool_calls": False,
    }
    CALLS[way](**sent)
    assert sent.items() <= signed_in.chats()[-1].body.items()


def test_qwens_own_parameters_and_extra_body_arrive(signed_in: Emulator) -> None:
    """An unknown keyword and extra_body reach the body; ours and LiteLLM's internal ones do not."""
    call(top_k=20, extra_body={"repetition_penalty": 1.1}, max_retries=1, qwen_account="default", user="someone")
    body = signed_in.chats()[-1].body
    assert (body["top_k"], body["repetition_penalty"]) == (20, 1.1)
    assert set(body) == {"model", "messages", "max_tokens", "stream", "top_k", "repetition_penalty"}


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("name", ["extra_headers", "headers"])
def test_extra_headers_arrive_and_cannot_replace_the_bearer(signed_in: Emulator, name: str, way: str) -> None:
    """A caller's header is sent; an Authorization among them is not."""
    given: dict[str, Any] = {name: {"X-Trace": "abc", "Authorization": "Basic x"}}
    CALLS[way](**given)
    headers = signed_in.chats()[-1].headers
    assert headers["x-trace"] == "abc"
    assert headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"reasoning_effort": "high"}, {"enable_thinking": True, "thinking_budget": 4_096}),
        ({"reasoning_effort": "none"}, {"enable_thinking": False}),
        ({"thinking": {"type": "enabled", "budget_tokens": 300}}, {"enable_thinking": True, "thinking_budget": 300}),
        ({"thinking": {"type": "disabled"}}, {"enable_thinking": False}),
        ({"reasoning_effort": "low", "thinking_budget": 50}, {"enable_thinking": True, "thinking_budget": 50}),
        ({"enable_thinking": True}, {"enable_thinking": True}),
    ],
)
def test_reasoning_is_asked_for_in_qwens_words(
    signed_in: Emulator, way: str, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    """LiteLLM's two ways of asking for reasoning work without drop_params, and the reasoning comes back."""
    answer = WAYS[way](**asked)
    body = signed_in.chats()[-1].body
    assert {name: body[name] for name in body if "thinking" in name or "reasoning" in name} == sent
    assert bool(answer.reasoning) is sent["enable_thinking"]
    assert "4" in answer.text


@pytest.mark.parametrize(
    ("effort", "sent"),
    [
        ("disable", {"enable_thinking": False}),
        ("none", {"enable_thinking": False}),
        ("minimal", {"enable_thinking": True, "thinking_budget": 128}),
        ("low", {"enable_thinking": True, "thinking_budget": 1_024}),
        ("medium", {"enable_thinking": True, "thinking_budget": 2_048}),
        ("high", {"enable_thinking": True, "thinking_budget": 4_096}),
        ("xhigh", {"enable_thinking": True}),
        ({"effort": "low", "summary": "auto"}, {"enable_thinking": True, "thinking_budget": 1_024}),
        ({"summary": "auto"}, {}),
    ],
    ids=str,
)
def test_each_effort_has_its_budget(signed_in: Emulator, effort: Any, sent: dict[str, Any]) -> None:
    """As LiteLLM has them for other providers; above them the model decides."""
    call(reasoning_effort=effort)
    body = signed_in.chats()[-1].body
    assert {name: body[name] for name in body if "thinking" in name or "reasoning" in name} == sent


def test_reasoning_parameters_of_other_providers_are_left_alone() -> None:
    """The shim is for this provider only: elsewhere LiteLLM refuses as before."""
    with pytest.raises(exceptions.UnsupportedParamsError, match="thinking"):
        litellm.completion(model="openai_like/x", api_base="http://127.0.0.1:9", messages=HELLO, thinking={})


def test_the_developer_role_and_a_bare_image_address_are_translated(signed_in: Emulator) -> None:
    """Two shapes of OpenAI's that the service does not know are sent as it knows them, and the caller's stay."""
    labelled = {"type": "image_url", "image_url": {"url": PNG, "format": "image/png", "detail": "low"}}
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": PNG}, labelled],
        },
    ]
    before = repr(messages)
    ask(messages, model="qwen-portal/vision-model")
    sent = signed_in.chats()[-1].body["messages"]
    assert sent[0]["role"] == "system"
    assert [part["image_url"] for part in sent[1]["content"][1:]] == [{"url": PNG}, {"url": PNG, "detail": "low"}]
    assert repr(messages) == before


def test_an_image_for_a_text_model_is_refused_before_the_request(signed_in: Emulator) -> None:
    """The error names the model that takes images."""
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]
    with pytest.raises(exceptions.BadRequestError, match="vision-model"):
        call(image)
    assert not signed_in.chats()


def test_a_response_format_is_sent_and_kept(signed_in: Emulator) -> None:
    """JSON mode and a schema reach the service."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}
    call(response_format=wanted)
    assert signed_in.chats()[-1].body["response_format"]["json_schema"]["schema"] == schema
    call([{"role": "user", "content": "Answer in json: 2+2"}], response_format={"type": "json_object"})
    assert signed_in.chats()[-1].body["response_format"] == {"type": "json_object"}


class Number(BaseModel):
    """A number."""

    n: int


@pytest.mark.parametrize("way", WAYS)
def test_a_schema_given_as_a_class_is_sent_and_kept(
    way: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM writes it as OpenAI's strict form; the model behind coder-model keeps to it."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    answer = WAYS[way](api_key="sk-x", qwen_plan="studio-intl", response_format=Number)
    assert isinstance(Number.model_validate_json(answer.text).n, int)
    sent = emulator.chats()[-1].body["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)
    assert set(sent["json_schema"]["schema"]["properties"]) == {"n"}


@pytest.mark.parametrize("way", WAYS)
def test_the_timeout_of_the_call_holds(signed_in: Emulator, way: str, over_when_silent: list[float]) -> None:
    """A service that falls silent ends the call after the seconds that it names, also in the middle of a stream."""
    signed_in.scenario("silence")
    with pytest.raises((exceptions.Timeout, exceptions.MidStreamFallbackError), match="for 30 s") as caught:
        WAYS[way](timeout=30)
    (limit,) = over_when_silent
    assert 10 < limit <= 30
    error = getattr(caught.value, "original_exception", None) or caught.value
    assert isinstance(error.__cause__, QwenTimeoutError)


def test_the_request_that_is_logged_is_the_one_that_was_asked_for(signed_in: Emulator) -> None:
    """LiteLLM's raw request shows model, messages and parameters."""
    raw: Any = litellm.utils.return_raw_request(
        endpoint=litellm.types.utils.CallTypes.completion, kwargs={"model": MODEL, "messages": HELLO, "top_k": 3}
    )
    assert raw["raw_request_body"]["messages"] == HELLO
    assert raw["raw_request_body"]["top_k"] == 3
    assert "authorization" not in {name.lower() for name in raw["raw_request_headers"]}
