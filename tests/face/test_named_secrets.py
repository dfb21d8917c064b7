"""Danger: a setting is refused, and the error's frames or words hold the key or the password that stood beside it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import qwen_portal
from langchain_qwen_portal import ChatQwenPortal
from qwen_portal import AsyncPortalClient, PortalClient, QwenError
from qwen_portal.secrets import printable
from qwen_portal.settings import load_settings
from tests.canaries import KEY, assert_none_in, assert_none_in_error

PASSWORD = "CANARY-PW-77ab01"
REFUSED = [
    ("QWEN_PORTAL_TIMEOUT", "soon"),
    ("QWEN_PORTAL_STORE", "cupboard"),
    ("QWEN_PORTAL_BASE_URL", "http://example.com"),
    ("QWEN_PORTAL_OAUTH_URL", "ftp://example.com"),
    ("QWEN_PORTAL_ALLOWED_HOSTS", "a/b"),
    ("QWEN_PORTAL_ON_QUOTA", "panic"),
    ("QWEN_PORTAL_LOG", "loud"),
    ("QWEN_PORTAL_QUOTA_COOLDOWN", "-1"),
]
ASK: list[Callable[[], object]] = [
    lambda: load_settings(),  # noqa: PLW0108 - its frame is one of those that are looked at
    lambda: PortalClient(),  # noqa: PLW0108
    lambda: PortalClient(api_key=KEY, plan="coding"),
    lambda: AsyncPortalClient(api_key=KEY, plan="coding"),
    lambda: qwen_portal.login("work", plan="coding", api_key=KEY, show=lambda event: None),
    lambda: asyncio.run(qwen_portal.alogin("work", plan="coding", api_key=KEY, show=lambda event: None)),
    lambda: qwen_portal.get_access_token(),  # noqa: PLW0108
    lambda: qwen_portal.openai_client(),  # noqa: PLW0108
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
@pytest.mark.parametrize("ask", ASK)
def test_a_refused_setting_shows_no_key(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], object], name: str, value: str
) -> None:
    """The environment has the key, and another program's password; no frame shows either."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    monkeypatch.setenv(name, value)
    with pytest.raises(QwenError) as caught:
        ask()
    assert_none_in_error(caught.value, [KEY, PASSWORD])


def test_a_key_that_is_none_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as an argument nor in the environment."""
    with pytest.raises(QwenError) as caught:
        PortalClient(api_key=f"{KEY} and more", plan="coding")
    assert_none_in_error(caught.value, [KEY])
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", f"{KEY} and more")
    with pytest.raises(QwenError) as caught:
        PortalClient()
    assert_none_in_error(caught.value, [KEY])


def test_arguments_that_contradict_each_other_show_no_key() -> None:
    """The key is one of them."""
    for given in ({"account": "work"}, {"plan": "no plan"}, {"plan": "studio"}, {"timeout": -1.0}):
        with pytest.raises(QwenError) as caught:
            PortalClient(api_key=KEY, **given).chat([])
        assert_none_in_error(caught.value, [KEY])


@pytest.mark.parametrize("given", [KEY.encode(), [KEY], {"key": KEY}], ids=type)
def test_a_key_that_is_no_string_is_refused_unseen(given: Any) -> None:
    """It is as secret as one that is."""
    for act in (
        lambda: PortalClient(api_key=given, plan="studio"),
        lambda: qwen_portal.login(api_key=given, plan="studio"),
    ):
        with pytest.raises(QwenError) as caught:
            act()
        assert_none_in_error(caught.value, [KEY])


def test_a_chat_model_s_settings_show_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model keeps its key wrapped."""
    model = ChatQwenPortal(api_key=KEY, plan="coding")
    monkeypatch.setenv("QWEN_PORTAL_TIMEOUT", "soon")
    with pytest.raises(QwenError) as caught:
        model.invoke("Hi")
    assert_none_in_error(caught.value, [KEY])


ADDRESSES = [
    f"https://user:{PASSWORD}@gateway.example/v1",
    f"https://{PASSWORD}@gateway.example",
    f"https://gateway.example/v1?api_key={PASSWORD}",
    f"https://gateway.example/v1?x=1&access_token={PASSWORD}",
    f"redis://:{PASSWORD}@127.0.0.1:6379/0",
    f"http://user:{PASSWORD}@127.0.0.1:8080",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "name", ["QWEN_PORTAL_BASE_URL", "QWEN_PORTAL_OAUTH_URL", "QWEN_PORTAL_ALLOWED_HOSTS", "QWEN_PORTAL_STORE"]
)
def test_an_address_is_quoted_without_its_password(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    """An error is pasted into a bug report."""
    monkeypatch.setenv(name, address)
    with pytest.raises(QwenError) as caught:
        load_settings()
    assert_none_in(str(caught.value), [PASSWORD])


@pytest.mark.parametrize("address", ADDRESSES)
def test_server_text_s_addresses_are_masked_too(address: str) -> None:
    """Wherever a text is made printable."""
    assert_none_in(printable(f"went to {address} and back"), [PASSWORD])
    assert "and back" in printable(f"went to {address} and back")


def test_a_sign_in_page_s_code_is_no_secret() -> None:
    """The person compares it."""
    page = "https://chat.qwen.ai/authorize?user_code=ABCD2345&client=qwen-code"
    assert printable(page) == page
