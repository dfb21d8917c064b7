"""Credentials in the OS keyring: macOS Keychain, Windows Credential Manager, Secret Service, KWallet.

Each account has two slots. A new credential goes to the slot that is not in use, is read back, and only then the
pointer in the account index moves; so a crash, a denied prompt or a backend that deletes before it writes never
costs the sign-in that was there. Every slot is a service of its own, because on Windows two users of one service
displace each other.
"""

import contextlib
import hashlib
import importlib
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from qwen_portal.credentials import Credential
from qwen_portal.errors import QwenStoreError, QwenStoreLockedError, QwenStoreUnavailableError
from qwen_portal.index import Index
from qwen_portal.secrets import Secret

T = TypeVar("T")

CALL_SECONDS = 3.0
# Windows keeps 2,560 bytes of UTF-16; the same limit everywhere, so that a sign-in moves between machines.
RECORD_LIMIT = 1280
_ACCEPTED = tuple(f"keyring.backends.{name}" for name in ("macOS", "Windows", "SecretService", "kwallet", "libsecret"))
_SLOTS = ("a", "b")
# One keyring call at a time in the whole process: parallel calls gain nothing and cold parallel starts fail.
_one_call = threading.Lock()


class Backend(Protocol):
    """The part of keyring.backend.KeyringBackend that is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """Read an item."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Write an item."""

    def delete_password(self, service: str, username: str) -> None:
        """Delete an item."""


class KeyringStore:
    """The OS keyring, two slots per account.

    Args:
        index: The account index, which holds each account's slot.
        backend: The keyring backend; chosen on first use if not given.
    """

    name = "keyring"

    def __init__(self, index: Index, backend: Backend | None = None) -> None:
        self._index = index
        self._backend = backend

    def probe(self) -> None:
        """Write, read back and delete an item.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, it does not answer, or it does not keep what it is given.
        """
        backend, service, name, word = self._chosen(), "qwen-portal:probe", "probe", uuid.uuid4().hex
        _call(partial(backend.set_password, service, name, word))
        kept = _call(partial(backend.get_password, service, name))
        if kept != word:
            raise QwenStoreUnavailableError("The keyring does not keep what it is given.")
        _call(partial(backend.delete_password, service, name))

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None``.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        slot = self._slot(label)
        if slot is not None:
            return self._read(label, slot)
        # without a pointer (an index that was lost) the newest slot is the sign-in
        found = [credential for name in _SLOTS if (credential := self._read(label, name)) is not None]
        return max(found, key=lambda credential: credential.generation, default=None)

    def save(self, label: str, credential: Credential) -> None:
        """Write the slot that is not in use, read it back, then point to it.

        Raises:
            QwenStoreError: The record is too long for a keyring, or did not read back; the old one still stands.
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        if len(credential.to_json()) > RECORD_LIMIT:
            msg = (
                f"The sign-in of account {label!r} is over {RECORD_LIMIT:,} characters long, more than a keyring holds."
            )
            raise QwenStoreError(msg, hint="Keep it in a file: QWEN_PORTAL_STORE=file.")
        used = self._slot(label)
        free = _SLOTS[1] if used == _SLOTS[0] else _SLOTS[0]
        backend = self._chosen()
        _call(lambda: backend.set_password(_service(label, free), label, credential.to_json()))
        kept = self._read(label, free)
        if kept is None or kept.to_json() != credential.to_json():
            msg = f"The keyring did not keep the sign-in of account {label!r}: it reads back differently."
            raise QwenStoreUnavailableError(msg)
        with self._index.edit() as data:
            data.slots[label] = free

    def delete(self, label: str) -> bool:
        """Remove both slots; tell whether there was anything.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        backend = self._chosen()
        present = [slot for slot in _SLOTS if _call(partial(backend.get_password, _service(label, slot), label))]
        for slot in present:
            _call(partial(backend.delete_password, _service(label, slot), label))
        with self._index.edit() as data:
            data.slots.pop(label, None)
        return bool(present)

    def _slot(self, label: str) -> str | None:
        return self._index.read().slots.get(label)

    def _read(self, label: str, slot: str) -> Credential | None:
        backend = self._chosen()
        record = Secret(_call(partial(backend.get_password, _service(label, slot), label)) or "")
        if not record:
            return None
        with contextlib.suppress(ValueError):
            return Credential.from_json(record)
        msg = f"The keyring's item for account {label!r} is not a sign-in of this package."
        raise QwenStoreError(msg, hint=f"Run `qwen-portal login {label}`.")

    def _chosen(self) -> Backend:
        if self._backend is None:
            self._backend = _call(_choose_backend)
        return self._backend


def _service(label: str, slot: str) -> str:
    return f"qwen-portal:{hashlib.sha256(label.encode()).hexdigest()[:16]}:{slot}"


def _choose_backend() -> Backend:
    """Take an accepted backend, by class; look inside a chain rather than using it."""
    keyring = importlib.import_module("keyring")
    try:
        chosen = keyring.get_keyring()
    except Exception as exc:  # noqa: BLE001 - a mistyped PYTHON_KEYRING_BACKEND raises whatever import raises
        msg = f"The keyring could not be opened ({type(exc).__name__})."
        raise QwenStoreUnavailableError(msg) from None
    for backend in [*getattr(chosen, "backends", ()), chosen]:
        if type(backend).__module__.startswith(_ACCEPTED):
            found: Backend = backend
            return found
    msg = f"There is no usable keyring here (found {type(chosen).__module__}.{type(chosen).__name__})."
    raise QwenStoreUnavailableError(msg)


def _call(action: Callable[[], T]) -> T:
    """Run one keyring call within the time limit.

    It runs in a daemon thread: a hung call can neither be ended nor may it keep the interpreter from exiting.
    """
    results: list[T] = []
    failures: list[BaseException] = []
    deadline = time.monotonic() + CALL_SECONDS
    if not _one_call.acquire(timeout=CALL_SECONDS):
        raise _silent()

    def run() -> None:
        try:
            results.append(action())
        except BaseException as exc:  # noqa: BLE001 - carried to the caller's thread
            failures.append(exc)
        finally:
            _one_call.release()

    worker = threading.Thread(target=run, name="qwen-portal-keyring", daemon=True)
    worker.start()
    worker.join(max(0.0, deadline - time.monotonic()))
    if results:
        return results[0]
    if not failures:
        raise _silent()
    raise _translate(failures[0])


def _silent() -> QwenStoreUnavailableError:
    return QwenStoreUnavailableError(
        f"The keyring did not answer within {CALL_SECONDS:g} s.",
        hint=(
            "It may be waiting for its password in a window you cannot see: unlock it, or restart the keyring "
            "service. QWEN_PORTAL_STORE=file keeps the sign-in in a file instead."
        ),
    )


def _translate(failure: BaseException) -> QwenStoreError:
    """Turn the keyring library's error into ours, without the frames that hold the secret."""
    from keyring.errors import InitError, KeyringError, KeyringLocked, NoKeyringError

    if isinstance(failure, QwenStoreError):
        return failure
    if isinstance(failure, KeyringLocked):
        return QwenStoreLockedError("The keyring is locked.", hint=_UNLOCK)
    if isinstance(failure, InitError):
        return QwenStoreLockedError("The keyring has no open collection, or its password was not given.", hint=_UNLOCK)
    if isinstance(failure, NoKeyringError):
        return QwenStoreUnavailableError("There is no keyring here.")
    if isinstance(failure, KeyringError):
        return QwenStoreError(f"The keyring failed ({type(failure).__name__}).")
    # backends also raise D-Bus, OS and COM errors of their own
    return QwenStoreUnavailableError(f"The keyring failed ({type(failure).__name__}).")


_UNLOCK = (
    "Unlock it (log in to the desktop session, or `security unlock-keychain` on macOS over SSH), or set "
    "QWEN_PORTAL_STORE=file to keep the sign-in in a file only you can read."
)
