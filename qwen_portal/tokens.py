"""One valid token per account, however many threads, tasks and processes ask for it.

The refresh token is single-use: one overlapping refresh, or one answer not stored, and the sign-in is lost. So a
refresh is one flight per account and process, under one lock per account and machine; the store is read again
under the lock, and the new pair is stored before anybody uses it. The flight runs in a thread of its own, which
neither Ctrl-C nor a cancelled task interrupts.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from qwen_portal.account import Account, Accounts
from qwen_portal.credentials import Credential
from qwen_portal.errors import (
    QwenConnectionError,
    QwenError,
    QwenRefreshTokenInvalidError,
    QwenServiceEndedError,
    QwenTokenExpiredError,
)
from qwen_portal.index import Entry, file_lock
from qwen_portal.secrets import Secret

_log = logging.getLogger("qwen_portal")
_LOCK_SECONDS = 30.0
_RETRIES = 2
_RETRY_SECONDS = 2.0


class TokenManager:
    """Hands out credentials that are good to send.

    Args:
        accounts: The accounts of this user.
        oauth_url: Sign-in host.
        client_id: OAuth client id.
        sleep: Waits that many seconds between two tries of a refresh.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        oauth_url: str,
        client_id: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accounts = accounts
        self._oauth_url = oauth_url
        self._client_id = client_id
        self._sleep = sleep
        self._gate = threading.Lock()
        self._flights: dict[str, Future[Credential]] = {}
        self._known: dict[str, Credential] = {}
        self._proved: dict[str, int] = {}
        self._announced: dict[str, int] = {}

    def get(self, account: Account, *, refused: Credential | None = None) -> Credential:
        """Return a credential that is good to send, refreshing it if need be.

        Args:
            account: Whose.
            refused: A credential the service refused; another one is returned.

        Raises:
            QwenServiceEndedError: The service refused a fresh token less than 15 minutes ago.
            QwenTokenNotAvailableError: The store has no credential for this account.
            QwenRefreshTokenInvalidError: The refresh token is dead.
            QwenTokenExpiredError: The token expired and could not be renewed just now.
            QwenStoreError: The store failed.
        """
        credential = self._ready(account, refused)
        while credential is None:
            landed = self._flight(account, refused).result()
            credential = None if _is_same(landed, refused) else landed
        return credential

    async def aget(self, account: Account, *, refused: Credential | None = None) -> Credential:
        """Do what :meth:`get` does without blocking the event loop."""
        credential = self._ready(account, refused)
        while credential is None:
            # the future is marked as running, so cancelling this task does not cancel the flight
            landed = await asyncio.wrap_future(self._flight(account, refused))
            credential = None if _is_same(landed, refused) else landed
        return credential

    def is_proved(self, account: Account, credential: Credential) -> bool:
        """Tell whether :meth:`proved` has nothing to note."""
        return credential.kind != "oauth" or self._proved.get(account.label) == credential.generation

    def proved(self, account: Account, credential: Credential) -> None:
        """Note that the service answered this token; what was held against the account is forgotten."""
        self._proved[account.label] = credential.generation

        def change(entry: Entry) -> None:
            entry.proven, entry.ended_at = credential.generation, None

        self._accounts.mark(account.label, change)

    def judge_401(self, account: Account, credential: Credential) -> None:
        """Tell a stale token from a service that has ended; a refresh may help against the first.

        Raises:
            QwenServiceEndedError: A refresh made this token and it never worked. That is remembered for 15 minutes,
                for all processes.
        """
        entry = self._accounts.entry(account.label)
        if not credential.refreshed or entry is None or entry.proven == credential.generation:
            return

        def change(entry: Entry) -> None:
            entry.ended_at = time.time()

        self._accounts.mark(account.label, change)
        raise _ended(account)

    def _ready(self, account: Account, refused: Credential | None) -> Credential | None:
        if account.key is not None:
            return Credential(kind="env", plan=account.plan.name, access_token=account.key)
        if account.ended_at is not None:
            raise _ended(account)
        known = self._known.get(account.label)
        if known is None or known.generation < account.generation or not _serves(known, refused):
            return None
        if known.state() == "soon" and self._announced.get(account.label) != known.generation:
            self._announced[account.label] = known.generation
            left = (known.expires_at or 0.0) - time.time()
            _log.info("account %s: the token is expiring soon, %d s left", account.label, left)
        _log.debug("account %s: using valid token", account.label)
        return known

    def _flight(self, account: Account, refused: Credential | None) -> Future[Credential]:
        """Join the flight under way for this account, or start one."""
        with self._gate:
            flight = self._flights.get(account.label)
            if flight is None:
                flight = self._flights[account.label] = Future()
                flight.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._fly,
                    args=(flight, account, refused),
                    name="qwen-portal-refresh",
                    daemon=False,
                ).start()
            return flight

    def _fly(self, flight: Future[Credential], account: Account, refused: Credential | None) -> None:
        try:
            credential = self._obtain(account, refused)
        except BaseException as exc:  # noqa: BLE001 - carried to everybody who waits
            self._land(account, None)
            flight.set_exception(exc)
        else:
            self._land(account, credential)
            flight.set_result(credential)

    def _land(self, account: Account, credential: Credential | None) -> None:
        with self._gate:
            del self._flights[account.label]
            self._known.pop(account.label, None)
            if credential is not None:
                self._known[account.label] = credential

    def _obtain(self, account: Account, refused: Credential | None) -> Credential:
        """Read the store, and refresh only if what it holds does not serve."""
        current = self._accounts.load(account)
        if _serves(current, refused) or current.kind != "oauth":
            return current
        path = self._accounts.lock_path(account.label)
        with file_lock(path, _LOCK_SECONDS) if path is not None else contextlib.nullcontext():
            current = self._accounts.load(account)
            return current if _serves(current, refused) else self._refresh(account, current, refused)

    def _refresh(self, account: Account, current: Credential, refused: Credential | None) -> Credential:
        if current.refresh_token is None:
            msg = f"The token of account {account.label!r} is no longer good, and it came without a refresh token."
            raise QwenTokenExpiredError(msg, hint=f"Run `qwen-portal login {account.label}`.")
        _log.info("account %s: refreshing the token", account.label)
        try:
            renewed = self._spend(current, current.refresh_token)
        except QwenRefreshTokenInvalidError as exc:
            return self._adopt(account, current, exc)
        except QwenError as exc:
            if refused is None and not current.is_dead():
                _log.warning("account %s: the token could not be refreshed yet: %s", account.label, exc)
                return current
            msg = f"The token of account {account.label!r} is no longer good and could not be renewed: {exc.message}"
            raise QwenTokenExpiredError(msg, kind=exc.kind) from exc
        self._accounts.keep(account.label, renewed)
        _log.info("account %s: token refreshed", account.label)
        return renewed

    def _spend(self, current: Credential, refresh_token: Secret) -> Credential:
        """Send the refresh token; again only where it surely was not received."""
        from qwen_portal import oauth

        attempt = 0
        while True:
            try:
                answer = oauth.refresh(refresh_token, oauth_url=self._oauth_url, client_id=self._client_id)
            except QwenConnectionError as exc:
                if exc.sent or attempt == _RETRIES:
                    raise
                attempt += 1
                self._sleep(_RETRY_SECONDS)
            else:
                return current.renewed(answer)

    def _adopt(self, account: Account, current: Credential, exc: QwenRefreshTokenInvalidError) -> Credential:
        """Take what another program stored meanwhile; without such a thing the sign-in is over, but is kept."""
        stored = self._accounts.load(account)
        if not _is_same(stored, current):
            return stored

        def change(entry: Entry) -> None:
            entry.needs_login = True

        self._accounts.mark(account.label, change)
        raise QwenRefreshTokenInvalidError(
            exc.message, hint=f"Run `qwen-portal login {account.label}` to sign in again."
        )


def _is_same(credential: Credential, other: Credential | None) -> bool:
    return other is not None and credential.access_token == other.access_token


def _serves(credential: Credential, refused: Credential | None) -> bool:
    return credential.state() != "expired" and not _is_same(credential, refused)


def _ended(account: Account) -> QwenServiceEndedError:
    return QwenServiceEndedError(
        f"The service refuses even a token that was issued a moment ago (account {account.label!r}). Qwen's free OAuth "
        "tier has answered every request this way since 2026-04-16.",
        status=401,
        code="invalid_api_key",
    )
