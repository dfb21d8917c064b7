"""The refresh transaction: whatever happens, at every moment the sign-in is in a store, or a note says why not.

    lock the account -> read the store again, adopt what another process stored
    -> note it in the journal, set aside room for the answer -> prove that the store can be written
    -> spend the refresh token -> store the new pair and read it back -> clear the journal -> only now hand it out

A loser's rejection is believed only after another look at the store; nothing is ever deleted.
"""

import contextlib
import logging
import time
from collections.abc import Callable

from qwen_portal.account.record import Account
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import (
    QwenAPIError,
    QwenConnectionError,
    QwenError,
    QwenOAuthError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenStoreError,
    QwenStoreLockedError,
    QwenStoreUnavailableError,
    QwenTimeoutError,
    QwenTokenExpiredError,
    QwenTokenNotAvailableError,
)
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential, TokenState
from qwen_portal.storage.refresh_journal import Journal, Note
from qwen_portal.text import shell_quote

_log = logging.getLogger("qwen_portal")
_RETRIES = 2
_RETRY_SECONDS = 2.0
# The qwen CLI stores an answer within milliseconds, on a busy machine within a second.
_LOOKS, _LOOK_SECONDS = 20, 0.1


class Refresher:
    """Runs the transaction; one at a time per account and machine.

    Args:
        accounts: The accounts of this user.
        oauth_url: Sign-in host.
        client_id: OAuth client id.
        sleep: Waits that many seconds between two tries.
    """

    def __init__(
        self, accounts: Accounts, *, oauth_url: str, client_id: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._accounts = accounts
        self._oauth_url = oauth_url
        self._client_id = client_id
        # Who rejected: another host, or this one about another client, may say otherwise.
        self._authority = f"{oauth_url} {client_id}"
        self._sleep = sleep
        # New tokens that neither their store nor the rescue file would take: this process at least still has them.
        self._unsaved: dict[str, Credential] = {}

    def has_unsaved(self) -> bool:
        """Tell whether there are new tokens that this process alone has."""
        return bool(self._unsaved)

    def get_or_refresh(
        self, account: Account, refused: Credential | None, *, in_background: bool = False
    ) -> Credential:
        """Return what the store holds if it is valid, else refresh it.

        Args:
            account: Whose.
            refused: A credential the service refused.
            in_background: Whether a stale token is to be refreshed too.

        Raises:
            QwenError: As :meth:`TokenManager.get` says.
        """
        stored = self._stored(account)
        if stored is not None and (stored.kind != "oauth" or is_valid(stored, refused, fresh=in_background)):
            return stored
        with self._accounts.locked(account.label):
            # a sign-in may have moved the account to another store meanwhile
            account = self._accounts.choose(account.label)
            self._await_other_process(account)
            current = self._newest(account)
            if current.kind != "oauth" or is_valid(current, refused, fresh=in_background):
                return current
            try:
                return self._refresh(account, current)
            except (QwenRefreshTokenInvalidError, QwenTokenExpiredError):
                raise
            except QwenError as exc:
                if refused is None and not current.is_expired():
                    _log.warning("account %s: the token could not be refreshed yet: %s", account.label, str(exc))
                    return current
                if not isinstance(exc, QwenAPIError | QwenOAuthError):
                    # a store or a setting of the machine: the error says better what to do
                    raise
                what = f"The token of account {account.label!r} is no longer good and could not be renewed"
                raise QwenTokenExpiredError(f"{what}: {exc.message}", kind=exc.kind) from exc

    def _stored(self, account: Account) -> Credential | None:
        """Read the store; ``None`` if it has nothing, or nothing that can be understood."""
        try:
            return self._accounts.load(account)
        except (QwenStoreLockedError, QwenStoreUnavailableError):
            raise
        except (QwenStoreError, QwenTokenNotAvailableError):
            # there may be a rescue; without one, reading it again under the lock tells what is wrong
            return None

    def _await_other_process(self, account: Account) -> None:
        """Wait for the refresh of a process that had the lock before: its file may have been removed meanwhile."""
        journal = self._accounts.journal(account.label)
        while journal is not None and (note := journal.read()) is not None and note.is_running():
            stored = self._stored(account)
            if stored is None or not note.is_about(stored):
                return
            self._sleep(_LOOK_SECONDS)

    def _newest(self, account: Account) -> Credential:
        """Read the store under the lock; a credential that was rescued goes back into it first."""
        stored, journal = self._stored(account), self._accounts.journal(account.label)
        rescued = self._unsaved.get(account.label) or self._left_by_a_crash(account, stored, journal)
        if rescued is None:
            return stored if stored is not None else self._accounts.load(account)
        if stored is None or rescued.generation > stored.generation:
            try:
                self._accounts.keep_rescued(account.label, rescued)
            except QwenStoreError as exc:
                _log.warning("account %s: the rescued token is not back in its store: %s", account.label, exc.message)
                return rescued
            _log.info("account %s: the rescued token is back in its store", account.label)
            stored = rescued
        self._settle(account, journal)
        return stored

    def _left_by_a_crash(
        self, account: Account, stored: Credential | None, journal: Journal | None
    ) -> Credential | None:
        """Look where a new token may be whose refresh did not come to its end."""
        if journal is None:
            return None
        rescued, note = journal.rescued(), journal.read()
        if rescued is None and stored is not None and note is not None and note.is_about(stored):
            return self._accounts.store(account.store).interrupted_save(account.label)
        return rescued

    def _settle(self, account: Account, journal: Journal | None) -> None:
        """Forget the note and the rescue: the store has the sign-in."""
        self._unsaved.pop(account.label, None)
        if journal is not None:
            journal.clear()

    def _refresh(self, account: Account, current: Credential) -> Credential:
        if current.refresh_token is None:
            msg = f"The token of account {account.label!r} is no longer good, and it came without a refresh token."
            raise QwenTokenExpiredError(msg, hint=f"Run `qwen-portal login {shell_quote(account.label)}`.")
        entry = self._accounts.entry(account.label)
        is_rejected = entry is not None and entry.needs_login and entry.generation == current.generation
        if entry is not None and is_rejected and entry.rejected_by == self._authority:
            # Said once by this server; asking again with the same dead token helps nobody.
            raise _over(account, f"The sign-in of account {account.label!r} has ended.", entry.lost)
        _log.info("account %s: refreshing the token", account.label)
        journal, before = self._begin(account, current)
        try:
            renewed = self._spend(current, current.refresh_token)
        except QwenRefreshTokenInvalidError as exc:
            return self._adopt(account, current, exc, journal, before)
        except QwenError as exc:
            if journal is not None and before is None and _may_be_spent(exc):
                journal.end("no-answer")
            elif journal is not None:
                # An earlier crash stays the likelier reason, should the server reject this token from now on.
                journal.put_back(before)
            raise
        self._store(account, renewed, journal)
        _log.info("account %s: token refreshed", account.label)
        return renewed

    def _begin(self, account: Account, current: Credential) -> tuple[Journal | None, Note | None]:
        """Note the refresh, and prove that its answer can be stored; return the journal and what it told before."""
        journal = self._accounts.journal(account.label)
        before = journal.read() if journal is not None else None
        if before is not None and not before.is_about(current):
            before = None
        try:
            if journal is not None:
                journal.begin(current)
            # A store that is dead or locked must say so before the token is spent. After the note, which takes room
            # on the disk that the answer will need.
            self._accounts.store(account.store).check_writable(account.label, current)
        except QwenStoreError:
            if journal is not None:
                journal.put_back(before)
            raise
        return journal, before

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

    def _store(self, account: Account, renewed: Credential, journal: Journal | None) -> None:
        """Keep the new pair; if its store refuses after all, a private file takes it and the error names that file."""
        try:
            self._accounts.keep(account.label, renewed)
        except QwenStoreError as exc:
            self._unsaved[account.label] = renewed
            msg = f"The refreshed token of account {account.label!r} could not be stored: {exc.message}"
            hint = f"{_rescue(renewed, journal)} and goes back by itself when the store works again. {exc.hint}"
            raise type(exc)(msg, hint=hint) from None
        self._settle(account, journal)

    def _adopt(
        self,
        account: Account,
        current: Credential,
        exc: QwenRefreshTokenInvalidError,
        journal: Journal | None,
        before: Note | None,
    ) -> Credential:
        """Take what another program stored meanwhile; without such a thing the sign-in is over, but is kept."""
        if journal is not None:
            # Kept although it is told now: whoever tries again with this token is to hear the same.
            journal.put_back(before)
        stored = self._newer(account, current)
        if stored is not None:
            return stored
        loss_reason = before.loss_reason() if before is not None else None

        with self._accounts.editing(account.label) as entry:
            # an index that a crash left behind the store is older; a newer one speaks of another sign-in
            if entry.generation <= current.generation:
                entry.generation = current.generation
                entry.needs_login, entry.lost, entry.rejected_by = True, loss_reason, self._authority
        raise _over(account, exc.message, loss_reason)

    def _newer(self, account: Account, current: Credential) -> Credential | None:
        """Re-read the store for a concurrent refresh; poll for 2 s if its writer ignores our lock."""
        looks = _LOOKS if self._accounts.store(account.store).is_shared else 1
        for look in range(looks):
            if look:
                self._sleep(_LOOK_SECONDS)
            stored = self._accounts.load(account)
            if not is_same(stored, current):
                return stored
        return None


def _over(account: Account, message: str, loss_reason: str | None) -> QwenRefreshTokenInvalidError:
    if loss_reason is not None:
        message = f"The sign-in of account {account.label!r} was lost: {loss_reason}."
    return QwenRefreshTokenInvalidError(
        message, hint=f"Run `qwen-portal login {shell_quote(account.label)}` to sign in again."
    )


def is_same(credential: Credential, other: Credential | None) -> bool:
    """Tell whether two credentials send the same bearer."""
    return other is not None and credential.access_token == other.access_token


def is_valid(credential: Credential, refused: Credential | None, *, fresh: bool = False) -> bool:
    """Tell whether a credential is good to send: not expired, not refused, and not even stale if a fresh one is due."""
    unwanted = {TokenState.EXPIRED, TokenState.STALE} if fresh else {TokenState.EXPIRED}
    return not is_same(credential, refused) and credential.state() not in unwanted


def _may_be_spent(exc: QwenError) -> bool:
    """Tell whether a failure leaves open whether the server took the refresh token."""
    if isinstance(exc, QwenConnectionError):
        return exc.sent
    if isinstance(exc, QwenOAuthError):
        # an answer without a token; a firewall's page came from before the server
        return exc.kind != "firewall"
    return isinstance(exc, QwenTimeoutError | QwenServerError)


def _rescue(renewed: Credential, journal: Journal | None) -> str:
    """Put new tokens where a crash does not reach them, and say where that is."""
    if journal is not None:
        try:
            journal.rescue(renewed)
        except QwenStoreError as exc:
            _log.warning("the refreshed token could not be put aside either: %s", exc.message)
        else:
            # where the disk is full, the note stays as it was; the rescue tells enough
            with contextlib.suppress(QwenStoreError):
                journal.end("not-stored")
            return f"It is kept in {journal.rescue_path}"
    return "It is kept in this program's memory alone, so leave the program running,"
