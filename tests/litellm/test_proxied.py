"""The client of a proxy does not choose whose account answers it; who calls LiteLLM from Python does."""

from typing import Any

import pytest
from litellm import exceptions
from litellm.router import Router

from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.litellm.ways import CALLS, HELLO, MODEL, call
from tests.sign_ins import keep_sign_in


@pytest.fixture
def two_accounts(signed_in: Emulator) -> Emulator:
    """Sign a second account, ``work``, in; it becomes the active one."""
    keep_sign_in(signed_in, "work")
    return signed_in


def proxied(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return what a proxy adds to a call for a client's request."""
    request = {"url": "http://127.0.0.1:4000/v1/chat/completions", "method": "POST", "headers": {}, "body": body}
    return {"proxy_server_request": request | more}


CHOICES: list[dict[str, Any]] = [
    {"qwen_account": "default"},
    {"qwen_plan": "coding"},
    {"api_key": KEY},
    {"api_base": "https://example.com/v1"},
    {"base_url": "https://example.com/v1"},
    {"output_cap": 1e9},
    {"allow_images": True},
    {"extra_headers": {"X-Note": "1"}},
    {"headers": {"X-Note": "1"}},
    {"provider_specific_header": {"custom_llm_provider": "qwen-portal", "extra_headers": {"X-Note": "1"}}},
    {"fallbacks": [{"model": "coder-model", "provider_specific_header": [{"extra_headers": {"X-Note": "1"}}]}]},
    {"extra_body": {"output_cap": 1e9}},
    {"extra_body": {"qwen_account": "default"}},
    {"fallbacks": [{"model": "coder-model", "qwen_account": "default"}]},
    {"context_window_fallbacks": [{"coder-model": [{"model": "vision-model", "qwen_plan": "coding"}]}]},
]


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("body", CHOICES, ids=lambda body: str(body)[:50])
def test_a_clients_choice_is_a_bad_request(two_accounts: Emulator, way: str, body: dict[str, Any]) -> None:
    """It says that the configuration chooses, and neither a label that there is nor a key is in it."""
    given = {"qwen_account": body["qwen_account"]} if "qwen_account" in body else {}
    with pytest.raises(exceptions.BadRequestError, match="configuration chooses") as caught:
        CALLS[way](**given, **proxied({"model": "coder-model", "messages": HELLO} | body))
    assert caught.value.status_code == 400
    assert "work" not in str(caught.value)
    assert_none_in(caught.value)
    assert not two_accounts.chats()


def test_a_key_that_litellm_keeps_out_of_the_body_is_found(signed_in: Emulator) -> None:
    """Newer ones name the field beside it."""
    with pytest.raises(exceptions.BadRequestError, match="api_key"):
        call(api_key=KEY, qwen_plan="coding", **proxied({"messages": HELLO}, credential_fields=("api_key",)))


def test_a_header_that_litellm_keeps_out_of_the_body_is_found(signed_in: Emulator) -> None:
    """LiteLLM would put it on the request: a workspace, for one, is chosen by a header."""
    header = {"custom_llm_provider": "qwen-portal", "extra_headers": {"X-DashScope-WorkSpace": "another"}}
    proxys = proxied({"messages": HELLO}, credential_fields=("provider_specific_header",))
    with pytest.raises(exceptions.BadRequestError, match="provider_specific_header"):
        call(provider_specific_header=header, **proxys)
    assert not signed_in.chats()


def test_what_a_client_talks_about_is_its_own(signed_in: Emulator) -> None:
    """A tool may take an api_key, and metadata be about accounts."""
    parameters = {"type": "object", "properties": {"api_key": {"type": "string"}}, "required": ["api_key"]}
    tool = {"type": "function", "function": {"name": "open_door", "parameters": parameters}}
    body = {"messages": HELLO, "tools": [tool], "metadata": {"qwen_account": "a topic"}, "temperature": 0}
    call(tools=[tool], **proxied(body))
    assert len(signed_in.chats()) == 1


@pytest.mark.parametrize("request_", [None, {}, {"body": None}])
def test_a_request_without_a_body_is_served(signed_in: Emulator, request_: Any) -> None:
    """As a proxy's own health check is."""
    call(proxy_server_request=request_)
    assert len(signed_in.chats()) == 1


def test_the_configuration_of_a_proxy_chooses(two_accounts: Emulator) -> None:
    """The account of the deployment that serves the client's model."""
    params = {"model": MODEL, "qwen_account": "default"}
    router = Router(model_list=[{"model_name": "qwen", "litellm_params": params}])
    router.completion("qwen", messages=HELLO, **proxied({"messages": HELLO}))
    assert [entry.account for entry in two_accounts.chats()] == [1]


def test_in_python_the_calls_account_wins_over_the_deployments(two_accounts: Emulator) -> None:
    """Who calls a Router is who configured it."""
    params = {"model": MODEL, "qwen_account": "default"}
    router = Router(model_list=[{"model_name": "qwen", "litellm_params": params}])
    router.completion("qwen", messages=HELLO, qwen_account="work")
    assert [entry.account for entry in two_accounts.chats()] == [2]
