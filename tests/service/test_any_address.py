"""Any address at all, as a server or a variable may name it: what our rule lets pass, others read the same way."""

import ipaddress
import os
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from qwen_portal.errors import QwenError, QwenHostNotAllowedError
from qwen_portal.service.hosts import check_oauth_host, is_loopback, origin, portal_url, user_url
from qwen_portal.settings import load_settings
from tests.addresses import BAD, GOOD, is_qwens

# The same examples on every machine; EXAMPLES=100000 looks further.
ANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "1000")),
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

_WORDS = r"""
qwen.ai portal evil evil.example . .. - xn-- xn--mnchen-3ya xn--ls8h xn--a https HTTPS http ftp
: :// / // :/ \ @ user pw ? # ; , % 443 :443 :0 :80 :99999 0 127.0.0.1 127.1 0x7f 2130706433 localhost
[ ] [::1] ::1 [v1. %25 %2e %40 %00 fe80 /v1 /../ v1 _ * & ' " < | ^ { ~ ! $ ( =
"""
_ODD = "\t\n\r\0 \x1b\x7f\xad\u200d\u202e\u3002\uff0f\u2100\ud800\u0131\xe9\u043e\xdf\u24d0\uff51"
_PARTS = [*_WORDS.split(), *_ODD]
pieces = st.lists(st.sampled_from(_PARTS) | st.text(max_size=3), max_size=9).map("".join)


@st.composite
def _changed(draw: st.DrawFn) -> str:
    """Draw an address of the table, with something put into it, taken out of it, or in another place."""
    url = draw(st.sampled_from([*GOOD, *(each for each in BAD if len(each) < 200)]))
    at, until = sorted((draw(st.integers(0, len(url))), draw(st.integers(0, len(url)))))
    return (
        url[:at] + draw(st.sampled_from(_PARTS) | st.just(url[at:until])) + url[until if draw(st.booleans()) else at :]
    )


addresses = pieces | _changed() | st.builds("https://{}{}".format, pieces, st.sampled_from(["", ".qwen.ai", "qwen.ai"]))

READERS: dict[str, Callable[[str], str | None]] = {
    "urllib": lambda url: urlsplit(url).hostname,
    "httpx": lambda url: httpx.URL(url).raw_host.decode("ascii"),
    "yarl": lambda url: yarl.URL(url).raw_host,
    "urllib3": lambda url: (parse_url(url).host or "").strip("[]").lower(),
}


def _hosts(url: str) -> set[str | None]:
    return {read(url) for read in READERS.values()}


def _sent_to(url: str) -> httpx.URL:
    """Return the address that a request goes to: all that the HTTP library makes of it must work."""
    request = httpx.Request("POST", f"{url}/chat/completions")
    assert request.url.host
    assert request.headers["Host"] == request.url.netloc.decode("ascii")
    return request.url


@ANY
@given(addresses)
@example("https://[v1.qwen.ai]")
@example("https://xn--ls8h.qwen.ai")
def test_a_servers_address_leads_to_qwen_whoever_reads_it(url: str) -> None:
    """Or it is refused: no parser, the HTTP library's least of all, finds another host in it than our rule did."""
    try:
        made = portal_url(url)
    except QwenHostNotAllowedError:
        return
    (host,) = _hosts(made)
    assert is_qwens(host or "")
    sent = _sent_to(made)
    assert (sent.scheme, sent.port) in {("https", None), ("https", 443)}
    check_oauth_host(str(sent))


@ANY
@given(addresses)
@example("https:/portal.qwen.ai")
@example("https://[::1].qwen.ai")
@example("https://999.1.1.1")
def test_a_users_address_is_the_same_to_all_who_read_it(url: str) -> None:
    """The host that an error names, that a proxy is exempt for and that is connected to, is one; http stays here."""
    try:
        made = user_url(url)
    except QwenHostNotAllowedError:
        return
    (host,) = _hosts(made)
    assert host
    sent = _sent_to(made)
    assert sent.scheme == "https" or is_loopback(host)
    assert origin(str(sent)) == origin(made)
    with suppress(ValueError):
        # a number that a resolver would read as another address than it looks like
        assert str(ipaddress.ip_address(host)) == host


@ANY
@given(addresses, addresses)
def test_a_host_that_was_named_opens_no_other(named: str, asked: str) -> None:
    """Of two addresses, the one that the user named lets the other pass only if it leads to the same place."""
    try:
        trusted = {origin(user_url(named))}
        check_oauth_host(asked, trusted=trusted)
    except QwenHostNotAllowedError:
        return
    sent = _sent_to(asked)
    assert origin(str(sent)) in trusted or (is_qwens(sent.raw_host.decode()) and sent.scheme == "https")


@ANY
@given(url=addresses, name=st.sampled_from(["OAUTH_URL", "BASE_URL", "ALLOWED_HOSTS"]))
def test_a_variable_with_any_address_is_read_or_refused(url: str, name: str) -> None:
    """In an error of the package, at the start rather than at the first request."""
    try:
        known = load_settings(environ={f"QWEN_PORTAL_{name}": url, "QWEN_PORTAL_HOME": "/nowhere"})
    except QwenError:
        return
    for entry in known.trusted:
        _sent_to(entry if "://" in entry else f"https://{entry}")


@pytest.mark.parametrize("url", ["https://[v1.qwen.ai]", "https://[::1].qwen.ai", "https://evil.example\\.qwen.ai"])
def test_the_readers_do_differ(url: str) -> None:
    """Else their agreement would prove nothing."""

    def read_by(name: str) -> str | None:
        with suppress(ValueError, httpx.InvalidURL, LocationParseError):
            return READERS[name](url)
        return None

    assert len({read_by(name) for name in READERS}) > 1
