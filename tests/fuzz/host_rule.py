"""Fuzz target: the rule of hosts, against other readers of addresses.

The text has two lines: what a server, or a caller, named; and what the user named.
"""

import importlib.util
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.service.hosts import check_oauth_host, is_loopback, origin, portal_url, user_url
from tests.addresses import BAD, GOOD, is_qwens

_LONGEST_SEED = 200
WORDS = (
    *("https://", "http://", "://", "qwen.ai", ".qwen.ai", "portal", "evil.example", "localhost", "127.0.0.1", "[::1]"),
    *(
        ":443",
        ":80",
        ":0",
        ":",
        "@",
        "\\",
        "?",
        "#",
        "%2e",
        "%00",
        "xn--",
        "xn--mnchen-3ya",
        "[v1.",
        "]",
        "0x7f",
        "/v1",
    ),
    *("\u3002", "\uff0f", "\u00ad", "\u202e", "\t", "\r\n", "..", "/../", "//"),
)
SEEDS = [
    f"{address}\nhttps://named.example:8443".encode("utf-8", "surrogatepass")
    for address in (*GOOD, *BAD)
    if len(address) < _LONGEST_SEED
] + [b"https://named.example:8443/v1\nhttps://named.example:8443", b"http://[::1]:9/v1\nhttp://[::1]:9"]


def _readers() -> list[Callable[[str], str | None]]:
    readers: list[Callable[[str], str | None]] = [
        lambda url: urlsplit(url).hostname,
        lambda url: httpx.URL(url).raw_host.decode("ascii"),
    ]
    if importlib.util.find_spec("ada_url") is not None:
        # as browsers and Node read addresses
        ada = importlib.import_module("ada_url")
        readers.append(lambda url: ada.URL(url).hostname.strip("[]"))
    return readers


_READERS = _readers()


def check(data: bytes) -> None:
    """Judge an address: what is let through leads to one host, whoever reads it, and to one that is allowed."""
    text = data.decode("utf-8", "surrogateescape")
    asked, _, named = text.partition("\n")
    _judge(portal_url, asked, set())
    trusted = _judge(user_url, named, None)
    # a host that was named lets no other through
    _judge(lambda url: portal_url(url, trusted=trusted), asked, trusted)
    _judge(lambda url: _checked(url, trusted), asked, trusted)


def _checked(url: str, trusted: set[str]) -> str:
    check_oauth_host(url, trusted=trusted)
    return url


def _judge(rule: Callable[[str], str], url: str, trusted: set[str] | None) -> set[str]:
    """Return the origin that a rule lets through, in a set; ``None`` as what is trusted lets every origin pass."""
    try:
        made = rule(url)
    except QwenHostNotAllowedError as exc:
        str(exc).encode()
        return set()
    hosts = {read(made) for read in _READERS}
    assert len(hosts) == 1, (made, hosts)
    sent = httpx.Request("POST", f"{made}/chat/completions").url
    host, place = sent.raw_host.decode("ascii"), origin(str(sent))
    assert sent.host
    assert sent.scheme == "https" or is_loopback(host)
    assert place == origin(made)
    assert trusted is None or place in trusted or (is_qwens(host) and sent.port in {None, 443})
    return {place}
