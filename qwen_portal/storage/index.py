"""The account index: which accounts there are and how they stand. It holds no secret.

One JSON file in QWEN_PORTAL_HOME, changed under one file lock and replaced as a whole, so that readers never
need the lock. The memory store has an index of its own that no file backs.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.storage.locks import check_lock, file_lock
from qwen_portal.storage.private_files import read_private, set_aside, try_folder, write_private
from qwen_portal.storage.record_version import refuse_newer
from qwen_portal.text import counted
from qwen_portal.untrusted_json import LATEST_SECONDS

_VERSION = 1
# How long a change waits for other processes.
EDIT_SECONDS = 30.0
_LABEL_LIMIT = 100
_LAST_MOMENT = 253_402_300_799.0


@dataclass(slots=True)
class Entry:
    """What is known of one account, secrets aside. Times are seconds since the epoch.

    Attributes:
        kind: ``oauth`` or ``key``.
        plan: Plan name or URL.
        store: Where its credential is kept: ``keyring``, ``file``, ``file:PATH``, ``qwen-cli``, ``memory``.
        generation: Generation of the credential in use.
        expires_at: When the access token ends.
        exhausted_until: Until when its quota is used up.
        exhausted_at: When that, or a model's, was noted last.
        exhausted_code: The code of the refusal.
        exhausted_stated: Whether the service itself named ``exhausted_until``.
        exhausted_models: Until when the quota of single models is used up.
        needs_login: Whether its refresh token is dead.
        lost: How the sign-in was lost, if that was no revocation.
        rejected_by: The sign-in host and client id whose word it is that the refresh token is dead.
        ended_at: When the service refused a fresh token.
        proven: The newest generation that got an answer.
        unknown: Fields of another release, which may share the index: kept as they are.
    """

    kind: str
    plan: str
    store: str
    generation: int = 0
    expires_at: float | None = None
    exhausted_until: float | None = None
    exhausted_at: float | None = None
    exhausted_code: str | None = None
    exhausted_stated: bool = False
    exhausted_models: dict[str, float] = field(default_factory=dict)
    needs_login: bool = False
    lost: str | None = None
    rejected_by: str | None = None
    ended_at: float | None = None
    proven: int = 0
    unknown: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class IndexData:
    """The index's content.

    Attributes:
        active: Label of the active account.
        accounts: The accounts, in the order they came.
        slots: For the keyring store, the name of the slot that holds each account's credential.
        mixed: Whether a request whose quota is used up may go on to an account of another kind or plan.
        unknown: Fields of another release, kept as they are.
    """

    active: str | None = None
    accounts: dict[str, Entry] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    mixed: bool = False
    unknown: dict[str, Any] = field(default_factory=dict)


class Index(Protocol):
    """Where the index is kept.

    Attributes:
        edits: How often this process has changed it.
    """

    edits: int

    def read(self) -> IndexData:
        """Return a copy of the current content."""

    def check_writable(self) -> None:
        """Check that an edit would be stored, before anything depends on it.

        Raises:
            QwenStoreError: It would not.
        """

    def edit(self, patience: float = EDIT_SECONDS) -> contextlib.AbstractContextManager[IndexData]:
        """Change the content; it is stored when the block ends without an error.

        Args:
            patience: Seconds to wait for other processes.
        """


class MemoryIndex:
    """An index for this process alone."""

    def __init__(self) -> None:
        import threading

        self.edits = 0
        self._lock = threading.RLock()
        self._text = _dump(IndexData())

    def read(self) -> IndexData:
        """Return a copy of the current content."""
        return _parse(self._text)

    def check_writable(self) -> None:
        """Return: memory is always written."""

    @contextlib.contextmanager
    def edit(self, patience: float = EDIT_SECONDS) -> Iterator[IndexData]:  # noqa: ARG002 - no process shares it
        """Change the content; it is kept when the block ends without an error."""
        with self._lock:
            data = _parse(self._text)
            yield data
            self._text = _dump(data)
            self.edits += 1


class FileIndex:
    """The index of all processes of this user.

    Args:
        path: Its file.
        rebuild: Makes the content anew from what the stores have, should the file be corrupt.
    """

    def __init__(self, path: Path, rebuild: Callable[[], IndexData] = IndexData) -> None:
        self.path = path
        self._lock = path.with_suffix(".lock")
        self.edits = 0
        self._rebuild = rebuild

    def read(self) -> IndexData:
        """Return the current content; a corrupt file is set aside, named in a warning, and made anew.

        Raises:
            QwenStoreError: The file cannot be read, or is of a newer release.
        """
        data = self._load()
        if data is None:
            # under the lock: another process may be doing the same
            with self.edit() as data:
                pass
        return data

    def check_writable(self) -> None:
        """Write and remove a small file in the folder, read the index, and look at its lock.

        Raises:
            QwenStoreError: The file system refused, others could replace the files there, or the index is of a newer
                release.
        """
        try_folder(self.path.parent)
        self.read()
        check_lock(self._lock)

    def _load(self) -> IndexData | None:
        text = read_private(self.path)
        if text is None:
            return IndexData()
        try:
            return _parse(text, self.path)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def _repair(self) -> IndexData:
        import logging

        aside, data = set_aside(self.path, leave=True), self._rebuild()
        logging.getLogger("qwen_portal").warning(
            "the account index could not be read; it is kept as %s. Found again in files of their own: %s. A "
            "keyring cannot be listed: sign in again to what was kept there (`qwen-portal login NAME`)",
            aside,
            counted(len(data.accounts), "account", "accounts"),
        )
        return data

    @contextlib.contextmanager
    def edit(self, patience: float = EDIT_SECONDS) -> Iterator[IndexData]:
        """Change the content under the index's lock; it is stored when the block ends without an error.

        Args:
            patience: Seconds to wait for the lock.

        Raises:
            QwenStoreError: The file cannot be read or written, or is of a newer release.
            QwenStoreLockedError: Another process held the lock all the time.
        """
        with file_lock(self._lock, patience):
            data = self._load()
            before = None if data is None else _dump(data)
            data = self._repair() if data is None else data
            yield data
            after = _dump(data)
            if after != before or not self.path.exists():
                write_private(self.path, after)
                self.edits += 1


def check_label(label: str) -> str:
    """Normalise an account label; a label is data, never a path.

    Raises:
        QwenError: It is empty, too long or holds characters that cannot be shown.
    """
    import unicodedata

    if not isinstance(label, str):
        raise QwenError(f"{label!r:.120} is no account label.", hint="A label is a text.")
    normal = unicodedata.normalize("NFC", label).strip()
    if not normal or len(normal) > _LABEL_LIMIT or not normal.isprintable():
        msg = f"{label!r:.120} is no account label."
        raise QwenError(msg, hint=f"A label is 1 to {_LABEL_LIMIT} printable characters.")
    return normal


_FIELDS = tuple(each.name for each in fields(Entry) if each.name != "unknown")
_PARTS = {"version", "active", "accounts", "slots", "mixed"}


def _dump(data: IndexData) -> str:
    """Write the record on one line: with line breaks, Python's encoder takes ten times as long."""
    accounts = {
        label: entry.unknown | {name: getattr(entry, name) for name in _FIELDS}
        for label, entry in data.accounts.items()
    }
    record = {"version": _VERSION, "active": data.active, "accounts": accounts, "slots": data.slots}
    try:
        return json.dumps(data.unknown | record | {"mixed": data.mixed})
    except RecursionError:
        raise QwenStoreError("The account index holds a field that is nested too deeply to be kept.") from None


def _parse(text: str, what: object = "The account index") -> IndexData:
    """Read the record.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, RecursionError: It is none.
        QwenStoreError: It is of a newer release.
    """
    record: dict[str, Any] = json.loads(text)
    refuse_newer(what, record.get("version"), known=_VERSION)
    accounts = {_encodable(label): _entry(known) for label, known in record["accounts"].items()}
    active, slots = record.get("active"), record.get("slots", {})
    named = {label: slot for label, slot in slots.items() if isinstance(slot, str)}
    in_use = active if isinstance(active, str) and active in accounts else None
    unknown = {name: value for name, value in record.items() if name not in _PARTS}
    return IndexData(in_use, accounts, named, record.get("mixed") is True, unknown)


def _entry(known: dict[str, Any]) -> Entry:
    """Read an account; what is of the wrong type and can be done without counts as not known.

    Raises:
        TypeError, KeyError: What cannot be done without is missing.
    """
    kind, plan, store = known["kind"], known["plan"], known["store"]
    if not (isinstance(kind, str) and isinstance(plan, str) and isinstance(store, str)):
        raise TypeError
    entry = Entry(_encodable(kind), _encodable(plan), _encodable(store), needs_login=known.get("needs_login") is True)
    entry.generation, entry.proven = _whole(known.get("generation")), _whole(known.get("proven"))
    entry.expires_at = _moment(known.get("expires_at"))
    entry.exhausted_until = _moment(known.get("exhausted_until"))
    entry.exhausted_at, entry.exhausted_code = _moment(known.get("exhausted_at")), _text(known.get("exhausted_code"))
    entry.exhausted_stated = known.get("exhausted_stated") is True
    entry.exhausted_models = _moments(known.get("exhausted_models"))
    entry.ended_at = _moment(known.get("ended_at"))
    entry.lost, entry.rejected_by = _text(known.get("lost")), _text(known.get("rejected_by"))
    entry.unknown = {name: value for name, value in known.items() if name not in _FIELDS}
    return entry


def _encodable(text: str) -> str:
    """Return a text that can be part of a path and be printed.

    Raises:
        ValueError: It holds half a character, or NUL.
    """
    if "\0" in text:
        raise ValueError
    text.encode()
    return text


def _text(value: object) -> str | None:
    with contextlib.suppress(ValueError):
        return _encodable(value) if isinstance(value, str) else None
    return None


def _whole(value: object) -> int:
    """Read a generation, in ms since the epoch; one that could not be meant would never be outdone by a later one."""
    return value if isinstance(value, int) and 0 <= value < LATEST_SECONDS * 1000 else 0


def _moment(value: object) -> float | None:
    """Read seconds since the epoch; a calendar ends with the year 9999, and with it the arithmetic of times."""
    if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    return float(max(0, min(value, _LAST_MOMENT)))


def _moments(value: object) -> dict[str, float]:
    known = value if isinstance(value, dict) else {}
    read = {name: _moment(moment) for name, moment in known.items()}
    return {name: moment for name, moment in read.items() if moment is not None}
