"""Danger: an address that came as data gets the bearer of the sign-in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumpd, loads
from langchain_core.runnables import ConfigurableField

from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import QwenHostNotAllowedError
from qwen_portal.emulator import Emulator
from tests.canaries import KEY

pytestmark = [
    pytest.mark.filterwarnings("ignore:Parameters:UserWarning"),
    pytest.mark.filterwarnings("ignore:The function `loads` is in beta"),
]
EVIL = "https://evil.example/v1"


def _loaded(**kwargs: Any) -> ChatQwenPortal:
    manifest = dumpd(ChatQwenPortal())
    manifest["kwargs"] |= kwargs
    allowed: dict[str, Any] = {"allowed_objects": [ChatQwenPortal], "valid_namespaces": ["langchain_qwen_portal"]}
    model: ChatQwenPortal = loads(json.dumps(manifest), **allowed)
    return model


def _changed(**fields: Any) -> ChatQwenPortal:
    model = ChatQwenPortal()
    for name, value in fields.items():
        setattr(model, name, value)
    return model


DATA: list[Callable[[], Any]] = [
    lambda: ChatQwenPortal(base_url=EVIL),
    lambda: ChatQwenPortal(openai_api_base=EVIL),  # type: ignore[call-arg]
    lambda: ChatQwenPortal(account="default", base_url=EVIL),
    lambda: ChatQwenPortal(model_kwargs={"base_url": EVIL}),
    lambda: _loaded(base_url=EVIL),
    lambda: _loaded(openai_api_base=EVIL),
    lambda: _loaded(model_kwargs={"base_url": EVIL}),
    lambda: _changed(openai_api_base=EVIL),
    lambda: ChatQwenPortal().model_copy(update={"openai_api_base": EVIL}),
    lambda: (
        ChatQwenPortal()
        .configurable_fields(openai_api_base=ConfigurableField("base_url"))
        .with_config(configurable={"base_url": EVIL})
    ),
]


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize("with_key", [False, True], ids=["sign-in", "key in the environment"])
def test_an_address_argument_gets_no_bearer_of_the_users(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], with_key: bool
) -> None:
    """A manifest, a configuration, a changed field: each is data, and may be anybody's."""
    if with_key:
        monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
        monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    with pytest.raises(QwenHostNotAllowedError, match="never goes to an address that an argument names"):
        make().invoke("Hi")


@pytest.mark.parametrize("name", ["QWEN_PORTAL_BASE_URL", "QWEN_PORTAL_ALLOWED_HOSTS", "QWEN_PORTAL_OAUTH_URL"])
def test_an_address_that_the_environment_names_is_the_users(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever sets the environment may choose."""
    value = {"QWEN_PORTAL_ALLOWED_HOSTS": signed_in.url.removeprefix("http://")}.get(name, signed_in.url)
    monkeypatch.delenv("QWEN_PORTAL_OAUTH_URL")
    monkeypatch.setenv(name, value)
    assert "4" in ChatQwenPortal(base_url=signed_in.base_url).invoke("What is 2+2?").text


def test_a_key_that_comes_with_an_address_goes_there(emulator: Emulator) -> None:
    """Both are the caller's."""
    assert ChatQwenPortal(api_key=KEY, base_url=emulator.base_url).invoke("What is 2+2?").text
