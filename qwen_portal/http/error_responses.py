"""Error responses: what the service sends instead of an answer, turned into typed errors.

Source: docs/protocol.md, "Chat errors". The code is looked at before the status, because a 403 may be a quota
and a refresh would not help against that.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from qwen_portal.errors import (
    QwenAPIError,
    QwenAuthenticationError,
    QwenBadRequestError,
    QwenConnectionError,
    QwenContentFilterError,
    QwenContextLengthError,
    QwenModelNotFoundError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenServerError,
    QwenTimeoutError,
)
from qwen_portal.secrets import Secret, printable

_QUOTA_CODES = {
    "insufficient_quota",
    "quota_exceeded",
    "throttling.allocationquota",
    "allocationquota.freetieronly",
    "arrearage",
}
_QUOTA_TEXTS = ("insufficient_quota", "quota exceeded", "quota has been exhausted", "account is in good standing")
_QUOTA_STATUS = {400, 403, 429}
_BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 400, 401, 404
_REQUEST_TIMEOUT, _TOO_MANY, _SERVER = 408, 429, 500
_AUTH_STATUS = {401, 403}
_REDIRECTS = range(300, 400)


def is_quota(status: int, body: Any) -> bool:
    """Tell whether an answer says that a quota is used up, rather than that a token is bad.

    Args:
        status: HTTP status.
        body: The parsed JSON body, or ``None``.
    """
    return _names_quota(status, body) and not _is_concurrency(body)


def _names_quota(status: int, body: Any) -> bool:
    code, text = _code_and_text(body)
    if status not in _QUOTA_STATUS:
        return False
    return code in _QUOTA_CODES or (status != _BAD_REQUEST and any(known in text for known in _QUOTA_TEXTS))


def _is_concurrency(body: Any) -> bool:
    """Tell a plan's limit on parallel requests, which speaks of quotas too: waiting a moment is all it takes."""
    return "concurrency" in " ".join(_code_and_text(body))


def error_from_response(
    status: int, headers: Mapping[str, str], content: bytes, *, host: str, secrets: Iterable[Secret] = ()
) -> QwenAPIError:
    """Make the error that an answer stands for.

    Args:
        status: HTTP status; 200 for an error frame inside a stream.
        headers: Response headers.
        content: Response body.
        host: Who answered, for the message.
        secrets: What must not appear in the message even if the server echoes it.
    """
    body = _parse(content)
    code, text = _code_and_text(body)
    kind = _error_class(status, code, text, body)
    web_page = is_web_page(headers, content)
    said = printable(_message(body) or content.decode("utf-8", "replace"), secrets=secrets)
    if web_page:
        said = "a web page, not JSON: a gateway, a firewall or a proxy is in the way"
        if status < _SERVER:
            kind = QwenConnectionError
    shown = printable(_code(body), limit=60, secrets=secrets)
    label = f"HTTP {status}, {shown}" if shown else f"HTTP {status}"
    error = kind(
        f"{host} answered {said or 'nothing'} ({label}).",
        kind="firewall" if web_page and status < _SERVER else None,
        status=status,
        code=shown or None,
        request_id=_request_id(headers, body),
        retry_after=_retry_after(headers),
    )
    if isinstance(error, QwenQuotaExceededError):
        error.resets_at = _reset_time(text)
    if status == _NOT_FOUND and not content.strip():
        error.hint = "The address has no such path; a base URL usually ends in /v1."
    return error


def is_wrong_key(error: QwenAPIError) -> bool:
    """Tell whether the service knows no such key, rather than that the key may not do what was asked.

    Source: docs/protocol.md, "Chat errors", the 401s and the Coding Plan's 403.
    """
    said = f"{error.code or ''} {error.message}".lower()
    return error.status == _UNAUTHORIZED or "invalid_api_key" in said or "invalid api-key" in said


def is_web_page(headers: Mapping[str, str], content: bytes) -> bool:
    """Tell whether a body is HTML."""
    return "text/html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"


def _error_class(  # noqa: PLR0911 - the catalogue as a table, a line per row
    status: int, code: str, text: str, body: Any
) -> type[QwenAPIError]:
    if _names_quota(status, body) or (status < _BAD_REQUEST and code in _QUOTA_CODES):
        return QwenRateLimitError if _is_concurrency(body) else QwenQuotaExceededError
    if "range of input length" in text or code == "context_length_exceeded":
        return QwenContextLengthError
    if "data_inspection" in code or "datainspection" in text:
        return QwenContentFilterError
    if status in _AUTH_STATUS or code == "invalid_api_key":
        return QwenAuthenticationError
    if status == _TOO_MANY or code.startswith(("throttling", "limit_requests")):
        return QwenRateLimitError
    if status == _NOT_FOUND or code == "model_not_found" or ("model" in text and "is not supported" in text):
        return QwenModelNotFoundError
    if status == _REQUEST_TIMEOUT:
        return QwenTimeoutError
    if status in _REDIRECTS:
        return QwenConnectionError
    return QwenServerError if status >= _SERVER or status < _BAD_REQUEST else QwenBadRequestError


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _error(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else {"message": str(error)}


def _message(body: Any) -> str:
    return str(_error(body).get("message") or "")


def _code_and_text(body: Any) -> tuple[str, str]:
    return _code(body).lower(), f"{_error(body).get('type') or ''} {_message(body)}".lower()


def _code(body: Any) -> str:
    error = _error(body)
    return str(error.get("code") or error.get("type") or "")


def _request_id(headers: Mapping[str, str], body: Any) -> str | None:
    found = headers.get("x-request-id") or (body.get("request_id") if isinstance(body, dict) else None)
    return printable(str(found), limit=80) if found else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, in seconds or as a date (RFC 9110 §10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except ValueError:
        return None


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
