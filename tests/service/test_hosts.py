"""A bearer reaches Qwen's hosts and those the user named, whatever a server or a variable says."""

import pytest

from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.requests.endpoints import base_url, check_destination
from qwen_portal.secrets import Secret
from qwen_portal.service.hosts import check_oauth_host, is_loopback, origin, portal_url, user_url
from qwen_portal.service.plans import PLANS
from qwen_portal.settings import Settings, load_settings
from qwen_portal.storage.credential import Credential
from tests.addresses import BAD, FOREIGN, GOOD, MALFORMED


def _short(url: str) -> str:
    return repr(url)[:60]


@pytest.mark.parametrize(("given", "expected"), GOOD.items())
def test_a_resource_url_of_qwen_becomes_a_base_url(given: str, expected: str) -> None:
    """Every form a server was seen to send, or might, ends in the chat base URL."""
    assert portal_url(given) == expected


@pytest.mark.parametrize("given", BAD, ids=_short)
def test_any_other_resource_url_is_refused(given: str) -> None:
    """Look-alikes, other schemes, user names, ports, encodings and foreign hosts get no bearer."""
    with pytest.raises(QwenHostNotAllowedError):
        portal_url(given)


@pytest.mark.parametrize("given", [*filter(None, BAD), "https://portal.qwen.ai\n"], ids=_short)
def test_the_last_check_before_a_request_refuses_the_same(given: str) -> None:
    """The check on the request's own address is as strict as the one on the stored address."""
    with pytest.raises(QwenHostNotAllowedError):
        check_oauth_host(given)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://proxy.example/v1", {"proxy.example"}),
        ("https://proxy.example:8443/v1", {"proxy.example:8443"}),
        ("http://127.0.0.1:9000", {"http://127.0.0.1:9000"}),
        ("http://[::1]:9000/v1", {"http://[::1]:9000"}),
    ],
)
def test_a_host_that_the_user_named_is_allowed(url: str, trusted: set[str]) -> None:
    """Exactly the host and port that were named, nothing near them."""
    check_oauth_host(url, trusted=trusted)
    with pytest.raises(QwenHostNotAllowedError):
        check_oauth_host(url.replace("example", "example.evil").replace(":9000", ":9001"), trusted=trusted)


def test_a_named_host_without_port_means_https_alone() -> None:
    """Naming a host does not open its other ports."""
    with pytest.raises(QwenHostNotAllowedError):
        check_oauth_host("https://proxy.example:8443/v1", trusted={"proxy.example"})


@pytest.mark.parametrize(
    "bad",
    [
        "http://proxy.example/v1",
        "https://u:p@proxy.example",
        "https://x y",
        "gopher://x",
        *filter(str.strip, MALFORMED),
    ],
    ids=_short,
)
def test_a_users_own_address_must_be_https_or_loopback(bad: str) -> None:
    """Plain http is for this machine alone, even if the user asks for it; and it must be one to every program."""
    with pytest.raises(QwenHostNotAllowedError):
        user_url(bad)


@pytest.mark.parametrize("given", FOREIGN)
def test_any_whole_address_may_be_a_users_own(given: str) -> None:
    """What is refused of a server is refused for whose it is, and its owner may name it."""
    assert user_url(given).endswith(given)


def test_the_table_is_as_long_as_it_should_be() -> None:
    """Each once."""
    assert len(set(BAD)) == len(BAD) >= 60
    assert len(GOOD) >= 12


def test_the_error_names_the_host_and_the_setting() -> None:
    """A person reads which address it was and which variable allows it."""
    with pytest.raises(QwenHostNotAllowedError) as caught:
        portal_url("https://evil.example")
    assert "evil.example" in str(caught.value)
    assert "QWEN_PORTAL_ALLOWED_HOSTS" in caught.value.hint


def test_a_malformed_address_is_not_mended_by_naming_it() -> None:
    """The hint says how to write it, not to allow it."""
    with pytest.raises(QwenHostNotAllowedError) as caught:
        user_url("http://foo.example")
    assert "QWEN_PORTAL_ALLOWED_HOSTS" not in caught.value.hint
    assert "https://" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", False), ("::1", True), ("localhost.example", False)],
)
def test_loopback_is_an_exact_match(host: str, expected: bool) -> None:
    """A name that merely begins with localhost is another machine."""
    assert is_loopback(host) is expected


def test_an_origin_has_no_default_port() -> None:
    """Two spellings of one origin compare equal."""
    assert origin("https://portal.qwen.ai:443/v1") == origin("https://portal.qwen.ai/x") == "https://portal.qwen.ai"
    assert origin("http://[::1]:80/") == "http://[::1]"


def _credential(kind: str, plan: str, resource_url: str | None = None) -> Credential:
    return Credential(kind=kind, plan=plan, access_token=Secret("x"), resource_url=resource_url)  # type: ignore[arg-type]


def test_a_key_goes_to_its_plans_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is refused everywhere else, Qwen's own hosts included; the user's URL overrides."""
    settings = load_settings()
    for plan in PLANS.values():
        if plan.is_oauth:
            continue
        key = _credential("key", plan.name)
        assert base_url(key, settings) == plan.base_url
        check_destination(key, f"{plan.base_url}/chat/completions", settings)
        for other in ("https://portal.qwen.ai/v1", "https://evil.aliyuncs.com/v1"):
            with pytest.raises(QwenHostNotAllowedError):
                check_destination(key, other, settings)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "https://gateway.example/v1")
    assert base_url(_credential("key", "coding"), load_settings()) == "https://gateway.example/v1"


def test_with_base_url_set_the_servers_word_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad resource_url does not matter to somebody who named the address."""
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "https://gateway.example/v1/")
    settings = load_settings()
    credential = _credential("oauth", "oauth", "https://evil.example")
    assert base_url(credential, settings) == "https://gateway.example/v1"
    check_destination(credential, "https://gateway.example/v1/chat/completions", settings)


def test_allowed_hosts_make_a_refused_sign_in_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored address is judged when it is used, so that naming the host is enough."""
    credential = _credential("oauth", "oauth", "https://portal.example")
    with pytest.raises(QwenHostNotAllowedError):
        base_url(credential, load_settings())
    monkeypatch.setenv("QWEN_PORTAL_ALLOWED_HOSTS", "other.example:444, portal.example")
    assert base_url(credential, load_settings()) == "https://portal.example/v1"


def test_without_a_resource_url_the_portal_is_asked() -> None:
    """DashScope, the default of older tools, refuses these tokens."""
    settings: Settings = load_settings()
    assert base_url(_credential("oauth", "oauth"), settings) == "https://portal.qwen.ai/v1"
