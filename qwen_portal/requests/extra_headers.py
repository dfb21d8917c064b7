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
            hint="Leave it out of extra_headers=.",
        )
