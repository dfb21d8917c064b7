"""Credentials in files that only their owner can read."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.credential_files import credentials_folder, damaged_copy_of
from qwen_portal.storage.private_files import (
    file_name,
    read_private,
    remove,
    set_aside,
    try_folder,
    unfinished,
    write_private,
)
from qwen_portal.text import shell_quote
from qwen_portal.untrusted_json import json_object


class FileStore:
    """One file per account under QWEN_PORTAL_HOME.

    Args:
        home: QWEN_PORTAL_HOME.
    """

    name = "file"
    is_shared = False

    def __init__(self, home: Path) -> None:
        self._folder = credentials_folder(home)

    def path(self, label: str) -> Path:
        """Return the account's file."""
        return self._folder / f"{file_name(label)}.json"

    def probe(self, label: str) -> None:
        """Make the folder, and write and remove a small file in it.

        Raises:
            QwenStoreError: The file system refused, the folder belongs to another user, or its one file keeps another
                account.
        """
        try_folder(self.path(label).parent)

    def check_writable(self, label: str, credential: Credential) -> None:
        """Write the record beside its file, and remove it again.

        Raises:
            QwenStoreError: The file system refused.
        """
        trial = _trial_path(self.path(label))
        write_private(trial, self._record(label, credential))
        remove(trial)

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None``.

        Raises:
            QwenStoreError: The file is unsafe or unreadable, or of a newer release; a corrupt one is kept beside as
                ``.corrupt``.
        """
        path = self.path(label)
        record = _wrapped(read_private(path))
        if record is None:
            return None
        try:
            return Credential.from_json(record)
        except ValueError:
            aside = set_aside(path)
        msg = f"The sign-in of account {label!r} could not be read; the file is kept as {aside}."
        raise QwenStoreError(msg, hint=f"Run `qwen-portal login {shell_quote(label)}`.")

    def save(self, label: str, credential: Credential) -> None:
        """Replace the account's file in one step and read it back.

        Raises:
            QwenStoreError: The file system refused; the old file still stands.
        """
        write_private(self.path(label), self._record(label, credential))
        kept = self.load(label)
        if kept is None or kept.to_json() != credential.to_json():
            msg = f"The sign-in of account {label!r} did not read back from {self.path(label)} as it was written."
            raise QwenStoreError(msg)
        self._tidy(label)

    def damage(self, label: str) -> str | None:
        """Say why the account's sign-in is lost, without touching its file; ``None`` if it is not.

        Raises:
            QwenStoreError: The file is unsafe or unreadable, or of a newer release.
        """
        path = self.path(label)
        record = _wrapped(read_private(path))
        if record is not None:
            try:
                Credential.from_json(record)
            except ValueError:
                return f"its file {path} cannot be read"
            return None
        aside = damaged_copy_of(path)
        return f"its file {path} is gone" if aside is None else f"its file could not be read, and is kept as {aside}"

    def damaged_copy(self, label: str) -> Path | None:
        """Return where a file of the account that could not be read was set aside, if it was."""
        return damaged_copy_of(self.path(label))

    def interrupted_save(self, label: str) -> Credential | None:
        """Return ``None``: a file is replaced in one step."""

    def delete(self, label: str) -> bool:
        """Remove the account's file, and what was set aside of it; tell whether there was one."""
        self._tidy(label)
        aside = self.damaged_copy(label)
        if aside is not None:
            remove(aside)
        return remove(self.path(label))

    def _tidy(self, label: str) -> None:
        """Remove what a process that was killed in the middle of a write left beside the file."""
        path = self.path(label)
        trial = _trial_path(path)
        remove_all([trial, *unfinished(trial), *unfinished(path)])

    def exclusive(self) -> AbstractContextManager[object]:
        """Return nothing to hold: no other program shares this store."""
        return nullcontext()

    def found(self) -> Iterator[tuple[str, Credential]]:
        """Yield the sign-ins whose files are there, the oldest first; what cannot be read is left where it is."""
        readable = filter(None, map(_labelled, self._folder.glob("*.json")))
        kept = [(label, credential) for path, label, credential in readable if path == self.path(label)]
        yield from sorted(kept, key=lambda each: each[1].generation)

    def _record(self, label: str, credential: Credential) -> str:
        # with the label, which the file's name does not tell: the account index can be made anew from these files
        return json.dumps(json.loads(credential.to_json()) | {"label": label}, separators=(",", ":"))


class OneFileStore(FileStore):
    """The file that ``file:PATH`` names; it keeps one account.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._folder, self._path = path.parent, path
        self.name = f"file:{path}"

    def path(self, label: str) -> Path:
        """Return the one file.

        Raises:
            QwenStoreError: It keeps another account already, or something that is not ours.
        """
        text = read_private(self._path)
        owner = _owner(text)
        # an empty file is what mktemp makes for whoever asks
        if owner is None and text is not None and text.strip():
            msg = f"{self._path} is there already and holds no sign-in of this package; it is left as it is."
            raise QwenStoreError(
                msg, hint="Name another file, or move this one away; `qwen-portal import` moves sign-ins."
            )
        if owner not in (None, label):
            msg = f"{self._path} keeps the account {owner!r}; it has room for one."
            raise QwenStoreError(msg, hint="QWEN_PORTAL_STORE=file keeps any number of accounts.")
        return self._path

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None``; an empty file has none.

        Raises:
            QwenStoreError: As :meth:`path` and :meth:`FileStore.load` say.
        """
        self.path(label)
        return None if self.owner() is None else super().load(label)

    def owner(self) -> str | None:
        """Return the label of the account that the file keeps, or ``None``."""
        return _owner(read_private(self._path))

    def found(self) -> Iterator[tuple[str, Credential]]:
        """Yield the sign-in of the one file, if there is one that can be read."""
        if labelled := _labelled(self._path):
            yield labelled[1:]


def _owner(text: str | None) -> str | None:
    record = json_object(text or "") or {}
    label = record.get("label")
    return label if "v" in record and isinstance(label, str) else None


def _labelled(path: Path) -> tuple[Path, str, Credential] | None:
    with suppress(QwenStoreError, ValueError):
        text = read_private(path)
        label = _owner(text)
        return None if text is None or label is None else (path, label, Credential.from_json(Secret(text)))
    return None


def remove_all(leftovers: list[Path]) -> None:
    """Remove what of it is there and can be removed: in a shared folder, another user's file is not ours to mind."""
    for leftover in leftovers:
        with suppress(QwenStoreError):
            remove(leftover)


def _trial_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.rehearsal")


def _wrapped(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)
