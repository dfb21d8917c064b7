"""Signing in: the device flow as a sequence of events. API keys are in ``key_login``.

What a person sees is made of the events by ``display``; this module shows nothing itself.
Sources: RFC 8628 §3; docs/protocol.md, "Sign-in".
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qwen_portal import oauth
from qwen_portal.account.record import Account, new_label
from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenHostNotAllowedError,
    QwenLoginTimeoutError,
    QwenServerError,
    QwenTimeoutError,
)
from qwen_portal.oauth import DeviceAuthorization, PollStatus, TokenResponse
from qwen_portal.requests.endpoints import base_url
from qwen_portal.secrets import Secret
from qwen_portal.service.hosts import check_oauth_host
from qwen_portal.service.plans import OAUTH
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential

_SLOW_DOWN_SECONDS = 5.0
_SHORTEST_INTERVAL = 1.0
_PASSING = (QwenConnectionError, QwenTimeoutError, QwenServerError)


@dataclass(frozen=True, slots=True)
class LoginEvent:
    """One thing that happened while signing in.

    Attributes:
        kind: ``device_code`` (show the code), ``pending`` (one poll without an answer), ``success``, ``error``.
        user_code: What the person compares or types.
        verification_uri: The page to open, code included.
        expires_in: Seconds until the code is void.
        account: The account's label, on success.
        store: Where the sign-in is kept, on success.
        message: What went wrong, on error; why a poll had no answer, if it failed; why a key that is kept was refused,
            or could not be tried.
        trial: Of an API key, what its service said: ``works``, ``refused``, ``unknown`` (it could not be asked) or
            ``unchecked`` (it was not asked).
    """

    kind: Literal["device_code", "pending", "success", "error"]
    user_code: str = ""
    verification_uri: str = ""
    expires_in: float = 0.0
    account: str = ""
    store: str = ""
    message: str = ""
    trial: str = ""


Show = Callable[[LoginEvent], None]


class Cancellation:
    """How one thread ends the sign-in that another one waits in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()

    def cancel(self) -> None:
        """End the sign-in, unless its tokens are being kept already."""
        with self._lock:
            self._event.set()

    def sleep(self, seconds: float) -> None:
        """Wait, at most until the sign-in is cancelled."""
        self._event.wait(seconds)

    def check(self) -> None:
        """Stop here if the sign-in was cancelled.

        Raises:
            QwenError: It was.
        """
        if self._event.is_set():
            raise QwenError("The sign-in was cancelled; nothing was kept.")

    def keep(self) -> None:
        """Begin what cannot be cancelled any more.

        Raises:
            QwenError: The sign-in was cancelled before.
        """
        with self._lock:
            self.check()


def sign_in(
    session: Session,
    label: str | None,
    *,
    show: Show,
    sleep: Callable[[float], None] = time.sleep,
    cancellation: Cancellation | None = None,
) -> Account:
    """Run the device flow and keep the result; nothing that was kept before is touched until it succeeded.

    Args:
        session: Settings, accounts and tokens.
        label: Account label; ``"default"`` if not given.
        show: Told each event.
        sleep: Waits that many seconds between two polls.
        cancellation: Ends the sign-in from another thread; its own ``sleep`` is used then.

    Returns:
        The account, now the active one.

    Raises:
        QwenLoginDeniedError: The person refused.
        QwenLoginTimeoutError: Nobody confirmed in time.
        QwenOAuthError: The sign-in host refused, or a web page answered (``kind == "firewall"``).
        QwenHostNotAllowedError: The server named a host that a bearer must not go to; the sign-in is kept.
        QwenStoreError: The sign-in could not be kept.
        QwenError: It was cancelled.
    """
    cancelled = cancellation if cancellation is not None else Cancellation()
    wait = sleep if cancellation is None else cancellation.sleep
    name = new_label(label)
    # A keyring that is locked or missing must say so before the person goes to the browser.
    session.accounts.check_place(name)
    try:
        tokens = _device_flow(session, show, wait, cancelled.check)
        cancelled.keep()
        credential = Credential.from_sign_in(tokens, plan=OAUTH)
        account = session.accounts.signed_in(name, credential)
        _check_resource_url(session, credential)
    except QwenError as exc:
        show(LoginEvent("error", message=str(exc)))
        raise
    show(LoginEvent("success", account=account.label, store=account.store))
    return account


def _device_flow(
    session: Session, show: Show, sleep: Callable[[float], None], check: Callable[[], None]
) -> TokenResponse:
    settings = session.settings
    verifier, challenge = oauth.generate_pkce()
    device = oauth.request_device_code(challenge, oauth_url=settings.oauth_url, client_id=settings.client_id)
    # The page comes from the server: it is not shown, nor opened, unless it is Qwen's.
    check_oauth_host(device.verification_uri.split("?")[0], trusted=settings.trusted)
    check_oauth_host(device.verification_uri_complete.split("?")[0], trusted=settings.trusted)
    show(
        LoginEvent(
            "device_code",
            user_code=device.user_code,
            verification_uri=device.verification_uri_complete,
            expires_in=device.expires_in,
        )
    )

    def pause(seconds: float) -> None:
        sleep(seconds)
        check()

    return _wait(session, device, verifier, show, pause)


def _wait(
    session: Session, device: DeviceAuthorization, verifier: Secret, show: Show, sleep: Callable[[float], None]
) -> TokenResponse:
    """Poll until there is an answer or the code is void (RFC 8628 §3.5); a network that blinks is no answer."""
    settings, interval = session.settings, device.interval
    deadline = time.monotonic() + device.expires_in
    while time.monotonic() < deadline:
        # a server's interval that could not be meant neither hurries the polls nor outlasts the code
        sleep(min(max(interval, _SHORTEST_INTERVAL), deadline - time.monotonic()))
        try:
            answer = oauth.poll(
                device.device_code, verifier, oauth_url=settings.oauth_url, client_id=settings.client_id
            )
        except _PASSING as exc:
            show(LoginEvent("pending", message=exc.message))
            continue
        if isinstance(answer, TokenResponse):
            return answer
        if answer is PollStatus.SLOW_DOWN:
            interval += _SLOW_DOWN_SECONDS
        show(LoginEvent("pending"))
    raise QwenLoginTimeoutError("The device code expired before the sign-in was confirmed.")


def _check_resource_url(session: Session, credential: Credential) -> None:
    try:
        base_url(credential, session.settings)
    except QwenHostNotAllowedError as exc:
        raise QwenHostNotAllowedError(f"The sign-in is kept, but cannot be used yet. {exc.message}") from None
