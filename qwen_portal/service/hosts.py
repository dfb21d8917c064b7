"""The hosts that a bearer may be sent to.

An OAuth bearer goes to qwen.ai and its sub-domains over https, and to hosts that the user named. A key goes to
its plan's host or to the user's URL. The check is made on the parsed address, when it is stored and again on
each request.
"""

import contextlib
import functools
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.secrets import printable

_QWEN = "qwen.ai"
_UNSAFE = r"[^\x21-\x7e]|[\\%<>\"'`{}|^]"
# RFC 1123 §2.1, with the lengths of RFC 1035 §2.3.4
_HOST = r"(?=.{1,253}\Z)(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z"
_ENCODED = "xn--"
# Resolvers read 2130706433, 127.1 and 0x7f.1 as addresses; so does the WHATWG's "ends in a number".
_NUMBER = r"(^|\.)(\d+|0x[0-9a-f]*)\Z"

# Each request asks of the same few addresses what they say; a refusal is not remembered.
_ADDRESSES = 32

# This machine, as far as plain http goes; nothing else bypasses the proxy variables, so nothing else may be http.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ArgumentUrl(str):
    """An address that came as data, such as a chain's manifest: it is nobody's word on where a secret may go."""

    __slots__ = ()


def is_loopback(host: str) -> bool:
    """Tell whether a host name is one of this machine's, :data:`LOOPBACK`."""
    return host in LOOPBACK


def _is_host(name: str) -> bool:
    if not re.match(_HOST, name):
        return False
    if re.search(_NUMBER, name):
        return _is_ipv4(name)
    return _ENCODED not in name or _is_encoded(name)


def _is_encoded(name: str) -> bool:
    # what begins as an encoded name must be one to the HTTP library, or it fails at every request
    import idna

    with contextlib.suppress(UnicodeError):
        return bool(idna.decode(name))
    return False


def _is_ipv4(name: str) -> bool:
    import ipaddress

    with contextlib.suppress(ValueError):
        return bool(ipaddress.IPv4Address(name))
    return False


@functools.lru_cache(_ADDRESSES)
def _parse(url: str) -> SplitResult:
    if re.search(_UNSAFE, url):
        raise _refused(url, "it holds characters that do not belong in an address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(url, "it is not a valid address") from None
    if parts.username is not None or parts.password is not None:
        raise _refused(url, "it carries a user name or password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise _refused(url, "it carries a query or fragment")
    host = parts.hostname or ""
    # nothing beside what was read: [v1.qwen.ai] and [::1].qwen.ai name other hosts to other programs, or none
    plain = _authority(host, port)
    if not (_is_host(host) or is_loopback(host)) or port == 0 or parts.netloc.lower() != plain:
        raise _refused(url, "its host name is not a plain one")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise _refused(url, "only https is accepted (plain http for this machine alone)")
    return parts


def _refused(
    url: str, why: str, hint: str | None = "Write it as https://host or https://host/path."
) -> QwenHostNotAllowedError:
    return QwenHostNotAllowedError(f"The address {printable(url, limit=120)!r} is refused: {why}.", hint=hint)


def _authority(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


@functools.lru_cache(_ADDRESSES)
def origin(url: str) -> str:
    """Return ``scheme://host[:port]`` of an address, without a default port."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{_authority(parts.hostname or '', None if parts.port == default else parts.port)}"


def user_url(url: str) -> str:
    """Normalise an address that the user named: any https host, or plain http on this machine.

    Args:
        url: A full address, or a host with or without a path.

    Returns:
        The address with a scheme and without a trailing slash.

    Raises:
        QwenHostNotAllowedError: The address is malformed or not https.
    """
    url = url.strip()
    full = url if "://" in url else f"https://{url}"
    _parse(full)
    return full.rstrip("/")


def portal_url(resource_url: str, *, trusted: Collection[str] = ()) -> str:
    """Turn a server's ``resource_url`` into a chat base URL, or refuse it.

    Args:
        resource_url: ``"portal.qwen.ai"``, or a full address with or without ``/v1``.
        trusted: Origins (``https://host[:port]``) or ``host[:port]`` entries that the user named.

    Returns:
        The base URL, such as ``"https://portal.qwen.ai/v1"``.

    Raises:
        QwenHostNotAllowedError: The host is neither Qwen's nor named by the user.
    """
    full = user_url(resource_url)
    check_oauth_host(full, trusted=trusted)
    return full if full.endswith("/v1") else f"{full}/v1"


def check_oauth_host(url: str, *, trusted: Collection[str] = ()) -> None:
    """Refuse an address that an OAuth bearer must not go to.

    Raises:
        QwenHostNotAllowedError: The host is neither Qwen's nor named by the user.
    """
    parts = _parse(url)
    host, port = parts.hostname or "", parts.port
    netloc = parts.netloc.lower()
    if origin(url) in trusted or netloc in trusted or (port in (None, 443) and host in trusted):
        return
    if parts.scheme == "https" and port in (None, 443) and (host == _QWEN or host.endswith(f".{_QWEN}")):
        return
    raise _refused(url, "an OAuth token goes only to qwen.ai, its sub-domains, and hosts that you named", None)
