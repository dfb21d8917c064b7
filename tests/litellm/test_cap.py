"""No way through LiteLLM asks for more output tokens than the model may write."""

import logging
from collections.abc import Callable
from typing import Any, cast

import litellm
import pytest
from litellm import anthropic_interface as anthropic
from litellm import exceptions
from litellm.router import Router

from qwen_portal.emulator import Emulator
from tests.litellm.ways import HELLO, MODEL, TOOL, acall, call, chunks, run

VISION = "qwen-portal/vision-model"
OVER = 1_000_000
CAPS = {"coder-model": 65_536, "vision-model": 8_192}
Way = Callable[[], Any]


def router(deployment: dict[str, Any] | None = None, model: str = MODEL, **options: Any) -> Router:
    """Make a Router with one deployment named ``qwen``."""
    params = {"model": model} | (deployment or {})
    return Router(model_list=[{"model_name": "qwen", "litellm_params": params}], **options)


def through_router(made: Router, model: str = "qwen", **params: Any) -> Any:
    """Ask a Router."""
    return made.completion(model, messages=HELLO, **params)


def alias(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask under a name of the user's own."""
    monkeypatch.setattr(litellm, "model_alias_map", {"mine": VISION})
    return call(model="mine", max_tokens=OVER)


WAYS: dict[str, Way] = {
    "nothing said": call,
    "max_tokens": lambda: call(max_tokens=OVER),
    "max_completion_tokens": lambda: call(max_completion_tokens=OVER),
    "both": lambda: call(max_tokens=OVER, max_completion_tokens=OVER),
    "one of them small": lambda: call(max_tokens=OVER, max_completion_tokens=70_000),
    "a float": lambda: call(max_tokens=float(OVER)),
    "a string": lambda: call(max_tokens=str(OVER)),
    "extra_body, max_tokens": lambda: call(extra_body={"max_tokens": OVER}),
    "extra_body, max_completion_tokens": lambda: call(extra_body={"max_completion_tokens": OVER}),
    "extra_body over a small argument": lambda: call(max_tokens=5, extra_body={"max_tokens": OVER}),
    "extra_body, another model": lambda: call(max_tokens=65_536, extra_body={"model": "vision-model"}),
    "extra_body, another model, nothing said": lambda: call(extra_body={"model": "vision-model"}),
    "vision-model": lambda: call(model=VISION, max_tokens=65_536),
    "vision-model, nothing said": lambda: call(model=VISION),
    "provider as an argument": lambda: call(model="coder-model", custom_llm_provider="qwen-portal", max_tokens=OVER),
    "drop_params": lambda: call(max_tokens=OVER, drop_params=True),
    "allowed_openai_params": lambda: call(
        max_completion_tokens=OVER, allowed_openai_params=["max_completion_tokens", "max_tokens"]
    ),
    "stream": lambda: chunks(max_tokens=OVER),
    "stream, extra_body": lambda: chunks(extra_body={"max_completion_tokens": OVER, "model": "vision-model"}),
    "acompletion": lambda: acall(max_tokens=OVER),
    "with a tool": lambda: call(tools=[TOOL], max_tokens=OVER),
    "thinking": lambda: call(reasoning_effort="high", max_tokens=OVER),
    "batch_completion": lambda: litellm.batch_completion(model=MODEL, messages=[HELLO, HELLO], max_tokens=OVER),
    "fallbacks": lambda: acall(model="qwen-portal/none", fallbacks=[{"model": VISION}], max_tokens=65_536),
    "text_completion": lambda: litellm.text_completion(model=MODEL, prompt="What is 2+2?", max_tokens=OVER),
    "text_completion, stream": lambda: list(
        litellm.text_completion(model=MODEL, prompt="What is 2+2?", max_tokens=OVER, stream=True)
    ),
    "responses": lambda: litellm.responses(model=MODEL, input="What is 2+2?", max_output_tokens=OVER),
    "responses, stream": lambda: list(
        cast("Any", litellm.responses(model=MODEL, input="What is 2+2?", max_output_tokens=OVER, stream=True))
    ),
    "aresponses": lambda: run(lambda: litellm.aresponses(model=VISION, input="What is 2+2?", max_output_tokens=OVER)),
    "anthropic.messages": lambda: run(lambda: anthropic.messages.acreate(model=MODEL, messages=HELLO, max_tokens=OVER)),
    "router, the deployment's": lambda: through_router(router({"max_tokens": OVER})),
    "router, the deployment's extra_body": lambda: through_router(router({"extra_body": {"max_tokens": OVER}})),
    "router, the call's": lambda: through_router(router(), max_tokens=OVER),
    "router, both": lambda: through_router(router({"max_completion_tokens": OVER}), max_tokens=OVER),
    "router, defaults": lambda: through_router(router(default_litellm_params={"max_tokens": OVER})),
    "router, alias": lambda: through_router(
        router(model=VISION, model_group_alias={"mine": "qwen"}), "mine", max_tokens=OVER
    ),
    "router, stream": lambda: list(through_router(router({"max_tokens": OVER}), stream=True)),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_above_the_cap_is_asked_for(signed_in: Emulator, way: str) -> None:
    """Each request says the cap of the model that it is for, in one field, and is answered."""
    WAYS[way]()
    assert not signed_in.above_cap()
    answered = [entry.body for entry in signed_in.chats() if entry.status == 200]
    assert answered
    assert [body["max_tokens"] for body in answered] == [CAPS[body["model"]] for body in answered]
    assert not any("max_completion_tokens" in body for body in answered)


def test_a_model_alias_is_capped_as_the_model_it_stands_for(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """model_alias_map cannot carry another model's limit along."""
    alias(monkeypatch)
    assert [entry.body["max_tokens"] for entry in signed_in.chats()] == [8_192]


def test_a_smaller_wish_is_kept(signed_in: Emulator) -> None:
    """Whoever asks for less gets less, under either name."""
    call(max_tokens=100)
    call(max_completion_tokens=200)
    call(max_tokens=4_000, max_completion_tokens=300)
    assert [entry.body["max_tokens"] for entry in signed_in.chats()] == [100, 200, 300]


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({}, {}),
        ({"max_tokens": OVER}, {"max_tokens": 65_536}),
        ({"max_completion_tokens": OVER}, {"max_completion_tokens": 65_536}),
        ({"max_tokens": 4_000, "max_completion_tokens": 300}, {"max_tokens": 4_000, "max_completion_tokens": 300}),
        ({"model": VISION, "max_completion_tokens": OVER}, {"max_completion_tokens": 8_192}),
    ],
)
def test_a_key_plan_gets_each_limit_as_it_was_given(
    params: dict[str, Any], sent: dict[str, int], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two limits stay two: models before qwen4-max count their thinking towards the second alone."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    call(api_key="sk-x", qwen_plan="studio-intl", **params)
    (chat,) = emulator.chats()
    assert {name: value for name, value in chat.body.items() if "tokens" in name} == sent


def test_lowering_is_told_once(signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """One warning for a model, not one for each call."""
    with caplog.at_level(logging.WARNING, "qwen_portal"):
        for _ in range(3):
            call(max_tokens=OVER)
    assert len([record for record in caplog.records if "max_tokens" in record.message]) == 1


def test_a_limit_that_is_no_number_is_a_bad_request(signed_in: Emulator) -> None:
    """It names the parameter."""
    with pytest.raises(exceptions.BadRequestError, match="max_tokens"):
        call(max_tokens="many")
