"""Each model on each plan, through every door: the request that leaves, to the byte that matters."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import httpx
import litellm
import pytest
from langchain_core.messages import HumanMessage

import litellm_qwen_portal  # noqa: F401 - importing registers the provider
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import PortalClient, QwenBadRequestError, __version__
from qwen_portal.emulator import Emulator
from qwen_portal.service.models import known_ids
from tests.scripted import answering
from tests.service.test_plans import TABLE, Row, keep

HELLO = [{"role": "user", "content": "What is 2+2?"}]
PICTURE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}]
IMAGE = [{"role": "user", "content": PICTURE}]
CLIP = [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,eA=="}}]
VIDEO = [{"role": "user", "content": CLIP}]
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}]}
SCHEMA = {"title": "Sum", "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "Sum", "strict": True, "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
FORCED: dict[str, Any] = {"tools": [TOOL], "tool_choice": "required"}
HUGE = 10**9
THINKING = ("enable_thinking", "reasoning_effort", "thinking_budget")

ON, OFF, NO_EFFORT = {"enable_thinking": True}, {"enable_thinking": False}, {"reasoning_effort": "none"}
# of a model that thinks unless an effort of none tells it not to
BY_ITSELF: dict[str, Any] = {}


class Facts(NamedTuple):
    """What a model's requests are like, where its user asks for thinking.

    Attributes:
        cap: The most output tokens that leave.
        sees: Whether a picture leaves.
        watches: Whether a video leaves.
        forced: What is said of thinking beside a forced tool call; None where the force is left out instead.
        formatted: What is said of thinking beside a schema; None where the schema is left out instead.
        schema: Whether LangChain's json_schema is the service's own.
    """

    cap: int
    sees: bool
    watches: bool
    forced: dict[str, Any] | None
    formatted: dict[str, Any] | None
    schema: bool


# Written out: nothing here is looked up in the catalogue.
_PLUS = Facts(65_536, sees=True, watches=True, forced=OFF, formatted=ON, schema=True)
_ALWAYS = Facts(131_072, sees=True, watches=True, forced=None, formatted=ON, schema=True)
_CODER = Facts(65_536, sees=False, watches=False, forced=OFF, formatted=OFF, schema=False)
_QWEN3 = Facts(32_768, sees=False, watches=False, forced=OFF, formatted=OFF, schema=True)
MODELS = {
    "qwen4-max": Facts(384_000, sees=True, watches=True, forced=NO_EFFORT, formatted=BY_ITSELF, schema=True),
    "qwen3.8-max-preview": _ALWAYS,
    "qwen3.8-max": Facts(131_072, sees=True, watches=True, forced=OFF, formatted=ON, schema=True),
    "qwen3.8-flash": Facts(131_072, sees=True, watches=True, forced=NO_EFFORT, formatted=BY_ITSELF, schema=True),
    "qwen3.7-plus": _PLUS,
    "qwen3.7-max": _PLUS._replace(sees=False, watches=False),
    "qwen3.6-plus": _PLUS._replace(schema=False),
    "qwen3.5-plus": _PLUS._replace(schema=False),
    "qwen3.6-flash": _PLUS._replace(sees=False, watches=False, schema=False),
    "qwen3-coder-plus": _CODER,
    "qwen3-coder-flash": _CODER,
    "qwen3-coder-next": _CODER,
    "qwen3-max": _QWEN3._replace(cap=65_536),
    "qwen3-vl-plus": _QWEN3._replace(sees=True, watches=True, schema=False),
    "qwen-plus-2025-01-25": _QWEN3._replace(cap=8_192, schema=False),
    "qwen-plus-2025-04-28": _QWEN3._replace(cap=16_384, schema=False),
    "qwen-plus-2025-07-14": _QWEN3._replace(cap=16_384, schema=False),
    "qwen-plus": _QWEN3,
    "qwen-flash": _QWEN3,
    "qwq-plus": Facts(8_192, sees=False, watches=False, forced=None, formatted=None, schema=False),
}
PORTAL = {
    "coder-model": Facts(65_536, sees=False, watches=False, forced=OFF, formatted=ON, schema=False),
    "vision-model": Facts(8_192, sees=True, watches=False, forced=OFF, formatted=OFF, schema=False),
}
TOKEN_PLANS = ("token", "token-intl", "qwencloud-token")


def facts_of(row: Row, model: str) -> tuple[str, Facts]:
    """Return the name that is sent, and what is to be expected."""
    if row.plan == "oauth" and model in PORTAL:
        return model, PORTAL[model]
    name = {"coder-model": row.coder, "vision-model": row.vision}.get(model, model)
    facts = _ALWAYS if name == "qwen3.8-max" and row.plan in TOKEN_PLANS else MODELS[name]
    return name, facts._replace(cap=8_192) if model == "vision-model" else facts


def core(model: str, messages: list[dict[str, Any]], **params: Any) -> None:
    """Ask through the core's own client."""
    PortalClient().chat(messages, model=model, **params)


def langchain(model: str, messages: list[dict[str, Any]], **params: Any) -> None:
    """Ask through LangChain."""
    ours = {name: params.pop(name) for name in ("enable_thinking", "max_tokens") if name in params}
    ChatQwenPortal(model=model, **ours).invoke([HumanMessage(messages[0]["content"])], **params)


def of_litellm(model: str, messages: list[dict[str, Any]], **params: Any) -> None:
    """Ask through LiteLLM."""
    litellm.completion(model=f"qwen-portal/{model}", messages=messages, **params)


Door = Callable[..., None]
DOORS: list[Door] = [core, langchain, of_litellm]
REFUSED = (QwenBadRequestError, litellm.exceptions.BadRequestError)

CASES = [(row, model) for row in TABLE for model in ("coder-model", "vision-model", *MODELS)]


def bodies(asked: list[httpx.Request]) -> Iterator[dict[str, Any]]:
    """Yield the JSON of each request."""
    return (json.loads(request.content) for request in asked)


def thinking(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a request says of thinking."""
    return {name: value for name, value in body.items() if name in THINKING}


def test_no_model_of_the_catalogue_is_left_out() -> None:
    """What has limits there is in the table above."""
    assert sorted(known_ids()) == sorted({*MODELS, *PORTAL})


@pytest.mark.parametrize(("row", "model"), CASES, ids=[f"{row.plan}-{model}" for row, model in CASES])
def test_the_request_is_the_plans_and_the_models(row: Row, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, headers, name, cap, schema, forced tool, picture and video, the same through each door."""
    keep(row.plan, row.key)
    name, facts = facts_of(row, model)
    with answering(lambda request: httpx.Response(200, json=ANSWER), monkeypatch) as asked:
        for door in DOORS:
            asked.clear()
            door(model, HELLO, max_tokens=HUGE, response_format=FORMAT, enable_thinking=True)
            door(model, HELLO, enable_thinking=True, **FORCED)
            with nullcontext() if facts.sees else pytest.raises(REFUSED):
                door(model, IMAGE)
            with nullcontext() if facts.watches else pytest.raises(REFUSED):
                door(model, VIDEO)
            for request in asked:
                assert str(request.url) == f"{row.address}/chat/completions"
                assert request.headers["authorization"] == f"Bearer {row.key}"
                assert request.headers["user-agent"].startswith(f"qwen-portal/{__version__} ")
                assert request.headers["x-dashscope-useragent"] == f"qwen-portal/{__version__}"
                assert request.headers.get("x-dashscope-authtype") == ("qwen-oauth" if row.plan == "oauth" else None)
            formatted, forced, *media = bodies(asked)
            assert {body["model"] for body in bodies(asked)} == {name}
            assert formatted["max_tokens"] == facts.cap
            assert formatted.get("response_format") == (None if facts.formatted is None else FORMAT)
            assert thinking(formatted) == (ON if facts.formatted is None else facts.formatted)
            assert forced["tool_choice"] == ("auto" if facts.forced is None else "required")
            assert thinking(forced) == (ON if facts.forced is None else facts.forced)
            assert forced.get("max_tokens") == (facts.cap if row.plan == "oauth" else None)
            sent = [body["messages"][0]["content"] for body in media]
            assert sent == [PICTURE] * facts.sees + [CLIP] * facts.watches


_XHIGH = {"reasoning_effort": "xhigh"}
# Words for off, on and a high effort, where they are others than these.
WORDS = {
    "qwen4-max": (NO_EFFORT, BY_ITSELF, {"reasoning_effort": "high"}),
    "qwen3.8-flash": (NO_EFFORT, BY_ITSELF, _XHIGH),
    "qwen3.8-max": (OFF, ON, _XHIGH),
    "qwen3.8-max-preview": (OFF, ON, _XHIGH),
}
ELSEWHERE = (OFF, ON, ON | {"thinking_budget": 4_096})


@pytest.mark.parametrize("model", MODELS)
def test_each_door_asks_for_thinking_in_the_models_words(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A switch or an effort, and LiteLLM's own third way."""
    keep(TABLE[1].plan, TABLE[1].key)
    expected = WORDS.get(model, ELSEWHERE)
    with answering(lambda request: httpx.Response(200, json=ANSWER), monkeypatch) as asked:
        for door in DOORS:
            asked.clear()
            door(model, HELLO, enable_thinking=False)
            door(model, HELLO, enable_thinking=True)
            door(model, HELLO, reasoning_effort="high")
            door(model, HELLO, reasoning_effort="none")
            assert tuple(map(thinking, bodies(asked))) == (*expected, expected[0])
        asked.clear()
        of_litellm(model, HELLO, thinking={"type": "disabled"})
        of_litellm(model, HELLO, thinking={"type": "enabled", "budget_tokens": 9})
        assert list(map(thinking, bodies(asked))) == [expected[0], expected[1] | {"thinking_budget": 9}]


@pytest.mark.parametrize(("row", "model"), CASES, ids=[f"{row.plan}-{model}" for row, model in CASES])
def test_langchains_json_schema_is_the_services_where_the_model_keeps_to_it(
    row: Row, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it is a tool: forced, or where the model refuses even that, offered."""
    keep(row.plan, row.key)
    _, facts = facts_of(row, model)
    chat = ChatQwenPortal(model=model)
    with answering(lambda request: httpx.Response(200, json=ANSWER), monkeypatch) as asked:
        chat.with_structured_output(SCHEMA, method="json_schema", include_raw=True).invoke("What is 2+2?")
    (body,) = bodies(asked)
    assert ("response_format" in body, "tools" in body) == (facts.schema, not facts.schema)
    assert body.get("response_format", FORMAT) == FORMAT
    profile = chat.profile or {}
    assert (profile["max_output_tokens"], profile["image_inputs"]) == (facts.cap, facts.sees)
    assert profile["video_inputs"] is facts.watches
    assert profile["structured_output"] is facts.schema


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("row", TABLE[1:], ids=lambda row: row.plan)
def test_the_emulated_service_takes_what_is_sent(
    row: Row, door: Door, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its own idea of each model, and refuses what the real one is known to refuse."""
    keep(row.plan, row.key)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.url + httpx.URL(row.address).path)
    for model in ("coder-model", "vision-model", "qwen3.8-flash", "qwen3-max", "qwen3.8-max-preview"):
        door(model, HELLO, max_tokens=HUGE)
        door(model, HELLO, **FORCED)
        door(model, [{"role": "user", "content": "As JSON: 2+2"}], response_format={"type": "json_object"})
        door(model, HELLO, response_format=FORMAT)
        door(model, HELLO, reasoning_effort="high")
    for model in ("qwen3.8-flash", "qwen4-max", "vision-model"):
        door(model, HELLO, enable_thinking=False)
    door("vision-model", IMAGE)
    door("vision-model", VIDEO)
    assert {entry.status for entry in emulator.chats()} == {200}
    assert len(emulator.chats()) == 30
