"""Danger: a header of the caller's leads a bearer somewhere else, or a second request into a shared connection."""

from typing import Any

import httpx
import pytest

import qwen_portal
from qwen_portal import PortalAuth, PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenBadRequestError, QwenHostNotAllowedError
from tests.ways import ALL, HELLO, Way

REFUSED = [
    *("Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade"),
    *("Expect", "Cookie", "Proxy-Authorization", "Proxy-Connection", "proxy-anything"),
]
UNSAYABLE: list[tuple[Any, Any]] = [
    ("X-Note", None),
    ("X-Note", 7),
    ("X-Note", b"bytes"),
    ("X-Note", "caf\u00e9"),
    ("X-Note", "a\r\nX-Evil: 1"),
    ("X-Note", "a\x00b"),
    ("X Note", "a"),
    ("X-Note:", "a"),
    ("", "a"),
    (None, "a"),
    ("X-N\u00f6te", "a"),
]


@pytest.mark.parametrize("ask", ALL)
@pytest.mark.parametrize("name", REFUSED)
def test_a_caller_does_not_set_where_a_request_goes(signed_in: Emulator, ask: Way, name: str) -> None:
    """The value does not matter; nothing is sent."""
    with pytest.raises(QwenBadRequestError, match="not the caller's"):
        ask(extra_headers={name: "evil.example"})
    assert not signed_in.chats()


@pytest.mark.parametrize(("name", "value"), UNSAYABLE, ids=repr)
def test_what_http_cannot_say_is_a_bad_request(signed_in: Emulator, name: Any, value: Any) -> None:
    """The HTTP library's own errors would be raw, and quote the value."""
    with pytest.raises(QwenBadRequestError):
        PortalClient().chat(HELLO, extra_headers={name: value})
    assert not signed_in.chats()


@pytest.mark.parametrize("name", ["Host", "Cookie", "Transfer-Encoding"])
def test_openai_s_client_does_not_set_them_either(signed_in: Emulator, name: str) -> None:
    """Its extra_headers come past the request builder."""
    client = qwen_portal.openai_client(max_retries=0)
    with pytest.raises(QwenBadRequestError, match="not the caller's"):
        client.chat.completions.create(model="coder-model", messages=HELLO, extra_headers={name: "x"})  # type: ignore[arg-type]
    assert not signed_in.chats()


def test_a_bearer_is_not_put_on_a_request_that_names_another_host(signed_in: Emulator) -> None:
    """PortalAuth serves any client of httpx, whose requests may say in Host what they like."""
    with (
        httpx.Client(auth=PortalAuth(), base_url=signed_in.base_url) as client,
        pytest.raises(QwenHostNotAllowedError, match=r"evil\.example"),
    ):
        client.get("/models", headers={"Host": "evil.example"})
    assert "authorization" not in {
        name for entry in signed_in.log() for name in entry.headers if entry.path == "/v1/models"
    }


def test_headers_of_the_caller_s_own_go_along(signed_in: Emulator) -> None:
    """Whatever else HTTP can say."""
    PortalClient().chat(HELLO, extra_headers={"X-Trace-Id": "7", "Accept-Language": "de"})
    assert signed_in.chats()[-1].headers["x-trace-id"] == "7"
