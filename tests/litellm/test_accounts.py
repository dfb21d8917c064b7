"""Whose call it is: accounts, keys, and addresses that a call names."""

import json
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from litellm import exceptions

from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.litellm.ways import CALLS, HELLO, MODEL, call
from tests.scripted import answering
from tests.sign_ins import keep_sign_in

LITELLM = tuple(int(part) for part in version("litellm").split(".")[:2])
MODEL_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "4"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.fixture
def two_accounts(signed_in: Emulator) -> Emulator:
    """Sign a second account, ``work``, in; it becomes the active one."""
    keep_sign_in(signed_in, "work")
    return signed_in


@pytest.mark.parametrize("way", CALLS)
def test_qwen_account_chooses_the_account_of_a_call(two_accounts: Emulator, way: str) -> None:
    """The first sign-in serves the call that names it, the active one the call that names none."""
    CALLS[way](qwen_account="default")
    CALLS[way]()
    assert [entry.account for entry in two_accounts.chats()] == [1, 2]


def test_an_unknown_account_is_named_with_the_command_that_makes_it(signed_in: Emulator) -> None:
    """The error lists what there is."""
    with pytest.raises(exceptions.AuthenticationError, match="qwen-portal login nobody"):
        call(qwen_account="nobody")


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("name", ["api_base", "base_url"])
def test_an_address_alone_gets_no_token(signed_in: Emulator, way: str, name: str) -> None:
    """The sign-in's token does not go where a call points; the error says what would work."""
    with pytest.raises(exceptions.BadRequestError, match="QWEN_PORTAL_BASE_URL"):
        CALLS[way](HELLO, **{name: signed_in.base_url})
    assert not signed_in.chats()


@pytest.mark.parametrize("way", CALLS)
def test_a_key_goes_to_the_address_of_the_call(emulator: Emulator, way: str) -> None:
    """Nobody needs to be signed in; the plan says what the model is called there."""
    CALLS[way](api_key=KEY, api_base=emulator.base_url, qwen_plan="coding-intl")
    entry = emulator.chats()[-1]
    assert entry.headers["authorization"] == f"Bearer {KEY}"
    assert entry.body["model"] == "qwen3-coder-plus"


def test_a_key_goes_to_its_plans_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """qwen_plan is enough; on a key's plan no limit is sent that nobody asked for."""
    with answering(lambda request: httpx.Response(200, json=MODEL_ANSWER), monkeypatch) as asked:
        call(api_key=KEY, qwen_plan="coding-intl")
    assert asked[0].url.host == "coding-intl.dashscope.aliyuncs.com"
    assert asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert set(json.loads(asked[0].content)) == {"model", "messages", "stream"}


def test_a_key_without_plan_or_address_lists_the_plans(signed_in: Emulator) -> None:
    """It is not guessed where a key belongs."""
    with pytest.raises(exceptions.BadRequestError, match="coding-intl") as caught:
        call(api_key=KEY)
    assert_none_in(caught.value)
    assert not signed_in.chats()


def test_a_key_and_an_account_exclude_each_other(signed_in: Emulator) -> None:
    """Neither is silently preferred."""
    with pytest.raises(exceptions.BadRequestError, match="default"):
        call(api_key=KEY, qwen_plan="coding", qwen_account="default")


def test_a_plan_without_a_key_is_an_error(signed_in: Emulator) -> None:
    """A signed-in account has its plan; naming one for a call can only be a mistake."""
    with pytest.raises(exceptions.BadRequestError, match="api_key"):
        call(qwen_plan="coding")


def test_a_key_from_the_environment_serves_calls(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed environment counts at the next call."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    with pytest.raises(exceptions.AuthenticationError):
        call()
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    call(model=MODEL)
    assert emulator.chats()[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_with_a_line_break_is_refused_before_it_can_be_quoted(emulator: Emulator) -> None:
    """The HTTP library would put the header into its error."""
    with pytest.raises(exceptions.BadRequestError, match="characters") as caught:
        call(api_key=f"{KEY}\nX-Evil: 1", api_base=emulator.base_url)
    assert_none_in(caught.value)


def test_a_keys_plan_gets_whatever_openai_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the portal would refuse is not left out there; what a call drops by name is."""
    given: dict[str, Any] = {
        "n": 2,
        "logit_bias": {"1": 1},
        "service_tier": "auto",
        "functions": [{"name": "f", "parameters": {"type": "object", "properties": {}}}],
        "function_call": "auto",
    }
    if LITELLM >= (1, 100):
        given["store"] = True  # older ones keep it to themselves, whatever the provider
    with answering(lambda request: httpx.Response(200, json=MODEL_ANSWER), monkeypatch) as asked:
        call(api_key=KEY, qwen_plan="coding", **given)
        call(api_key=KEY, qwen_plan="coding", additional_drop_params=["logit_bias"], **given)
    first, second = (json.loads(request.content) for request in asked)
    assert given.items() <= first.items()
    assert "logit_bias" not in second
