"""Responses of the sign-in host: tokens, device codes, and the many ways of not getting either.

Source: docs/protocol.md, "Sign-in".
"""

import math
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from qwen_portal.answers.error_responses import is_web_page
from qwen_portal.answers.refusals import refusal_body
from qwen_portal.errors import QwenError, QwenOAuthError, QwenRateLimitError, QwenServerError
from qwen_portal.secrets import Secret, printable
from qwen_portal.text import sentence
from qwen_portal.untrusted_json import json_object, token

if TYPE_CHECKING:
    import httpx

DEFAULT_INTERVAL = 2.0
_DEFAULT_DEVICE_LIFE = 900.0
_LONGEST_DEVICE_LIFE = 86_400.0
_DEAD_CODES = {"invalid_request", "invalid_grant", "invalid_token", "expired_token", "token_expired", "access_denied"}
# What a refusal with any other code means, unless that is about the client, or passes.
_DEAD_STATUS = {401, 403}
_OTHER_CODES = {
    "invalid_client",
    "unauthorized_client",
    "slow_down",
    "temporarily_unavailable",
    "server_error",
    "rate_limit_exceeded",
}
_LONGEST_ADDRESS = 2000
_TOO_MANY = 429
_SERVER_ERROR = 500
_MEMBER = re.compile(
    r'"(access_token|refresh_token|expires_in|resource_url|endpoint)"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.)*"|\d+)'
)


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """The answer to a device code request (RFC 8628 §3.2).

    Attributes:
        device_code: What the poll sends; a secret.
        user_code: What the person compares or types.
        verification_uri: The page to open.
        verification_uri_complete: The same page with the code filled in.
        expires_in: Seconds until the code is void.
        interval: Seconds between two polls.
        host_time: What the host's clock said, in seconds since the epoch; ``None`` if it did not say.
    """

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float
    host_time: float | None = None


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A token answer (RFC 6749 §5.1, with the service's ``resource_url``).

    Attributes:
        access_token: The bearer.
        refresh_token: The next refresh token, or ``None`` where the answer had none: the old one stays.
        expires_in: Seconds, or ``None`` where the answer had none.
        resource_url: Where to send requests, as the server said it; not checked here.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: float | None = None
    resource_url: str | None = None


def device_authorization(response: "httpx.Response") -> DeviceAuthorization:
    """Read the answer to a device code request.

    Raises:
        QwenError: It is none; a refusal also comes with status 200.
    """
    body = _secrets_wrapped(json_body(response))
    device_code = body.get("device_code")
    if not response.is_success or not isinstance(device_code, Secret):
        raise refusal(response, "The sign-in host gave no device code")
    uri = printable(str(body.get("verification_uri") or ""), limit=2000)
    user_code = printable(str(body.get("user_code") or ""), limit=64)
    complete = printable(str(body.get("verification_uri_complete") or ""), limit=2000)
    return DeviceAuthorization(
        device_code=device_code,
        user_code=user_code,
        verification_uri=uri,
        verification_uri_complete=_with_client(complete or f"{uri}?user_code={user_code}"),
        expires_in=min(_number(body.get("expires_in")) or _DEFAULT_DEVICE_LIFE, _LONGEST_DEVICE_LIFE),
        interval=_number(body.get("interval")) or DEFAULT_INTERVAL,
        host_time=_date(response.headers.get("date", "")),
    )


def _with_client(uri: str) -> str:
    """Name the client: without it the page says that "user_code or client is null"."""
    if "client=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}client=qwen-code"


def is_dead(response: "httpx.Response", code: str) -> bool:
    """Tell a dead refresh token from everything that passes; only the first ends a sign-in."""
    if (
        response.status_code >= _SERVER_ERROR
        or response.status_code == _TOO_MANY
        or is_web_page(response.headers, response.content)
    ):
        return False
    # without a code it may be a proxy's or a gateway's, which knows nothing of the token
    rejected = response.status_code in _DEAD_STATUS and code not in {"", *_OTHER_CODES}
    return rejected or code in _DEAD_CODES


def token_response(response: "httpx.Response") -> TokenResponse | None:
    """Read a token answer, whatever else is in it or wrong with it; ``None`` where it holds no access token.

    The token that was sent is spent by now, so a pair that is thrown away is a sign-in lost.
    """
    if not response.is_success:
        return None
    text = _text(response)
    body = _secrets_wrapped(json_object(text) or _members(text))
    access_token, refresh_token = body.get("access_token"), body.get("refresh_token")
    resource_url = body.get("resource_url") or body.get("endpoint")
    if not isinstance(access_token, Secret):
        return None
    return TokenResponse(
        access_token=access_token,
        refresh_token=refresh_token if isinstance(refresh_token, Secret) else None,
        expires_in=_number(body.get("expires_in")),
        resource_url=_address(resource_url) if isinstance(resource_url, str) and resource_url else None,
    )


def _address(said: str) -> str:
    # not cleaned, or it might become another one; only half a character could not be kept
    return said[:_LONGEST_ADDRESS].encode("utf-8", "replace").decode()


def _members(text: str) -> dict[str, Any]:
    """Find a token answer's fields in what no parser takes: cut short, or nested too deep."""
    members = (json_object(f"{{{member[0]}}}") for member in _MEMBER.finditer(text))
    return {name: value for member in members if member is not None for name, value in member.items()}


def _secrets_wrapped(body: dict[str, Any]) -> dict[str, Any]:
    secret = ("access_token", "refresh_token", "device_code", "id_token")
    return {name: _wrapped(value) if name in secret else value for name, value in body.items()}


def _wrapped(value: object) -> Secret | None:
    number = isinstance(value, int) and not isinstance(value, bool)
    found = token(str(value) if number else value)
    return None if found is None else Secret(found)


def refusal(response: "httpx.Response", what: str, secrets: tuple[Secret, ...] = ()) -> QwenError:
    """Tell a web page, a busy host and a plain refusal apart."""
    if is_web_page(response.headers, response.content) and response.status_code < _SERVER_ERROR:
        return QwenOAuthError(
            f"{what}: {response.url.host} answered with a web page, not JSON. A firewall or a proxy is in the way.",
            hint="Try from another network, or set HTTPS_PROXY; nothing stored was changed.",
            kind="firewall",
        )
    text = sentence(f"{what}: {words(response, secrets)}")
    if response.status_code == _TOO_MANY:
        return QwenRateLimitError(text, status=_TOO_MANY)
    if response.status_code >= _SERVER_ERROR:
        return QwenServerError(text, status=response.status_code)
    return QwenOAuthError(text)


def json_body(response: "httpx.Response") -> dict[str, Any]:
    """Return the answer's JSON object.

    Raises:
        QwenError: It is a web page, empty or another body, and the error says so.
    """
    body = json_object(_text(response))
    if body is not None:
        return body
    if response.is_success and not is_web_page(response.headers, response.content):
        empty = "an empty answer" if not response.content.strip() else "something that is not JSON"
        msg = f"The sign-in host {response.url.host} gave {empty}."
        raise QwenOAuthError(msg, hint="Try again in a minute; nothing stored was changed.")
    raise refusal(response, "The sign-in host could not be understood")


def _text(response: "httpx.Response") -> str:
    # not response.json(), which gives up on a single byte that is not UTF-8
    return response.content.decode("utf-8", errors="replace")


def _fields(response: "httpx.Response") -> dict[str, Any]:
    return json_object(_text(response)) or refusal_body(response.content)


def error_code(response: "httpx.Response") -> str:
    """Return the OAuth error code in lower case, ``""`` if there is none; both cases were seen."""
    code = _fields(response).get("error")
    return code.lower() if isinstance(code, str) else ""


def is_pending(response: "httpx.Response") -> bool:
    """Recognise the old pending shape, 200 with a status."""
    status = _fields(response).get("status")
    return isinstance(status, str) and status.lower() == "pending"


def words(response: "httpx.Response", secrets: tuple[Secret, ...]) -> str:
    """Return what a refusal says of itself, safe to show."""
    fields = _fields(response)
    parts = [str(fields[name]) for name in ("error", "error_description") if isinstance(fields.get(name), str)]
    return printable(": ".join(parts), secrets=secrets) or f"HTTP {response.status_code}"


def _date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number > 0 and math.isfinite(number) and not isinstance(value, bool) else None
