"""Error responses: what the service sends instead of an answer, turned into typed errors.

Source: docs/protocol.md, "Chat errors".
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time

from qwen_portal.answers.refusals import Refusal, read_refusal
from qwen_portal.errors import QwenAPIError, QwenConnectionError, QwenQuotaExceededError
from qwen_portal.secrets import Secret, printable

_UNAUTHORIZED, _NOT_FOUND, _SERVER = 401, 404, 500


def is_quota(status: int, content: bytes) -> bool:
    """Tell whether an answer says that a quota is used up, rather than that a token is bad.

    Args:
        status: HTTP status.
        content: The body, in any of the forms of a refusal.
    """
    return issubclass(read_refusal(status, content).error_class(), QwenQuotaExceededError)


def error_from_response(
    status: int, headers: Mapping[str, str], content: bytes, *, host: str, secrets: Iterable[Secret] = ()
) -> QwenAPIError:
    """Make the error that an answer stands for.

    Args:
        status: HTTP status.
        headers: Response headers.
        content: Response body.
        host: Who answered, for the message.
        secrets: What must not appear in the message even if the server echoes it.
    """
    refusal = read_refusal(status, content)
    if is_web_page(headers, content):
        return _web_page(refusal, headers, host, secrets)
    if not refusal.message:
        refusal = refusal._replace(message=content.decode("utf-8", "replace"))
    error = error_from_refusal(refusal, host=host, secrets=secrets, headers=headers)
    if status == _NOT_FOUND and not content.strip():
        error.hint = "The address has no such path; a base URL usually ends in /v1."
    return error


def error_from_refusal(
    refusal: Refusal, *, host: str, secrets: Iterable[Secret] = (), headers: Mapping[str, str] | None = None
) -> QwenAPIError:
    """Make the error that a refusal stands for.

    Args:
        refusal: As it was read.
        host: Who answered, for the message.
        secrets: What must not appear in the message even if the server echoes it.
        headers: The response's headers, if the refusal was the whole answer.
    """
    said = printable(refusal.message, secrets=secrets)
    shown = printable(refusal.code, limit=60, secrets=secrets)
    label = f"HTTP {refusal.status}, {shown}" if shown else f"HTTP {refusal.status}"
    error = refusal.error_class()(
        f"{host} answered{f': {said}' if said else ' nothing'} ({label}).",
        status=refusal.status,
        code=shown or None,
        request_id=_request_id(headers or {}, refusal, secrets),
        retry_after=_retry_after(headers or {}),
    )
    if isinstance(error, QwenQuotaExceededError):
        error.resets_at = _reset_time(refusal.message.lower())
    return error


def _web_page(refusal: Refusal, headers: Mapping[str, str], host: str, secrets: Iterable[Secret]) -> QwenAPIError:
    is_servers = refusal.status >= _SERVER
    return (refusal.error_class() if is_servers else QwenConnectionError)(
        f"{host} answered a web page, not JSON: a gateway, a firewall or a proxy is in the way "
        f"(HTTP {refusal.status}).",
        kind=None if is_servers else "firewall",
        status=refusal.status,
        request_id=_request_id(headers, refusal, secrets),
        retry_after=_retry_after(headers),
    )


def is_wrong_key(error: QwenAPIError) -> bool:
    """Tell whether the service knows no such key, rather than that the key may not do what was asked.

    Source: docs/protocol.md, "Chat errors", the 401s and the Coding Plan's 403.
    """
    said = f"{error.code or ''} {error.message}".lower()
    return error.status == _UNAUTHORIZED or "invalid_api_key" in said or "invalid api-key" in said


def is_web_page(headers: Mapping[str, str], content: bytes) -> bool:
    """Tell whether a body is HTML."""
    return "text/html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"


def _request_id(headers: Mapping[str, str], refusal: Refusal, secrets: Iterable[Secret]) -> str | None:
    found = headers.get("x-request-id") or refusal.request_id
    return printable(found, limit=80, secrets=secrets) if found else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110 §10.2.3)."""
    value = headers.get("retry-after", "")
    # a number that no clock counts is no ValueError
    with suppress(ValueError, OverflowError):
        return max(0.0, _seconds(value))
    return None


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        return parsedate_to_datetime(value).timestamp() - time()
    if not isfinite(seconds):
        raise ValueError
    return seconds


def _reset_time(text: str) -> float | None:
    """Read when a plan's quota comes back; the year, which is not said, is the one that makes it next to come.

    Source: docs/protocol.md, "Chat errors", the Token Plan's refusal.
    """
    named = re.search(r"quota will reset at (\d\d-\d\d \d\d:\d\d:\d\d) utc", text)
    now = datetime.now(UTC)
    if named is None:
        return None
    for year in (now.year, now.year + 1):
        # the 29th of February is not in every year
        with suppress(ValueError):
            moment = datetime.strptime(f"{year}-{named[1]} +0000", "%Y-%m-%d %H:%M:%S %z")
            if moment > now:
                return moment.timestamp()
    return None
