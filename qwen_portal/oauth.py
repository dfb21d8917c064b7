"""The sign-in host's wire: device code, poll, refresh. Nothing but HTTP: no printing, no storing, no waiting.

Sources: RFC 8628 (device authorization), RFC 7636 (PKCE), docs/protocol.md "Sign-in".
"""

import base64
import hashlib
import secrets as random
import uuid
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenLoginDeniedError,
    QwenLoginTimeoutError,
    QwenOAuthError,
    QwenRateLimitError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenTimeoutError,
)
from qwen_portal.secrets import Secret, printable
from qwen_portal.settings import CLIENT_ID, CONNECT_TIMEOUT, OAUTH_URL, REFRESH_TIMEOUT, SIGN_IN_TIMEOUT

if TYPE_CHECKING:
    import httpx

SCOPE = "openid profile email model.completion"
DEFAULT_INTERVAL = 2.0
_DEFAULT_DEVICE_LIFE = 900.0
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PASSING_CODES = {"slow_down", "temporarily_unavailable", "server_error", "rate_limit_exceeded"}
_REJECTED = {400, 401, 403}
_TOO_MANY = 429
_SERVER_ERROR = 500


class PollStatus(Enum):
    """A poll's answer that is not a token yet."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"


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
    """

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float


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


def generate_pkce() -> tuple[Secret, str]:
    """Make a PKCE pair (RFC 7636 §4.1, §4.2, S256).

    Returns:
        The verifier (43 characters, a secret) and its challenge.
    """
    verifier = Secret(_base64url(random.token_bytes(32)))
    return verifier, _base64url(hashlib.sha256(verifier.reveal().encode()).digest())


def request_device_code(
    challenge: str,
    *,
    oauth_url: str = OAUTH_URL,
    client_id: str = CLIENT_ID,
    timeout: float = SIGN_IN_TIMEOUT,
) -> DeviceAuthorization:
    """Ask for a device code (RFC 8628 §3.1).

    Args:
        challenge: The S256 challenge of :func:`generate_pkce`.
        oauth_url: Sign-in host.
        client_id: OAuth client id.
        timeout: Seconds.

    Raises:
        QwenOAuthError: The host refused, or answered a web page (``kind == "firewall"``).
        QwenConnectionError: The host could not be reached.
        QwenTimeoutError: It did not answer in time.
    """
    response = _post(
        f"{oauth_url}/api/v1/oauth2/device/code",
        {
            "client_id": client_id,
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        },
        timeout,
        {"x-request-id": str(uuid.uuid4())},
    )
    return _device_authorization(response)


def poll(
    device_code: Secret,
    verifier: Secret,
    *,
    oauth_url: str = OAUTH_URL,
    client_id: str = CLIENT_ID,
    timeout: float = SIGN_IN_TIMEOUT,
) -> TokenResponse | PollStatus:
    """Ask once whether the person has confirmed (RFC 8628 §3.4, §3.5).

    Returns:
        The tokens, or why there are none yet.

    Raises:
        QwenLoginDeniedError: The person refused.
        QwenLoginTimeoutError: The device code is void.
        QwenOAuthError: Any other refusal, or a web page (``kind == "firewall"``).
        QwenConnectionError: The host could not be reached; polling again is safe.
        QwenTimeoutError: It did not answer in time; polling again is safe.
        QwenServerError: It failed; polling again is safe.
    """
    response = _post(
        f"{oauth_url}/api/v1/oauth2/token",
        {
            "grant_type": _DEVICE_GRANT,
            "client_id": client_id,
            "device_code": device_code,
            "code_verifier": verifier,
        },
        timeout,
    )
    code = _error_code(response)
    if code == "authorization_pending" or _is_pending(response):
        return PollStatus.PENDING
    if code == "slow_down":
        return PollStatus.SLOW_DOWN
    if code == "access_denied":
        msg = "The sign-in was refused in the browser."
        raise QwenLoginDeniedError(msg)
    if code == "expired_token" or response.status_code == 401:  # noqa: PLR2004 - HTTP status
        msg = "The device code expired before the sign-in was confirmed."
        raise QwenLoginTimeoutError(msg)
    if not response.is_success or code:
        raise _refusal(response, "The sign-in host refused the sign-in", (device_code, verifier))
    tokens = _token_response(response)
    return PollStatus.PENDING if tokens is None else tokens


def refresh(
    refresh_token: Secret,
    *,
    oauth_url: str = OAUTH_URL,
    client_id: str = CLIENT_ID,
    timeout: float = REFRESH_TIMEOUT,
) -> TokenResponse:
    """Spend a refresh token for a new pair (RFC 6749 §6); the token sent is dead afterwards.

    Raises:
        QwenRefreshTokenInvalidError: The token is dead; only a sign-in helps.
        QwenOAuthError: A web page (``kind == "firewall"``) or an answer without a token; passing.
        QwenRateLimitError, QwenServerError, QwenTimeoutError: Passing.
        QwenConnectionError: Passing; with ``sent`` false the token was surely not spent.
    """
    response = _post(
        f"{oauth_url}/api/v1/oauth2/token",
        {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id},
        timeout,
    )
    code = _error_code(response)
    if code and code not in _PASSING_CODES and (response.status_code in _REJECTED or response.is_success):
        detail = _detail(response, (refresh_token,))
        msg = f"The sign-in host no longer accepts this account's refresh token ({detail})."
        raise QwenRefreshTokenInvalidError(msg)
    if not response.is_success or code:
        raise _refusal(response, "The sign-in host did not renew the token", (refresh_token,))
    tokens = _token_response(response)
    if tokens is None:
        msg = "The sign-in host answered the refresh without a token."
        raise QwenOAuthError(msg, hint="Try again in a minute; the sign-in is kept.")
    return tokens


def _post(
    url: str, form: dict[str, str | Secret], timeout: float, headers: dict[str, str] | None = None
) -> "httpx.Response":
    import httpx

    from qwen_portal.pools import sync_pool

    limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
    error: QwenConnectionError | QwenTimeoutError
    try:
        return sync_pool().post(
            url,
            data={name: value.reveal() if isinstance(value, Secret) else value for name, value in form.items()},
            headers={"Accept": "application/json", **(headers or {})},
            timeout=limits,
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
        error = QwenConnectionError(f"The sign-in host {_host(url)} could not be reached ({_reason(exc)}).")
        error.sent = False
    except httpx.TimeoutException:
        error = QwenTimeoutError(f"The sign-in host {_host(url)} did not answer within {timeout:g} s.")
    except httpx.HTTPError as exc:
        error = QwenConnectionError(f"The connection to the sign-in host {_host(url)} broke ({_reason(exc)}).")
    # Raised outside the handlers: the HTTP library's frames hold the form in clear and must not travel along.
    raise error


def _device_authorization(response: "httpx.Response") -> DeviceAuthorization:
    body = _secrets_wrapped(_json(response))
    device_code = body.get("device_code")
    if not response.is_success or not isinstance(device_code, Secret):
        raise _refusal(response, "The sign-in host gave no device code")
    uri = printable(str(body.get("verification_uri") or ""), limit=2000)
    user_code = printable(str(body.get("user_code") or ""), limit=64)
    complete = printable(str(body.get("verification_uri_complete") or ""), limit=2000)
    return DeviceAuthorization(
        device_code=device_code,
        user_code=user_code,
        verification_uri=uri,
        verification_uri_complete=complete or f"{uri}?user_code={user_code}&client=qwen-code",
        expires_in=_number(body.get("expires_in")) or _DEFAULT_DEVICE_LIFE,
        interval=_number(body.get("interval")) or DEFAULT_INTERVAL,
    )


def _token_response(response: "httpx.Response") -> TokenResponse | None:
    """Read a token answer; ``None`` where the access token is missing or null."""
    body = _secrets_wrapped(_json(response))
    access_token, refresh_token = body.get("access_token"), body.get("refresh_token")
    resource_url = body.get("resource_url") or body.get("endpoint")
    if not isinstance(access_token, Secret):
        return None
    return TokenResponse(
        access_token=access_token,
        refresh_token=refresh_token if isinstance(refresh_token, Secret) else None,
        expires_in=_number(body.get("expires_in")),
        resource_url=printable(resource_url, limit=2000) if isinstance(resource_url, str) and resource_url else None,
    )


def _secrets_wrapped(body: dict[str, Any]) -> dict[str, Any]:
    secret = ("access_token", "refresh_token", "device_code", "id_token")
    return {name: Secret(str(value)) if name in secret and value else value for name, value in body.items()}


def _refusal(response: "httpx.Response", what: str, secrets: tuple[Secret, ...] = ()) -> QwenError:
    """Tell a web page, a busy host and a plain refusal apart."""
    if _is_web_page(response):
        return QwenOAuthError(
            f"{what}: {response.url.host} answered with a web page, not JSON. A firewall or a proxy is in the way.",
            hint="Try from another network, or set HTTPS_PROXY; nothing stored was changed.",
            kind="firewall",
        )
    if not _error_code(response) and response.status_code >= _SERVER_ERROR:
        return QwenServerError(f"{what}: HTTP {response.status_code}.", status=response.status_code)
    text = f"{what}: {_detail(response, secrets)}."
    if response.status_code == _TOO_MANY:
        return QwenRateLimitError(text, status=_TOO_MANY)
    if response.status_code >= _SERVER_ERROR:
        return QwenServerError(text, status=response.status_code)
    return QwenOAuthError(text)


def _json(response: "httpx.Response") -> dict[str, Any]:
    """Parse a JSON object; a web page, an empty or another body raises the error that says so."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    if response.is_success and not _is_web_page(response):
        empty = "an empty answer" if not response.content.strip() else "something that is not JSON"
        msg = f"The sign-in host {response.url.host} gave {empty}."
        raise QwenOAuthError(msg, hint="Try again in a minute; nothing stored was changed.")
    raise _refusal(response, "The sign-in host could not be understood")


def _fields(response: "httpx.Response") -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_code(response: "httpx.Response") -> str:
    code = _fields(response).get("error")
    return code.lower() if isinstance(code, str) else ""


def _is_pending(response: "httpx.Response") -> bool:
    status = _fields(response).get("status")
    return isinstance(status, str) and status.lower() == "pending"


def _is_web_page(response: "httpx.Response") -> bool:
    return "text/html" in response.headers.get("content-type", "") or response.content.lstrip()[:1] == b"<"


def _detail(response: "httpx.Response", secrets: tuple[Secret, ...]) -> str:
    fields = _fields(response)
    parts = [str(fields[name]) for name in ("error", "error_description") if isinstance(fields.get(name), str)]
    return printable(": ".join(parts), secrets=secrets) or f"HTTP {response.status_code}"


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if number > 0 and not isinstance(value, bool) else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _host(url: str) -> str:
    return url.split("/")[2]


def _reason(exc: Exception) -> str:
    return printable(str(exc), limit=120) or type(exc).__name__
