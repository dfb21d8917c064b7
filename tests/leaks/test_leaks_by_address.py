"""Danger: an address that came as data, or was named for another secret, is handed one that did not come with it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import litellm
import pytest
from langchain_core.load import dumpd, loads
from langchain_core.runnables import ConfigurableField
from litellm.router import Router

import litellm_qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from tests.canaries import KEY
from tests.leaks.roads import LITELLMS_OWN
from tests.sign_ins import keep_sign_in

pytestmark = [
    LITELLMS_OWN,
    pytest.mark.filterwarnings("ignore:Parameters:UserWarning"),
    pytest.mark.filterwarnings("ignore:The function `loads` is in beta"),
]
HELLO = [{"role": "user", "content": "Hello"}]
ALLOWED, QWENS = "https://allowed.example/v1", "https://anything.qwen.ai/v1"
WORKSPACE = "studio:evil@cn-beijing"
ADDRESSES = ["https://evil.example/v1", ALLOWED, QWENS]
ANSWER = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}


def _loaded(**kwargs: Any) -> ChatQwenPortal:
    manifest = dumpd(ChatQwenPortal())
    manifest["kwargs"] |= kwargs
    allowed: dict[str, Any] = {"allowed_objects": [ChatQwenPortal], "valid_namespaces": ["langchain_qwen_portal"]}
    model: ChatQwenPortal = loads(json.dumps(manifest), **allowed)
    return model


def _configured(field: str, value: str) -> Any:
    model = ChatQwenPortal().configurable_fields(**{field: ConfigurableField("where")})
    return model.with_config(configurable={"where": value})


def _litellm(**given: Any) -> Any:
    litellm_qwen_portal.register()
    return litellm.completion(model="qwen-portal/coder-model", messages=HELLO, num_retries=0, **given)


def _deployed(**given: Any) -> Any:
    litellm_qwen_portal.register()
    deployment = {"model_name": "m", "litellm_params": {"model": "qwen-portal/coder-model", **given}}
    return Router(model_list=[deployment], num_retries=0).completion(model="m", messages=HELLO)


Way = Callable[[str], Any]
BASE_URLS: dict[str, Way] = {
    "constructor": lambda url: ChatQwenPortal(base_url=url).invoke("Hello"),
    "manifest": lambda url: _loaded(openai_api_base=url).invoke("Hello"),
    "configuration": lambda url: _configured("openai_api_base", url).invoke("Hello"),
}
LITELLMS: dict[str, Way] = {
    "call": lambda url: _litellm(api_base=url),
    "deployment": lambda url: _deployed(api_base=url),
}
PLANS: dict[str, Way] = {
    "client's plan": lambda url: PortalClient(plan=url).chat(HELLO),
    "constructor's plan": lambda url: ChatQwenPortal(plan=url).invoke("Hello"),
    "manifest's plan": lambda url: _loaded(plan=url).invoke("Hello"),
    "configured plan": lambda url: _configured("plan", url).invoke("Hello"),
    "call's plan": lambda url: _litellm(qwen_plan=url),
    "deployment's plan": lambda url: _deployed(qwen_plan=url),
    "plan and address": lambda url: ChatQwenPortal(plan=url, base_url=url).invoke("Hello"),
}
WAYS = BASE_URLS | LITELLMS | PLANS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer every request here; give the hosts that got one."""
    hosts: list[str] = []

    def answer(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"].startswith("Bearer ")
        hosts.append(request.url.host)
        return httpx.Response(200, json={**ANSWER, "choices": [CHOICE]}, request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", answer)
    monkeypatch.setenv("QWEN_PORTAL_ALLOWED_HOSTS", "allowed.example")
    return hosts


@pytest.fixture
def has_sign_in(emulator: Emulator) -> None:
    """Keep a sign-in."""
    keep_sign_in(emulator)


@pytest.fixture
def has_stored_key() -> None:
    """Keep a key of Model Studio."""
    Session().accounts.signed_in("default", Credential.from_key(Secret(KEY), plan="coding"))


@pytest.fixture
def has_environments_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a key of Model Studio into the environment."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")


@pytest.mark.usefixtures("has_sign_in")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_sign_in_goes_where_the_environment_or_the_rule_says(asked: list[str], way: str, address: str) -> None:
    """LangChain's address may be one that a bearer may go to anyway; a plan is of keys, and LiteLLM's address too."""
    welcome = way in BASE_URLS and address in {ALLOWED, QWENS}
    if welcome:
        WAYS[way](address)
    else:
        with pytest.raises(Exception, match=r"came without|there is no key of it"):
            WAYS[way](address)
    assert asked == ([httpx.URL(address).host] if welcome else [])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", [*ADDRESSES, WORKSPACE])
@pytest.mark.parametrize("credential", ["has_stored_key", "has_environments_key"])
def test_a_key_goes_to_no_address_that_it_did_not_come_with(
    request: pytest.FixtureRequest, asked: list[str], credential: str, way: str, address: str
) -> None:
    """An allowed host is one for bearers; a sub-domain of Qwen's is no plan's; a workspace is anybody's."""
    request.getfixturevalue(credential)
    with pytest.raises(Exception, match=r"came without|there is no key of it|is refused"):
        WAYS[way](address)
    assert asked == []


@pytest.mark.usefixtures("has_environments_key")
@pytest.mark.parametrize("way", BASE_URLS | PLANS)
@pytest.mark.parametrize("name", ["QWEN_PORTAL_BASE_URL", "QWEN_PORTAL_PLAN"])
def test_the_environments_key_goes_where_the_environment_says(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, way: str, name: str
) -> None:
    """An argument that says the same, with or without a slash, changes nothing."""
    monkeypatch.setenv(name, "https://own.example/v1")
    WAYS[way]("https://own.example/v1/")
    assert asked == ["own.example"]


@pytest.mark.usefixtures("has_environments_key")
def test_a_plan_of_the_catalogue_may_be_named_by_anyone(asked: list[str]) -> None:
    """Its address is no argument: a key goes to a host of the vendor's."""
    PortalClient(plan="coding-intl").chat(HELLO)
    ChatQwenPortal(base_url="https://coding.dashscope.aliyuncs.com/v1").invoke("Hello")
    assert asked == ["coding-intl.dashscope.aliyuncs.com", "coding.dashscope.aliyuncs.com"]


@pytest.mark.usefixtures("has_environments_key", "has_sign_in")
def test_a_key_that_comes_with_an_address_goes_there(asked: list[str]) -> None:
    """Both are the caller's."""
    url = "https://own.example/v1"
    PortalClient(api_key=KEY, plan=url).chat(HELLO)
    ChatQwenPortal(api_key=KEY, base_url=url).invoke("Hello")
    _litellm(api_key=KEY, api_base=url)
    assert asked == ["own.example"] * 3


@pytest.mark.parametrize("credential", ["has_sign_in", "has_stored_key", "has_environments_key"])
def test_an_address_of_a_programs_own_code_is_the_users(
    request: pytest.FixtureRequest, asked: list[str], credential: str
) -> None:
    """No data reaches PortalClient's base_url."""
    request.getfixturevalue(credential)
    PortalClient(base_url="https://own.example/v1").chat(HELLO)
    assert asked == ["own.example"]
