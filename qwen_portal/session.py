"""The settings, the accounts and the tokens that all clients of this process share."""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_portal.account.api_keys import given_account
from qwen_portal.account.cool_downs import CoolDown, cool_downs, remember
from qwen_portal.account.record import NOT_KEPT, Account
from qwen_portal.account.registry import Accounts
from qwen_portal.environment import forget as forget_environment
from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.settings import Settings, own_settings
from qwen_portal.storage.index import Entry

if TYPE_CHECKING:
    from qwen_portal.recording.recorder import Recorder
    from qwen_portal.tokens.manager import TokenManager

_lock = threading.Lock()
# Shared by all clients of the process: one refresh at a time needs one manager, and the memory store lives here.
_accounts: dict[tuple[Path, str], Accounts] = {}
_managers: dict[tuple[Accounts, str, str], "TokenManager"] = {}
# The quotas of keys that the index does not know, as they are kept nowhere.
_spent_keys: dict[Secret, Entry] = {}
# Who has the index's lock and does not let go of it is hung or stopped; no request waits for that.
_PATIENCE = 3.0
# Shared too, so that a program which makes a client per request is told a thing once.
_warned: dict[tuple[Path, str], set[tuple[str, str]]] = {}


class Session:
    """Settings, accounts and tokens, for one client.

    Args:
        settings: The user's settings; read from the environment if not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings if settings is not None else own_settings()
        place = self.settings.home, self.settings.store
        with _lock:
            if place not in _accounts:
                _accounts[place] = Accounts(*place)
            self.accounts = _accounts[place]
            self.warned = _warned.setdefault(place, set())

    @property
    def tokens(self) -> "TokenManager":
        """The token manager that all sessions with these accounts and this sign-in host share."""
        # Listing accounts needs none, and asyncio alone would cost `qwen-portal status` half of its time.
        from qwen_portal.tokens.manager import TokenManager

        url, client_id = self.settings.oauth_url, self.settings.client_id
        key = self.accounts, url, client_id
        # every request asks several times
        if (known := _managers.get(key)) is not None:
            return known
        with _lock:
            if key not in _managers:
                _managers[key] = TokenManager(self.accounts, oauth_url=url, client_id=client_id)
            return _managers[key]

    @property
    def recorder(self) -> "Recorder":
        """Where what is kept of requests goes."""
        from qwen_portal.recording.recorder import Recorder

        return Recorder(self.settings.home, self.settings.request_log)

    def list(self) -> list[Account]:
        """Return every account, a key that is not kept first."""
        given = self._given()
        stored = list(map(self._here, self.accounts.list()))
        return stored if given is None else [given, *stored]

    def choose(self, label: str | None = None) -> Account:
        """Return the account for a request.

        Args:
            label: The account asked for; without one a key that is not kept, then QWEN_PORTAL_ACCOUNT, then the
                active account.

        Raises:
            QwenTokenNotAvailableError: There is none; the hint names the command.
            QwenError: The key that is not kept has no plan.
        """
        if label is None or label in NOT_KEPT:
            given = self._given()
            if given is not None and label in {None, given.label}:
                return given
        return self._here(self.accounts.choose(label if label is not None else self.settings.account, cached=True))

    def exhaust(self, account: Account, cool_down: CoolDown, *, seconds: float = _PATIENCE) -> None:
        """Note that a quota of an account is used up: every process leaves it alone for a while.

        Where that cannot be noted it is told once, and this process alone leaves the account alone.

        Args:
            account: Whose quota it is.
            cool_down: Which quota, and for how long.
            seconds: What this may take at most.
        """
        if account.key is not None:
            remember(_spent_keys, account.key, cool_down)
            return
        try:
            self.accounts.cool_down(account, cool_down, max(0.0, min(seconds, _PATIENCE)))
        except QwenStoreError as exc:
            if ("unwritten", account.label) not in self.warned:
                self.warned.add(("unwritten", account.label))
                # `qwen-portal status` has no time for logging
                import logging

                logging.getLogger("qwen_portal").warning(
                    "account %s: only this process knows that its quota is used up: %s (said once)",
                    account.label,
                    exc.message,
                )

    def _here(self, account: Account) -> Account:
        # that the account's own service has ended says nothing of the host that the user named in its place
        if account.ended_at is None or self.settings.base_url is None:
            return account
        return account._replace(ended_at=None)

    def _given(self) -> Account | None:
        given = given_account(self.settings)
        if given is None or given.key is None:
            return given
        spent = _spent_keys.get(given.key)
        return given if spent is None else given._replace(cool_downs=cool_downs(spent))


def forget() -> None:
    """Drop what the process remembers of the stores.

    The memory store is no memory of another and stays; so does a manager that has tokens which no store would take.
    """
    with _lock:
        for key, manager in list(_managers.items()):
            manager.close()
            if not manager.has_unsaved():
                del _managers[key]
        kept = {accounts for accounts, _, _ in _managers}
        for place, accounts in list(_accounts.items()):
            if place[1] != "memory" and accounts not in kept:
                del _accounts[place]
        _warned.clear()
        _spent_keys.clear()
    # so that what is kept of a client lets go of these accounts
    forget_environment()


def _after_fork() -> None:
    """Let a forked child begin anew: its parent's locks may be held by threads that it does not have."""
    global _lock  # noqa: PLW0603 - the lock itself cannot be trusted any more
    _lock = threading.Lock()
    _managers.clear()
    for accounts in _accounts.values():
        accounts.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
