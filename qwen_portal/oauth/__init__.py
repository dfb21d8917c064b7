"""The sign-in host's wire: device code, poll, refresh. Nothing but HTTP: no printing, no storing, no waiting.

Sources: RFC 8628 (device authorization), RFC 7636 (PKCE), docs/protocol.md "Sign-in".
"""

import base64
import hashlib
import secrets as random
import uuid
from enum import Enum
from typing import TYPE_CHECKING

from qwen_portal.answers.error_responses import is_web_page
from qwen_portal.errors import (
    QwenConnectionError,
    QwenLoginDeniedError,
    QwenLoginTimeoutError,
    QwenOAuthError,
    QwenRefreshTokenInvalidError,
    QwenTimeoutError,
)
from qwen_portal.oauth.responses import (
    DeviceAuthorization,
    TokenResponse,
    device_authorization,
    error_code,
    is_dead,
    is_pending,
    json_body,
    refusal,
    token_response,
    words,
)
from qwen_portal.secrets import Secret, frames_emptied, reason
from qwen_portal.settings import CLIENT_ID, CONNECT_TIMEOUT, OAUTH_URL, REFRESH_TIMEOUT, SIGN_IN_TIMEOUT
from qwen_portal.untrusted_json import json_object

if TYPE_CHECKING:
    import httpx

__all__ = [
    "DeviceAuthorization",
    "PollStatus",
    "TokenResponse",
    "generate_pkce",
    "poll",
    "refresh",
    "request_device_code",
]

SCOPE = "openid profile email model.completion"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

# A token answer has a few thousand bytes.
_LARGEST_ANSWER = 1024 * 1024


class PollStatus(Enum):
    """A poll's answer that is not a token yet."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"


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
        QwenRateLimitError: It was asked too often.
        QwenServerError: It failed.
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
    return device_authorization(response)


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
        QwenRateLimitError: It was asked too often, and does not say "slow down".
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
    tokens = token_response(response)
    if tokens is not None:
        return tokens
    code = error_code(response)
    if code == "authorization_pending" or is_pending(response):
        return PollStatus.PENDING
    if code == "slow_down":
        return PollStatus.SLOW_DOWN
    if code == "access_denied":
        msg = "The sign-in was refused in the browser."
        raise QwenLoginDeniedError(msg)
    if code == "expired_token" or (response.status_code == 401 and not is_web_page(response.headers, response.content)):  # noqa: PLR2004
        msg = "The device code expired before the sign-in was confirmed."
        raise QwenLoginTimeoutError(msg)
    if not response.is_success or code:
        raise refusal(response, "The sign-in host refused the sign-in", (device_code, verifier))
    json_body(response)
    return PollStatus.PENDING


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
    from qwen_portal.http.pools import lone_client

    # A connection of its own: one of the pool may have gone stale, or be closed under it, and the answer comes once.
    with lone_client() as client:
        response = _post(
            f"{oauth_url}/api/v1/oauth2/token",
            {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id},
            timeout,
            client=client,
        )
    tokens = token_response(response)
    if tokens is not None:
        return tokens
    code = error_code(response)
    if is_dead(response, code):
        said = words(response, (refresh_token,))
        msg = f"The sign-in host no longer accepts this account's refresh token ({said})."
        raise QwenRefreshTokenInvalidError(msg)
    if not response.is_success or code:
        raise refusal(response, "The sign-in host did not renew the token", (refresh_token,))
    json_body(response)
    msg = "The sign-in host answered the refresh without a token."
    raise QwenOAuthError(msg, hint="Try again in a minute; the sign-in is kept.")


def _post(
    url: str,
    form: dict[str, str | Secret],
    timeout: float,
    headers: dict[str, str] | None = None,
    *,
    client: "httpx.Client | None" = None,
) -> "httpx.Response":
    import httpx

    from qwen_portal.http.bodies import LARGEST
    from qwen_portal.http.deadlines import Deadline
    from qwen_portal.http.pools import sync_pool

    try:
        with (
            frames_emptied(),
            (client or sync_pool()).stream(
                "POST",
                url,
                data={name: value.reveal() if isinstance(value, Secret) else value for name, value in form.items()},
                headers={"Accept": "application/json", **(headers or {})},
                timeout=httpx.Timeout(Deadline(timeout), connect=Deadline(min(timeout, CONNECT_TIMEOUT))),
                extensions={LARGEST: _LARGEST_ANSWER},
            ) as response,
        ):
            return _whole(response)
    except httpx.HTTPError as exc:
        secrets = [value for value in form.values() if isinstance(value, Secret)]
        error = _failure(exc, _host(url), timeout, secrets)
    # Raised outside the handlers: the HTTP library's frames hold the form in clear and must not travel along.
    try:
        raise error
    finally:
        # an error and the frame that has it would be a cycle
        del error


def _failure(
    exc: "httpx.HTTPError", host: str, timeout: float, secrets: list[Secret]
) -> QwenConnectionError | QwenTimeoutError:
    import httpx

    why = reason(exc, secrets=secrets)
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        error = QwenConnectionError(f"The sign-in host {host} could not be reached ({why}).")
        error.sent = False
        return error
    if isinstance(exc, httpx.TimeoutException):
        return QwenTimeoutError(f"The sign-in host {host} did not answer within {timeout:g} s.")
    return QwenConnectionError(f"The connection to the sign-in host {host} broke ({why}).")


def _whole(response: "httpx.Response") -> "httpx.Response":
    """Read the body; a pair of tokens that has arrived is one, however the connection then fares."""
    import httpx

    content = bytearray()
    try:
        for chunk in response.iter_bytes():
            content += chunk
    except httpx.HTTPError:
        # a pair that came late is a pair
        if json_object(content.decode("utf-8", errors="replace")) is None:
            raise
    # unpacked by now; as bytes, because a header need not be ASCII
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(response.status_code, headers=headers, content=bytes(content), request=response.request)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _host(url: str) -> str:
    return url.split("/")[2]
