"""Request headers that a caller adds, checked before they are sent."""

from collections.abc import Mapping
from typing import Any

from qwen_portal.errors import QwenBadRequestError

# With them a caller could send a bearer to another service behind the same address, or a second request inside the
# first one, on a connection that all accounts share.
_REFUSED = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade"),
        *("expect", "cookie"),
    }
)
# What an HTTP library says itself, and the user's own cookies in a client of the user's own.
_LIBRARY_S = frozenset({"host", "content-length", "transfer-encoding", "connection", "cookie"})
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def checked_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers as they can be sent.

    Raises:
        QwenBadRequestError: A header that decides where or how the request goes, or one that HTTP cannot say.
    """
    checked = {}
    for name, value in headers.items():
        check_name(name)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or value != value.strip():
            raise QwenBadRequestError(
                f"The value of the header {name!r} is no text that HTTP can send.",
                hint="Pass printable ASCII without a space around it.",
            )
        checked[name] = value
    return checked


def check_name(name: object) -> None:
    """Refuse a header that a caller may not set.

    Raises:
        QwenBadRequestError: It decides where or how the request goes, or it is no header's name.
    """
    lower = name.lower() if isinstance(name, str) else ""
    if not lower or not _TOKEN.issuperset(lower):
        raise QwenBadRequestError(f"{name!r:.60} is no header's name.")
    if lower in _REFUSED or lower.startswith("proxy-"):
        raise QwenBadRequestError(
            f"The header {name!r} is not the caller's to set: it decides where or how the request goes.",
            hint="Leave it out.",
        )


def check_framing(headers: Mapping[str, str]) -> None:
    """Refuse a request whose framing was set by its caller and not by the HTTP library.

    Args:
        headers: All that go out; of a name that comes twice, the values joined by commas.

    Raises:
        QwenBadRequestError: Two servers could read its end, or what follows it, in two ways.
    """
    given = {name.lower(): value.strip().lower() for name, value in headers.items()}
    for name in given:
        if name not in _LIBRARY_S:
            check_name(name)
    length, encoding = given.get("content-length"), given.get("transfer-encoding")
    if (
        (length is not None and encoding is not None)
        or encoding not in {None, "chunked"}
        or not (length is None or (length.isascii() and length.isdecimal()))
        or given.get("connection") not in {None, "keep-alive", "close"}
    ):
        raise QwenBadRequestError(
            "The headers Content-Length, Transfer-Encoding and Connection of this request contradict each other, or "
            "ask for another protocol; a bearer does not go along.",
            hint="Leave these headers to the HTTP library.",
        )
