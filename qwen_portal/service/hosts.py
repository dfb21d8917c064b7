"""The hosts that a bearer may be sent to.

An OAuth bearer goes to qwen.ai and its sub-domains over https, and to hosts that the user named. A key goes to
its plan's host or to the user's URL. The check is made on the parsed address, when it is stored and again on
each request.
"""

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from qwen_portal.errors import QwenHostNotAllowedError
from qwen_portal.secrets import printable

_QWEN = "qwen.ai"
_UNSAFE = r"[^\x21-\x7e]|[\\%<>\"'`{}|^]"
_HOST = r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z"


# This machine, as far as plain http goes; nothing else bypasses the proxy variables, so nothing else may be http.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Tell whether a host name is one of this machine's, :data:`LOOPBACK`."""
    return host in LOOPBACK


def _is_host(name: str) -> bool:
    if not re.match(_HOST, name):
        return False
    try:
        # what begins as an encoded name must be one, or the HTTP library fails at every request
        name.encode("ascii").decode("idna")
    except UnicodeError:
        return False
    return True


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
    if not (_is_host(host) or is_loopback(host)) or port == 0:
        raise _refused(url, "its host name is not a plain one")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise _refused(url, "only https is accepted (plain http for this machine alone)")
    return parts


def _refused(
    url: str, why: str, hint: str | None = "Write it as https://host or https://host/path."
) -> QwenHostNotAllowedError:
    return QwenHostNotAllowedError(f"The address {printable(url, limit=120)!r} is refused: {why}.", hint=hint)


def origin(url: str) -> str:
    """Return ``scheme://host[:port]`` of an address, without a default port."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


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
