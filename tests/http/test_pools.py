"""What all accounts of a process share must not link one with another, nor lead a request past this machine."""

import httpx
import pytest

import qwen_portal
from qwen_portal import PortalClient
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.http import pools
from qwen_portal.service.hosts import LOOPBACK, is_loopback, user_url
from tests.ways import HELLO


def _with_cookie(client: httpx.Client, handler: httpx.BaseTransport) -> list[httpx.Request]:
    """Send two requests through a client whose every transport is the handler's."""
    asked = []
    client._transport, client._mounts = handler, {}
    for _ in range(2):
        request = client.build_request("GET", "https://portal.qwen.ai/v1/models")
        client.send(request)
        asked.append(request)
    return asked


def _setting_a_cookie(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"set-cookie": "id=linked; Domain=qwen.ai; Path=/"})


def test_a_cookie_that_is_set_for_an_account_is_not_sent_with_the_next() -> None:
    """Nor to the sign-in host: cookies would tell that two accounts are one person's."""
    with pools.lone_client() as client:
        asked = _with_cookie(client, httpx.MockTransport(_setting_a_cookie))
    assert all("cookie" not in request.headers for request in asked)
    assert not client.cookies


@pytest.mark.usefixtures("signed_in")
def test_openai_s_client_keeps_no_cookie_either() -> None:
    """It has connections of its own."""
    client = qwen_portal.openai_client()
    inner = client._client
    inner.auth = httpx.Auth()
    asked = _with_cookie(inner, httpx.MockTransport(_setting_a_cookie))
    assert all("cookie" not in request.headers for request in asked)


@pytest.mark.parametrize("host", LOOPBACK)
def test_what_counts_as_this_machine_bypasses_a_proxy(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Plain http is for this machine alone, so each host that may have it must never be a proxy's to see."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pools.lone_client() as client:
        url = httpx.URL(f"http://[{host}]/" if ":" in host else f"http://{host}/")
        assert client._transport_for_url(url) is client._transport


@pytest.mark.parametrize("host", ["127.0.0.2", "127.1", "127.255.255.254", "10.0.0.1", "[::ffff:127.0.0.1]"])
def test_no_other_host_may_have_plain_http(host: str) -> None:
    """It would go to the proxy, bearer in clear."""
    assert not is_loopback(host.strip("[]"))
    with pytest.raises(QwenHostNotAllowedError):
        user_url(f"http://{host}:8080/v1")


@pytest.mark.usefixtures("signed_in")
def test_requests_still_work_without_a_cookie_jar() -> None:
    """The jar is there, and takes nothing."""
    assert PortalClient().chat(HELLO)["choices"]
