"""A request as each plan takes it: address, model name, headers, cap, fields."""

import logging
from typing import Any

import pytest

from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenBadRequestError
from qwen_portal.requests.chat_request import PreparedRequest, RequestBuilder
from qwen_portal.secrets import Secret
from qwen_portal.service.models import catalogue, model_on, output_cap
from qwen_portal.service.plans import PLANS, find_plan
from qwen_portal.settings import load_settings
from qwen_portal.storage.credential import Credential
from tests.ways import ALL, HELLO, Way

IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}]}]


def shape(plan: str = "oauth", messages: Any = HELLO, **params: Any) -> PreparedRequest:
    """Shape a request for an account of that plan."""
    credential = Credential(kind="oauth" if plan == "oauth" else "key", plan=plan, access_token=Secret("x"))
    model, stream = params.pop("model", "coder-model"), params.pop("stream", False)
    return RequestBuilder(load_settings()).chat(credential, messages, model=model, stream=stream, params=params)


@pytest.mark.parametrize("plan", PLANS)
def test_each_plan_has_its_address_its_names_and_its_headers(plan: str) -> None:
    """No OAuth header goes out with a key; the catalogue's ids become the plan's names."""
    row = PLANS[plan]
    request = shape(plan, model="qwen-portal/coder-model")
    assert request.url == f"{row.base_url}/chat/completions"
    assert request.body["model"] == row.coder
    assert shape(plan, IMAGE, model="vision-model").body["model"] == row.vision
    assert ("X-DashScope-AuthType" in request.headers) is row.is_oauth
    assert request.headers["X-DashScope-UserAgent"].startswith("qwen-portal/")
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("plan", "params", "sent"),
    [
        ("oauth", {}, 65_536),
        ("oauth", {"max_tokens": 100}, 100),
        ("oauth", {"max_tokens": 100_000}, 65_536),
        ("oauth", {"max_completion_tokens": 100_000}, 65_536),
        ("oauth", {"max_tokens": 100_000, "max_completion_tokens": 50}, 50),
        ("oauth", {"extra_body": {"max_tokens": 100_000}}, 65_536),
        ("oauth", {"extra_body": {"model": "vision-model"}}, 8_192),
        ("oauth", {"model": "vision-model", "max_tokens": 9_000.0}, 8_192),
        ("oauth", {"model": "qwen-portal/vision-model"}, 8_192),
        ("oauth", {"model": "something-else", "max_tokens": 100_000}, 65_536),
        ("oauth", {"model": "something-else", "max_tokens": 100_000, "output_cap": 90_000}, 90_000),
        ("oauth", {"output_cap": 10}, 10),
        ("coding", {}, None),
        ("coding", {"max_tokens": 100_000}, 65_536),
        ("coding", {"model": "vision-model", "max_tokens": 100_000}, 8_192),
        ("coding", {"model": "qwen3.5-plus", "max_tokens": 100_000}, 65_536),
        ("studio", {"model": "qwen3.8-max-0902", "max_tokens": 200_000}, 131_072),
        ("coding", {"model": "glm-5", "max_tokens": 100_000}, 100_000),
        ("studio", {"max_tokens": None}, None),
    ],
)
def test_the_cap_holds_wherever_the_wish_stands(plan: str, params: dict[str, Any], sent: int | None) -> None:
    """One max_tokens goes out: the smallest of the wishes and the effective model's cap."""
    body = shape(plan, **params).body
    assert body.get("max_tokens") == sent
    assert "max_completion_tokens" not in body


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({}, {}),
        ({"max_tokens": 100}, {"max_tokens": 100}),
        ({"max_completion_tokens": 100}, {"max_completion_tokens": 100}),
        ({"max_tokens": 100, "max_completion_tokens": 50}, {"max_tokens": 100, "max_completion_tokens": 50}),
        ({"max_tokens": 10**6, "max_completion_tokens": 50}, {"max_tokens": 65_536, "max_completion_tokens": 50}),
        ({"max_tokens": 50, "max_completion_tokens": 10**6}, {"max_tokens": 50, "max_completion_tokens": 65_536}),
        (
            {"model": "vision-model", "extra_body": {"max_tokens": 10**6}, "max_completion_tokens": 10**6},
            {"max_tokens": 8_192, "max_completion_tokens": 8_192},
        ),
        ({"model": "qwen3.6-plus", "max_completion_tokens": 10**6}, {"max_completion_tokens": 65_536}),
        ({"model": "glm-5", "max_completion_tokens": 10**6}, {"max_completion_tokens": 10**6}),
        (
            {"output_cap": 10, "max_tokens": 50, "max_completion_tokens": 5},
            {"max_tokens": 10, "max_completion_tokens": 5},
        ),
    ],
)
def test_a_key_plan_gets_each_limit_as_it_was_given(params: dict[str, Any], sent: dict[str, int]) -> None:
    """Models before qwen4-max count their thinking towards the second alone; each is capped, none is invented."""
    body = shape("studio", **params).body
    assert {name: value for name, value in body.items() if "tokens" in name} == sent


def test_each_limit_that_is_lowered_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A limit that is kept is not spoken of."""
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        shape("studio", max_tokens=50, max_completion_tokens=10**6)
    (record,) = caplog.records
    assert record.message.startswith("max_completion_tokens 1,000,000 is above what coder-model gives; 65,536 is sent")


def test_lowering_is_told_once_per_model(caplog: pytest.LogCaptureFixture) -> None:
    """A line per call would be noise in an agent."""
    builder, credential = (
        RequestBuilder(load_settings()),
        Credential(kind="oauth", plan="oauth", access_token=Secret("x")),
    )
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        for model in ("coder-model", "coder-model", "vision-model"):
            builder.chat(credential, HELLO, model=model, stream=False, params={"max_tokens": 10**6})
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "max_tokens 1,000,000 is above what coder-model gives",
        "max_tokens 1,000,000 is above what vision-model gives",
    ]


def test_what_the_portal_rejects_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """Its strict validation answers unknown fields with a bare 400; a key plan gets them."""
    params = {
        "store": True,
        "service_tier": "auto",
        "temperature": 0.5,
        "top_p": None,
        "tools": [],
        "tool_choice": "auto",
    }
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        body = shape("oauth", stream_options={"include_usage": True}, **params).body
    assert set(body) == {"model", "messages", "temperature", "max_tokens", "stream"}
    assert body["stream"] is False
    assert "'store'" in caplog.text
    assert shape("coding", **params).body["store"] is True


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("plan", "model", "params", "sent"),
    [
        ("oauth", "coder-model", {"tool_choice": "required"}, {"enable_thinking": False}),
        (
            "oauth",
            "coder-model",
            {"tool_choice": {"type": "function"}, "enable_thinking": True},
            {"enable_thinking": False},
        ),
        ("oauth", "vision-model", {"tool_choice": "required"}, {}),
        ("oauth", "vision-model", {"tool_choice": "required", "thinking_budget": 9}, {"enable_thinking": False}),
        ("coding", "coder-model", {"tool_choice": "required"}, {}),
        ("coding", "vision-model", {"tool_choice": "required"}, {"enable_thinking": False}),
        ("oauth", "coder-model", {"tool_choice": "auto", "enable_thinking": True}, {"enable_thinking": True}),
    ],
)
def test_a_forced_tool_call_switches_thinking_off(
    plan: str, model: str, params: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Qwen refuses the two together, also where a model thinks without being told to; other requests keep it."""
    body = shape(plan, model=model, tools=[TOOL], **params).body
    thinking = ("enable_thinking", "thinking_budget", "reasoning_effort")
    assert {name: value for name, value in body.items() if name in thinking} == sent


CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.reported("agentscope-ai/agentscope-java#1270")
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("without", [{}, {"content": None}])
def test_a_message_always_has_content(plan: str, without: dict[str, Any]) -> None:
    """An assistant that only calls tools has none, and the service wants "Field required: input.messages.N.content".

    Source: agentscope-ai/agentscope-java#1270, https://github.com/agentscope-ai/agentscope-java/issues/1270.
    """
    calls = {"role": "assistant", "tool_calls": [CALL], **without}
    result = {"role": "tool", "tool_call_id": "call_1", **without}
    sent = shape(plan, [*HELLO, calls, result, {"role": "user", "content": [{"type": "text", "text": "Go on."}]}])
    assert [message["content"] for message in sent.body["messages"]] == [
        HELLO[0]["content"],
        "",
        "",
        [{"type": "text", "text": "Go on."}],
    ]
    assert sent.body["messages"][1]["tool_calls"] == [CALL]
    assert ("content" in calls) is ("content" in without)  # the caller's own messages stay as they are


@pytest.mark.reported("agentscope-ai/agentscope-java#1270")
@pytest.mark.parametrize("ask", ALL)
def test_a_conversation_with_a_call_without_content_goes_on(ask: Way, signed_in: Emulator) -> None:
    """Whole and streamed, sync and async, the service takes it."""
    messages = [*HELLO, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1"}]
    ask(messages)
    (chat,) = signed_in.chats()
    assert chat.status == 200


def test_no_messages_is_an_error_before_any_request() -> None:
    """The service would answer with a 400 of its own."""
    with pytest.raises(QwenBadRequestError, match="empty"):
        shape(messages=[])
    for odd in ("Hello", ["Hello"]):
        with pytest.raises(QwenBadRequestError, match="list of dicts"):
            shape(messages=odd)


@pytest.mark.parametrize("plan", PLANS)
def test_an_image_for_a_text_model_is_refused_by_the_plans_row(plan: str) -> None:
    """The error names vision-model; allow_images sends it all the same; unknown ids are the user's business."""
    for model in ("coder-model", PLANS[plan].coder):
        if "image" in model_on(PLANS[plan], model).inputs:
            assert shape(plan, IMAGE, model=model).body["messages"] == IMAGE
        else:
            with pytest.raises(QwenBadRequestError, match="vision-model"):
                shape(plan, IMAGE, model=model)
    with pytest.raises(QwenBadRequestError, match="vision-model"):
        shape(plan, IMAGE, model="qwen3-coder-plus")
    assert shape(plan, IMAGE, allow_images=True).body["messages"] == IMAGE
    assert "allow_images" not in shape(plan, IMAGE, allow_images=True).body
    assert shape(plan, IMAGE, model="qwen-vl-plus").body["messages"] == IMAGE


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "https://example.com/cat.mp4"}},
        {"type": "video", "video": ["https://example.com/1.png"]},
    ],
    ids=lambda part: str(part["type"]),
)
def test_a_video_for_a_model_that_takes_none_is_refused_by_its_row(part: dict[str, Any]) -> None:
    """The error says where it is seen which do; the two ids are what stands behind them."""
    video = [{"role": "user", "content": [part]}]
    for plan, model in (("oauth", "coder-model"), ("oauth", "vision-model"), ("coding", "coder-model")):
        with pytest.raises(QwenBadRequestError, match="a message holds a video") as caught:
            shape(plan, video, model=model)
        assert "qwen-portal models" in caught.value.hint
    with pytest.raises(QwenBadRequestError, match="takes text only"):
        shape("studio", video, model="qwen3.7-max")
    assert shape("oauth", video, allow_images=True).body["messages"] == video
    for model in ("coder-model", "vision-model", "qwen3-vl-plus", "something-else"):
        assert shape("studio", video, model=model).body["messages"] == video


def test_extra_headers_go_out_but_cannot_replace_the_bearer(signed_in: Emulator) -> None:
    """The bearer is put on last."""
    for ask in ALL:
        ask(extra_headers={"X-Mine": "1", "Authorization": "Bearer mine"})
    for entry in signed_in.chats():
        assert entry.headers["x-mine"] == "1"
        assert entry.status == 200


@pytest.mark.parametrize("ask", ALL)
def test_no_way_of_asking_exceeds_the_cap(ask: Way, signed_in: Emulator) -> None:
    """The emulator, which refuses such requests, sees none."""
    wishes: list[dict[str, Any]] = [
        {"max_tokens": 10**9},
        {"max_completion_tokens": 10**9},
        {"extra_body": {"max_tokens": 10**9, "max_completion_tokens": 10**9}},
        {"model": "vision-model", "max_tokens": 65_536},
        {"extra_body": {"model": "vision-model"}, "max_tokens": 65_536},
    ]
    for params in wishes:
        ask(HELLO, **params)
    assert signed_in.above_cap() == []
    assert len(signed_in.chats()) == 5


def test_the_catalogue_tells_a_plans_limits() -> None:
    """What the command line and both doors show comes from one table."""
    rows = {row["id"]: row for row in catalogue(find_plan("oauth"))}
    assert rows["coder-model"]["max_output"] == output_cap("coder-model", find_plan("oauth")) == 65_536
    assert rows["vision-model"] == {
        "id": "vision-model",
        "name": "vision-model",
        "context": 131_072,
        "max_output": 8_192,
        "inputs": ["text", "image"],
        "thinking": False,
        "thinks": "never",
        "efforts": [],
        "json_schema": False,
    }
