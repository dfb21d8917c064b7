"""The account index's place: with the credentials, in this process, beside the one file, or in HOME."""

import os
from pathlib import Path

from qwen_portal.storage.index import Entry, FileIndex, Index, IndexData, MemoryIndex
from qwen_portal.storage.locks import check_lock
from qwen_portal.storage.private_files import file_name, make_private_folder


def open_index(store: str, home: Path) -> Index:
    """Open the index that belongs to a store.

    Args:
        store: QWEN_PORTAL_STORE.
        home: QWEN_PORTAL_HOME.
    """
    if store == "memory":
        return MemoryIndex()
    if store == "qwen-cli":
        from qwen_portal.storage.stores.qwen_cli import own_folder

        return FileIndex(own_folder(home) / "accounts.json")
    one = one_file(store)
    if one is not None:
        return FileIndex(one.with_name(f"{one.name}.state") / "accounts.json")
    return FileIndex(home / "accounts.json", lambda: _rebuilt(home))


def lock_path(index: FileIndex, label: str) -> Path:
    """Return the file of the lock that an account is held with."""
    return index.path.parent / "locks" / f"{file_name(label)}.lock"


def check_index(index: Index, home: Path, label: str) -> None:
    """Check that an index and an account could be changed, and that nobody else can change what they are kept in.

    Args:
        index: Which one.
        home: QWEN_PORTAL_HOME.
        label: The account.

    Raises:
        QwenStoreError: It could not, or others can; the hint says what helps.
    """
    if isinstance(index, FileIndex):
        folder = index.path.parent
        if folder.is_relative_to(home):
            make_private_folder(home)
        check_lock(lock_path(index, label))
    index.check_writable()


def one_file(store: str) -> Path | None:
    """Return the file of ``file:PATH``."""
    kind, _, path = store.partition(":")
    # not Path.expanduser, which raises where there is no home
    return Path(os.path.expanduser(path)).absolute() if kind == "file" and path else None  # noqa: PTH111


def _rebuilt(home: Path) -> IndexData:
    """Find the accounts again whose sign-ins are in files; the newest is the active one."""
    from qwen_portal.storage.stores.file import FileStore

    data, store = IndexData(), FileStore(home)
    for label, credential in store.found():
        entry = Entry(credential.kind, credential.plan, store.name)
        entry.generation, entry.expires_at = credential.generation, credential.expires_at
        data.accounts[label], data.active = entry, label
    return data
