"""One valid token per account, however many threads, tasks and processes ask for it.

The refresh token is single-use: one overlapping refresh, or one answer not stored, and the sign-in is lost. So a
refresh is one flight per account and process, and within it the transaction of ``refresh``. The flight runs in a
thread of its own, which neither Ctrl-C nor a cancelled task interrupts. A stale token is refreshed in the
background, behind the requests that still use it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from qwen_portal.account.record import ENDED_SECONDS, Account
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenError, QwenServiceEndedError, QwenStoreError
from qwen_portal.storage.credential import Credential, TokenState
from qwen_portal.tokens.refresh import Refresher, is_valid

_log = logging.getLogger("qwen_portal")
# After a refresh in the background that failed, the next one.
_BACKGROUND_RETRY_SECONDS = 60.0


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
        self._refresher = Refresher(accounts, oauth_url=oauth_url, client_id=client_id, sleep=sleep)
        self._gate = threading.Lock()
        self._flights: dict[str, Future[Credential]] = {}
        self._known: dict[str, Credential] = {}
        self._accepted: dict[str, int] = {}
        self._background_at: dict[str, float] = {}
        self._stop = threading.Event()

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
            credential = None if _is_refused(landed, refused) else landed
        return credential

    async def aget(self, account: Account, *, refused: Credential | None = None) -> Credential:
        """Do what :meth:`get` does without blocking the event loop."""
        credential = self._ready(account, refused)
        while credential is None:
            # the future is marked as running, so cancelling this task does not cancel the flight
            landed = await asyncio.wrap_future(self._flight(account, refused))
            credential = None if _is_refused(landed, refused) else landed
        return credential

    @contextmanager
    def keep_alive(self, account: Account) -> Iterator[None]:
        """Refresh an account's token in the background for as long as the block runs, requests or not."""
        stop = threading.Event()

        def watch() -> None:
            while not (stop.is_set() or self._stop.is_set()):
                self._keep_fresh(account)
                stop.wait(self._seconds_until_stale(account))

        watcher = threading.Thread(target=watch, name="qwen-portal-keep-alive", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    def has_unsaved(self) -> bool:
        """Tell whether there are new tokens that no store would take, so that only this manager has them."""
        return self._refresher.has_unsaved()

    def close(self) -> None:
        """Start no refresh in the background any more; one that is under way is finished."""
        self._stop.set()

    def is_accepted(self, account: Account, credential: Credential) -> bool:
        """Tell whether :meth:`mark_accepted` has nothing to note."""
        return credential.kind != "oauth" or self._accepted.get(account.label, 0) >= credential.generation

    def mark_accepted(self, account: Account, credential: Credential) -> None:
        """Note that the service answered this token; what was held against the account is forgotten."""
        self._accepted[account.label] = credential.generation
        self._note(account, ended_at=None, proven=credential.generation)

    def classify_401(self, account: Account, credential: Credential, *, remembered: bool = True) -> None:
        """Tell a stale token from a service that has ended; a refresh may help against the first.

        Args:
            account: Whose.
            credential: What was refused.
            remembered: Whether this counts for 15 minutes, for all processes; not what a host of the user's own says.

        Raises:
            QwenServiceEndedError: A refresh made this token within the last 15 minutes and it never worked.
        """
        entry = self._accounts.entry(account.label)
        if not credential.refreshed or entry is None or credential.generation <= entry.proven:
            # it worked, or was replaced on the way by one that does
            return
        age = time.time() - credential.issued_at
        if credential.state() is TokenState.EXPIRED or not 0 <= age <= ENDED_SECONDS:
            # its time ran out on the way, or the clock was set back and nobody knows; or it was not needed until now,
            # and may have been revoked since
            return

        if remembered:
            self._note(account, ended_at=time.time())
        raise _ended(account)

    def _note(self, account: Account, *, ended_at: float | None, proven: int = 0) -> None:
        """Change the account's index entry; what the service said stands, whether it can be noted or not."""
        try:
            with self._accounts.editing(account.label) as entry:
                entry.ended_at = ended_at
                # answers overtake each other: an older token's may come after the next one's
                entry.proven = max(entry.proven, proven)
        except QwenStoreError as exc:
            _log.debug("account %s: the index cannot be written: %s", account.label, exc.message)

    def _ready(self, account: Account, refused: Credential | None) -> Credential | None:
        if account.key is not None:
            return Credential(kind="env", plan=account.plan.name, access_token=account.key)
        if account.ended_at is not None:
            raise _ended(account)
        known = self._known.get(account.label)
        if known is None or known.generation < account.generation or not is_valid(known, refused):
            return None
        if known.state() is TokenState.STALE:
            self._refresh_in_background(account, known)
        _log.debug("account %s: using valid token", account.label)
        return known

    def _refresh_in_background(self, account: Account, known: Credential) -> None:
        """Begin a refresh that nobody waits for; after a failure not again for a minute, after a revocation never."""
        now, last = time.monotonic(), self._background_at.get(account.label)
        if self._stop.is_set() or account.needs_login or (last is not None and now - last < _BACKGROUND_RETRY_SECONDS):
            return
        self._background_at[account.label] = now
        left = (known.expires_at or 0.0) - time.time()
        _log.info("account %s: the token is expiring soon, %d s left", account.label, left)
        self._flight(account, None, in_background=True)

    def _keep_fresh(self, account: Account) -> None:
        """Do for an idle program what a request does in passing."""
        try:
            fresh = self._accounts.choose(account.label)
            if fresh.needs_login:
                # told when it was found out; a sign-in, here or elsewhere, ends this
                return
            known = self.get(fresh)
        except QwenError as exc:
            _log.warning("account %s: the token could not be kept alive: %s", account.label, str(exc))
            return
        if known.state() is TokenState.STALE:
            self._refresh_in_background(fresh, known)

    def _seconds_until_stale(self, account: Account) -> float:
        known = self._known.get(account.label)
        if known is None or known.state() is not TokenState.FRESH:
            # just tried, in vain
            return _BACKGROUND_RETRY_SECONDS
        return max(1.0, min(_BACKGROUND_RETRY_SECONDS, known.seconds_until_stale()))

    def _flight(
        self, account: Account, refused: Credential | None, *, in_background: bool = False
    ) -> Future[Credential]:
        """Join the flight under way for this account, or start one."""
        with self._gate:
            flight = self._flights.get(account.label)
            if flight is None:
                flight = Future()
                flight.set_running_or_notify_cancel()
                worker = threading.Thread(
                    target=self._fly,
                    args=(flight, account, refused),
                    kwargs={"in_background": in_background},
                    name="qwen-portal-refresh",
                    daemon=False,
                )
                try:
                    worker.start()
                except RuntimeError as exc:
                    msg = f"The refresh could not begin: {exc}."
                    raise QwenError(msg, hint="The program has too many threads, or is ending.") from None
                # it lands under this gate, so not before it is entered here
                self._flights[account.label] = flight
            return flight

    def _fly(
        self, flight: Future[Credential], account: Account, refused: Credential | None, *, in_background: bool
    ) -> None:
        try:
            credential = self._refresher.get_or_refresh(account, refused, in_background=in_background)
        except BaseException as exc:  # noqa: BLE001 - carried to everybody who waits
            if in_background:
                # nobody may be waiting for it
                _log.warning(
                    "account %s: the token could not be refreshed in the background: %s", account.label, str(exc)
                )
            self._land(account, None)
            flight.set_exception(exc)
        else:
            self._land(account, credential)
            flight.set_result(credential)
        finally:
            # an error of the flight has this frame in its traceback
            del flight

    def _land(self, account: Account, credential: Credential | None) -> None:
        with self._gate:
            self._flights.pop(account.label, None)
            if credential is not None:
                self._known[account.label] = credential


def _is_refused(landed: Credential, refused: Credential | None) -> bool:
    """Tell whether a shared refresh returned the rejected generation; a new one may have the same bearer."""
    return refused is not None and landed.generation == refused.generation


def _ended(account: Account) -> QwenServiceEndedError:
    return QwenServiceEndedError(
        f"The service refuses even a token that was issued a moment ago (account {account.label!r}). Qwen's free OAuth "
        "tier has answered every request this way since 2026-04-16.",
        status=401,
        code="invalid_api_key",
    )
