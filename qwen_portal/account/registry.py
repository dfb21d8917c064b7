"""The accounts of this user: which there are, which one serves a request, how each stands.

The index says what is known of an account, its store keeps the credential; one of kind ``env`` is in neither.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_portal.account.choice import Choice, chosen_label, lasting_choice
from qwen_portal.account.cool_downs import CoolDown, cool_downs, forget, note, remember
from qwen_portal.account.record import DEFAULT_LABEL, Account, known_account, require_usable
from qwen_portal.errors import QwenError, QwenStoreError, QwenTokenNotAvailableError
from qwen_portal.storage.foreign_paths import qwen_cli_file
from qwen_portal.storage.index import EDIT_SECONDS, Entry, FileIndex, IndexData
from qwen_portal.storage.index_cache import IndexCache
from qwen_portal.storage.index_location import check_index, lock_path, one_file, open_index
from qwen_portal.storage.locks import file_lock
from qwen_portal.storage.private_files import file_name
from qwen_portal.text import shell_quote

# `qwen-portal status` reads the index alone, so what only stores need is imported on first use.
if TYPE_CHECKING:
    from qwen_portal.storage.credential import Credential
    from qwen_portal.storage.refresh_journal import Journal
    from qwen_portal.storage.stores import Store


class Accounts:
    """The index and the stores, together.

    Args:
        home: QWEN_PORTAL_HOME.
        store: QWEN_PORTAL_STORE.
    """

    def __init__(self, home: Path, store: str) -> None:
        self.home = home
        self._place = store
        self._one_file = one_file(store)
        self.index = open_index(store, home)
        # cool-downs that the index would not take, by label: this process heeds them all the same
        self._unwritten: dict[str, Entry] = {}
        self._stores: dict[str, Store] = {}
        signals = [self.index.path] if isinstance(self.index, FileIndex) else []
        signals += [qwen_cli_file()] if store == "qwen-cli" else []
        self._index_cache = IndexCache(self.index, self._read, *signals)
        self._last: Choice | None = None

    def list(self) -> list[Account]:
        """Return every account, in the order they came."""
        data = self._read()
        return [self._known(data, label) for label in data.accounts]

    def choose(self, label: str | None = None, *, cached: bool = False) -> Account:
        """Return the account of that label, or the active one.

        Args:
            label: The account asked for.
            cached: Whether what other processes did in the last 100 ms may be missed.

        Raises:
            QwenTokenNotAvailableError: There is none, or it cannot be used; the hint names the command.
        """
        if not cached:
            return require_usable(self.find(label))
        data, last = self._index_cache(), self._last
        if last is not None and last.is_for(data, label) and not self._unwritten:
            return last.account
        account = require_usable(self._known(data, chosen_label(data, label, self.is_own)))
        if not self._unwritten:
            self._last = lasting_choice(data, label, account)
        return account

    def find(self, label: str | None = None) -> Account:
        """Return the account of that label, or the active one, even if it cannot be used.

        Raises:
            QwenTokenNotAvailableError: There is none; the hint names the command.
        """
        data = self._read()
        return self._known(data, chosen_label(data, label, self.is_own))

    def load(self, account: Account) -> "Credential":
        """Read an account's credential from its store.

        Raises:
            QwenTokenNotAvailableError: The store has none.
            QwenStoreError: The store failed.
        """
        credential = self.store(account.store).load(account.label)
        if credential is None:
            why = self.store(account.store).damage(account.label) or f"it is not in its store ({account.store})"
            msg = f"The sign-in of account {account.label!r} is lost: {why}."
            raise QwenTokenNotAvailableError(msg, hint=f"Run `qwen-portal login {shell_quote(account.label)}`.")
        return credential

    def keep(self, label: str, credential: "Credential") -> None:
        """Store a credential where the account is, then say so in the index; a new account becomes active if none is.

        Raises:
            QwenStoreError: It is not kept; what was there before still is.
        """
        self._keep_in(self._store_of(label), label, credential)

    def keep_rescued(self, label: str, credential: "Credential") -> None:
        """Store a credential that its store would not take; if it still will not, the place that the user named does.

        Raises:
            QwenStoreError: It is not kept.
        """
        own, named = self._store_of(label), self._store_for(label)
        try:
            self._keep_in(own, label, credential)
        except QwenStoreError:
            if named.name == own.name:
                raise
            self._keep_in(named, label, credential)
            self._leave(own.name, label)

    def check_place(self, label: str) -> None:
        """Find out whether a sign-in under this label could be kept, before a person begins one.

        Raises:
            QwenStoreError: It could not; the hint says what helps.
        """
        check_index(self.index, self.home, label)
        self._store_of(label)
        self._store_for(label).probe(label)

    def signed_in(self, label: str, credential: "Credential") -> Account:
        """Keep a person's new sign-in: it becomes active, and what was remembered against the account goes."""
        self.add(label, credential)
        self.use(label)
        return self.choose(label)

    def add(self, label: str, credential: "Credential") -> None:
        """Add a sign-in, in the place that the user named; the active account is unchanged.

        Raises:
            QwenStoreError: It is not kept.
        """
        with self.locked(label):
            before, store = self.entry(label), self._store_for(label)
            if before is not None and credential.generation <= before.generation:
                # the clock was set back; running programs go by the generation
                credential = replace(credential, generation=before.generation + 1)
            self._keep_in(store, label, credential)
            if before is not None and before.store != store.name:
                self._leave(before.store, label)
            if (journal := self.journal(label)) is not None:
                journal.clear()

    def use(self, label: str) -> None:
        """Make an account the active one and forget its cool-down.

        Raises:
            QwenTokenNotAvailableError: There is no such account.
        """
        account = self.choose(label)
        with self.index.edit() as data:
            data.active = account.label
            forget(data.accounts[account.label])
            data.accounts[account.label].ended_at = None
        self._unwritten.pop(account.label, None)

    def remove(self, label: str) -> Account:
        """Delete an account's credential and its entry; the account that was added last becomes active.

        Raises:
            QwenTokenNotAvailableError: There is no such account.
            QwenStoreError: The store failed; the account is still there.
        """
        account = self.find(label)
        with self.locked(account.label):
            self.store(account.store).delete(account.label)
            if (journal := self.journal(account.label)) is not None:
                journal.clear()
            with self.index.edit() as data:
                data.accounts.pop(account.label, None)
                if data.active == account.label:
                    data.active = next(reversed(data.accounts), None)
        self._unwritten.pop(account.label, None)
        return account

    @property
    def mixed(self) -> bool:
        """Whether a request may go on to an account of another kind or plan."""
        return self.index.read().mixed

    def allow_mixed(self, *, allowed: bool) -> None:
        """Say whether a request may go on to an account of another kind or plan when a quota is used up."""
        with self.index.edit() as data:
            data.mixed = allowed

    @contextmanager
    def editing(self, label: str, patience: float = EDIT_SECONDS) -> Iterator[Entry]:
        """Change what the index knows of an account; what is changed of one that is gone is dropped.

        Args:
            label: The account.
            patience: Seconds to wait for other processes.

        Raises:
            QwenStoreError: The index cannot be written now.
        """
        with self.index.edit(patience) as data:
            yield data.accounts.get(label) or Entry("", "", "")

    def cool_down(self, account: Account, cool_down: CoolDown, patience: float) -> None:
        """Note that a quota is used up, for all processes.

        Args:
            account: Whose it is.
            cool_down: Which, and until when.
            patience: Seconds to wait for other processes.

        Raises:
            QwenStoreError: The index cannot be written now; this process heeds it all the same.
        """
        try:
            with self.editing(account.label, patience) as entry:
                note(entry, cool_down)
        except QwenStoreError:
            remember(self._unwritten, account.label, cool_down)
            raise

    def entry(self, label: str) -> Entry | None:
        """Return what the index knows of an account now."""
        return self.index.read().accounts.get(label)

    def store(self, name: str) -> "Store":
        """Return the store of that name, opened once."""
        if name not in self._stores:
            from qwen_portal.storage.stores import open_store

            self._stores[name] = open_store(name, home=self.home, index=self.index)
        return self._stores[name]

    def is_own(self, path: Path) -> bool:
        """Tell whether a file is one of those that these accounts are kept in."""
        one = qwen_cli_file() if self._place == "qwen-cli" else self._one_file
        real = path.resolve()
        return (one is not None and real == one.resolve()) or real.is_relative_to(self.home.resolve())

    def journal(self, label: str) -> "Journal | None":
        """Return the account's refresh journal; ``None`` where nothing outlives the process."""
        if not isinstance(self.index, FileIndex):
            return None
        from qwen_portal.storage.refresh_journal import Journal

        return Journal(self.index.path.parent / "journal" / file_name(label))

    @contextmanager
    def locked(self, label: str) -> Iterator[None]:
        """Hold the account: nobody else on this machine refreshes, replaces or removes its credential meanwhile.

        Raises:
            QwenStoreLockedError: Another process held it for 3 minutes, or the qwen CLI its shared file.
        """
        if not isinstance(self.index, FileIndex):
            # no other process can see it, and in this one a refresh is a single flight
            yield
            return
        with file_lock(lock_path(self.index, label)), self._store_of(label).exclusive():
            yield

    def forked(self) -> None:
        """Leave the sign-ins in memory to the parent: only one of the two processes can refresh them."""
        from qwen_portal.storage.stores.memory import MemoryStore

        for store in self._stores.values():
            if isinstance(store, MemoryStore):
                store.forked()

    def _known(self, data: IndexData, label: str) -> Account:
        account, unwritten = known_account(data, label), self._unwritten.get(label)
        if unwritten is None:
            return account
        return account._replace(cool_downs=account.cool_downs + cool_downs(unwritten))

    def _store_of(self, label: str) -> "Store":
        """Open the store that an account is in: what is refreshed stays there, whatever place is named meanwhile."""
        known = self.entry(label)
        return self.store(known.store if known is not None else self._place)

    def _store_for(self, label: str) -> "Store":
        """Open the store for a new sign-in, which moves the account if the user named another place."""
        return self._store_of(label) if self._place == "auto" else self.store(self._place)

    def _keep_in(self, store: "Store", label: str, credential: "Credential") -> None:
        store.save(label, credential)
        self._enter(label, credential, store.name)

    def _leave(self, place: str, label: str) -> None:
        """Remove what an account that moved had at its old place."""
        try:
            self.store(place).delete(label)
        except QwenError as exc:
            import logging

            logging.getLogger("qwen_portal").warning(
                "account %s: its old sign-in is still in %s: %s", label, place, exc.message
            )

    def _read(self) -> IndexData:
        data = self.index.read()
        if self._place == "qwen-cli":
            return self._follow_qwen_cli(data)
        if data.accounts or self._one_file is None:
            return data
        from qwen_portal.storage.stores.file import OneFileStore

        # A file:PATH that came without its index, such as one on a fresh volume, is an account all the same.
        store = OneFileStore(self._one_file)
        label = store.owner()
        credential = store.load(label) if label is not None else None
        if label is not None and credential is not None:
            self._enter(label, credential, store.name)
        return self.index.read()

    def _follow_qwen_cli(self, data: IndexData) -> IndexData:
        """Note what the qwen CLI did to its file meanwhile: a sign-in, a refresh, a sign-out."""
        from qwen_portal.storage.stores.qwen_cli import QwenCliStore

        store = self.store("qwen-cli")
        assert isinstance(store, QwenCliStore)  # noqa: S101 - for the type checker
        label = next(iter(data.accounts), DEFAULT_LABEL)
        known, generation = data.accounts.get(label), store.generation()
        if generation == (known.generation if known is not None else None):
            return data
        credential = store.load(label)
        if credential is not None:
            self._enter(label, credential, store.name)
        else:
            with self.index.edit() as edited:
                if store.generation() is None:
                    edited.accounts.clear()
        return self.index.read()

    def _enter(self, label: str, credential: "Credential", store: str) -> None:
        with self.index.edit() as data:
            entry = data.accounts.setdefault(label, Entry(credential.kind, credential.plan, store))
            entry.kind, entry.plan, entry.store = credential.kind, credential.plan, store
            entry.generation, entry.expires_at = credential.generation, credential.expires_at
            entry.needs_login, entry.lost, entry.rejected_by = False, None, None
            data.active = data.active or label
