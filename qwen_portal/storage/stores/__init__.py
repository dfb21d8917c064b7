"""The stores: each keeps credentials in one kind of place, and all have the methods of ``Store``."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from qwen_portal.errors import QwenError
from qwen_portal.settings import PLACES
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import Index
from qwen_portal.storage.index_location import one_file


class Store(Protocol):
    """A place for credentials, one per account label.

    Attributes:
        name: What QWEN_PORTAL_STORE calls it.
        is_shared: Whether programs that know nothing of our locks refresh what is in it.
    """

    name: str
    is_shared: bool

    def probe(self, label: str) -> None:
        """Find out whether a credential could be kept under this label, before anything depends on it.

        Raises:
            QwenStoreError: It could not; the hint names the other places.
        """

    def check_writable(self, label: str, credential: Credential) -> None:
        """Check that a credential could be written, without touching the one that is kept.

        Raises:
            QwenStoreError: It could not.
        """

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None`` if there is none."""

    def save(self, label: str, credential: Credential) -> None:
        """Keep a credential durably; when this returns, another process can read it.

        Raises:
            QwenStoreError: It is not kept; what was there before still is.
        """

    def interrupted_save(self, label: str) -> Credential | None:
        """Return a newer credential left by an interrupted :meth:`save`, or ``None``."""

    def delete(self, label: str) -> bool:
        """Remove the account's credential, and what was set aside of it; tell whether there was one."""

    def damage(self, label: str) -> str | None:
        """Say why the account's credential is lost, without touching it.

        ``None`` if it is not, or if to look may ask a person, as a keyring does.

        Raises:
            QwenStoreError: It is not lost, but cannot be read now.
        """

    def exclusive(self) -> AbstractContextManager[object]:
        """Return what keeps other programs, which share the store, from a refresh while ours is under way."""


def open_store(name: str, *, home: Path, index: Index) -> Store:
    """Open the store that QWEN_PORTAL_STORE names.

    Args:
        name: ``keyring``, ``file``, ``file:PATH``, ``qwen-cli`` or ``memory``; ``auto`` opens the keyring.
        home: QWEN_PORTAL_HOME.
        index: The account index, in which the keyring store keeps its pointers.

    Raises:
        QwenError: No such store; the message lists them.
    """
    if name == "memory":
        from qwen_portal.storage.stores.memory import MemoryStore

        return MemoryStore()
    if name == "file" or name.startswith("file:"):
        from qwen_portal.storage.stores.file import FileStore, OneFileStore

        one = one_file(name)
        return FileStore(home) if one is None else OneFileStore(one)
    if name == "qwen-cli":
        from qwen_portal.storage.stores.qwen_cli import QwenCliStore

        return QwenCliStore(home, index)
    if name in {"auto", "keyring"}:
        from qwen_portal.storage.stores.keyring import KeyringStore

        return KeyringStore(index)
    msg = f"There is no store named {name!r}."
    raise QwenError(msg, hint=f"QWEN_PORTAL_STORE takes {PLACES}.")
