"""Accounts whose sign-in cannot be read any more: named before a call needs them, and when one does.

Only files are looked at: to ask a keyring may ask a person.
"""

from collections.abc import Sequence
from pathlib import Path

from qwen_portal.account.record import Account
from qwen_portal.account.registry import Accounts
from qwen_portal.errors import QwenStoreError
from qwen_portal.storage.credential_files import credentials_folder, readable_labels
from qwen_portal.storage.index_location import one_file


def mark_damaged(accounts: Accounts, listed: Sequence[Account]) -> list[Account]:
    """Return the accounts, those marked whose files cannot be read, as :func:`look_at` says.

    Args:
        accounts: Where they are from.
        listed: The accounts; a key from the environment among them stays as it is.
    """
    readable: dict[str, set[str]] = {}
    for account in listed:
        if account.store not in readable:
            readable[account.store] = readable_labels(_files(accounts, account.store))
    return [each if each.label in readable[each.store] else _marked(accounts, each) for each in listed]


def look_at(accounts: Accounts, account: Account) -> Account:
    """Return the account, in need of a sign-in if its file is damaged or gone; ``lost`` says which file that is.

    Raises:
        QwenStoreError: A sign-in would not help: the file is unsafe, for one, or of a newer release.
    """
    if account.needs_login or not (account.store == "file" or one_file(account.store)):
        return account
    damage = accounts.store(account.store).damage(account.label)
    journal = accounts.journal(account.label)
    if damage is None or (journal is not None and journal.rescue_path.exists()):
        return account
    return account._replace(needs_login=True, lost=damage)


def damaged_copy(accounts: Accounts, account: Account) -> Path | None:
    """Return where the account's file was set aside when it could not be read, if it was."""
    from qwen_portal.storage.stores.file import FileStore

    store = accounts.store(account.store)
    return store.damaged_copy(account.label) if isinstance(store, FileStore) else None


def _files(accounts: Accounts, store: str) -> list[Path]:
    one = one_file(store)
    if one is not None:
        return [one]
    return [*credentials_folder(accounts.home).glob("*.json")] if store == "file" else []


def _marked(accounts: Accounts, account: Account) -> Account:
    try:
        return look_at(accounts, account)
    except QwenStoreError as exc:
        return account._replace(unavailable_reason=str(exc))
