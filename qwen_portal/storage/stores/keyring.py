"""Credentials in the OS keyring: macOS Keychain, Windows Credential Manager, Secret Service, KWallet.

Each account has two slots. A new credential goes to the slot that is not in use, is read back, and only then the
pointer in the account index moves; so a crash, a denied prompt or a backend that deletes before it writes never
costs the sign-in that was there. Every slot is a service of its own, because on Windows two users of one service
displace each other; and its name is random, because all QWEN_PORTAL_HOMEs of a user share one keyring.
"""

import contextlib
import importlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol, TypeVar

from qwen_portal.errors import QwenStoreError, QwenStoreLockedError, QwenStoreUnavailableError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import FileIndex, Index
from qwen_portal.storage.locks import file_lock
from qwen_portal.storage.stores.remedies import silent, too_long, unlock, without_keyring
from qwen_portal.text import shell_quote

T = TypeVar("T")

CALL_SECONDS = 3.0
# How long to wait for the calls of other processes.
_TURN_SECONDS = 30.0
# Windows keeps 2,560 bytes of UTF-16; the same limit everywhere, so that a sign-in moves between machines.
RECORD_LIMIT = 1280
_ACCEPTED = ("macOS", "Windows", "SecretService", "kwallet", "libsecret")
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
        index: The account index, which says which slot each account's sign-in is in.
        backend: The keyring backend; chosen on first use if not given.
    """

    name = "keyring"
    is_shared = False

    def __init__(self, index: Index, backend: Backend | None = None) -> None:
        self._index = index
        self._backend = backend

    def probe(self, label: str) -> None:  # noqa: ARG002 - one label is as good as another
        """Write, read back and delete an item.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, it does not answer, or it does not keep what it is given.
        """
        # a service of its own: two processes may try at the same time
        backend, word = self._chosen(), uuid.uuid4().hex
        service = f"qwen-portal:probe:{word}"
        self._ask(partial(backend.set_password, service, "probe", word))
        if self._ask(partial(backend.get_password, service, "probe")) != word:
            raise QwenStoreUnavailableError("The keyring does not keep what it is given.")
        self._ask(partial(backend.delete_password, service, "probe"))

    def load(self, label: str) -> Credential | None:
        """Return the account's credential, or ``None``.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        record = self._read_current(label)
        if not record:
            return None
        with contextlib.suppress(ValueError):
            return Credential.from_json(record)
        msg = f"The keyring's item for account {label!r} is not a sign-in of this package."
        raise QwenStoreError(msg, hint=f"Run `qwen-portal login {shell_quote(label)}`.")

    def check_writable(self, label: str, credential: Credential) -> None:
        """Write the slot that is not in use and read it back; the pointer stays.

        Raises:
            QwenStoreError: As :meth:`save` says.
        """
        self._write_free_slot(label, credential)

    def save(self, label: str, credential: Credential) -> None:
        """Write the slot that is not in use, read it back, then point to it.

        Raises:
            QwenStoreError: The record is too long for a keyring, or did not read back; the old one still stands.
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        slot = self._write_free_slot(label, credential)
        with self._index.edit() as data:
            data.slots[label] = slot

    def interrupted_save(self, label: str) -> Credential | None:
        """Return what the slot that is not in use holds, if it is newer: the pointer was not moved any more.

        Raises:
            QwenStoreError: The keyring failed.
        """
        current, slot = self.load(label), self._slot(label)
        if current is None or slot is None:
            return None
        try:
            spare = Credential.from_json(self._read(label, _other(slot)))
        except ValueError:
            return None
        return spare if spare.generation > current.generation else None

    def _write_free_slot(self, label: str, credential: Credential) -> str:
        record = Secret(credential.to_json())
        if len(record.reveal()) > RECORD_LIMIT:
            msg = (
                f"The sign-in of account {label!r} is over {RECORD_LIMIT:,} characters long, more than a keyring holds."
            )
            raise QwenStoreError(msg, hint=too_long())
        backend, free = self._chosen(), _other(self._slot(label))
        self._ask(lambda: backend.set_password(_service(free), label, record.reveal()))
        if self._read(label, free) != record:
            msg = f"The keyring did not keep the sign-in of account {label!r}: it reads back differently."
            raise QwenStoreUnavailableError(msg)
        return free

    def delete(self, label: str) -> bool:
        """Remove both slots; tell whether there was anything.

        Raises:
            QwenStoreLockedError: The keyring is locked.
            QwenStoreUnavailableError: There is no keyring, or it does not answer.
        """
        backend, slot = self._chosen(), self._slot(label)
        present = [each for each in (slot, _other(slot)) if each is not None and self._read(label, each)]
        for each in present:
            self._ask(partial(backend.delete_password, _service(each), label))
        with self._index.edit() as data:
            data.slots.pop(label, None)
        return bool(present)

    def damage(self, label: str) -> str | None:
        """Return ``None``: a keyring is not opened to look."""

    def exclusive(self) -> contextlib.AbstractContextManager[object]:
        """Return nothing to hold: no other program shares these slots."""
        return contextlib.nullcontext()

    def _read_current(self, label: str) -> Secret:
        """Read the slot that the pointer names; again if the pointer moved meanwhile.

        A slow reader's slot is the one that the next refresh but one writes into: what it finds there may be newer,
        or an item that is being replaced.
        """
        while True:
            slot = self._slot(label)
            if slot is None:
                return Secret("")
            try:
                record = self._read(label, slot)
            except QwenStoreError:
                if self._slot(label) == slot:
                    raise
            else:
                if self._slot(label) == slot:
                    return record

    def _slot(self, label: str) -> str | None:
        return self._index.read().slots.get(label)

    def _read(self, label: str, slot: str) -> Secret:
        backend = self._chosen()
        return Secret(self._ask(partial(backend.get_password, _service(slot), label)) or "")

    def _ask(self, action: Callable[[], T]) -> T:
        """Make one call, and no other of our processes another meanwhile: gnome-keyring dies of a crowd."""
        if not isinstance(self._index, FileIndex):
            return _call(action)
        with file_lock(self._index.path.parent / "locks" / "keyring.lock", _TURN_SECONDS):
            return _call(action)

    def _chosen(self) -> Backend:
        if self._backend is None:
            # Imported before the clock starts: on a busy machine that alone may take longer than a call is given.
            importlib.import_module("keyring")
            self._backend = _call(_choose_backend)
        return self._backend


def _other(slot: str | None) -> str:
    """Name the slot that is not in use; the first one of a new account if there is none."""
    name, _, letter = (slot or f"{uuid.uuid4().hex}:b").partition(":")
    return f"{name}:{'b' if letter == 'a' else 'a'}"


def _service(slot: str) -> str:
    return f"qwen-portal:{slot}"


def _choose_backend() -> Backend:
    """Take an accepted backend, by class; look inside a chain rather than using it."""
    keyring = importlib.import_module("keyring")
    try:
        chosen = keyring.get_keyring()
    except Exception as exc:  # noqa: BLE001 - a mistyped PYTHON_KEYRING_BACKEND raises whatever import raises
        raise QwenStoreUnavailableError(
            f"The keyring could not be opened ({type(exc).__name__}).", hint=without_keyring()
        ) from None
    for backend in [*getattr(chosen, "backends", ()), chosen]:
        package, _, module = type(backend).__module__.rpartition(".")
        if package == "keyring.backends" and module in _ACCEPTED:
            found: Backend = backend
            return found
    msg = f"There is no usable keyring here (found {type(chosen).__module__}.{type(chosen).__name__})."
    raise QwenStoreUnavailableError(msg, hint=without_keyring())


def _call(action: Callable[[], T]) -> T:
    """Run one keyring call within the time limit.

    It runs in a daemon thread: a hung call can neither be ended nor may it keep the interpreter from exiting.
    """
    outcome: Future[T] = Future()
    deadline = time.monotonic() + CALL_SECONDS
    if not _one_call.acquire(timeout=CALL_SECONDS):
        raise _silent()

    def run() -> None:
        try:
            outcome.set_result(action())
        except BaseException as exc:  # noqa: BLE001 - told to the caller's thread
            # here, so that the backend's error, which may quote the secret, is no context of ours
            outcome.set_exception(_translate(exc))
        finally:
            _one_call.release()

    try:
        threading.Thread(target=run, name="qwen-portal-keyring", daemon=True).start()
    except RuntimeError as exc:
        _one_call.release()
        msg = f"The keyring could not be asked: {exc}."
        raise QwenStoreUnavailableError(msg, hint="The program has too many threads, or is ending.") from None
    try:
        return outcome.result(deadline - time.monotonic())
    except TimeoutError:
        raise _silent() from None


def _silent() -> QwenStoreUnavailableError:
    return QwenStoreUnavailableError(f"The keyring did not answer within {CALL_SECONDS:g} s.", hint=silent())


def _translate(failure: BaseException) -> QwenStoreError:
    """Turn the keyring library's error into ours, without the frames that hold the secret."""
    from keyring.errors import InitError, KeyringError, KeyringLocked, NoKeyringError

    if isinstance(failure, QwenStoreError):
        return failure
    if isinstance(failure, KeyringLocked) or _may_not_ask(failure):
        return QwenStoreLockedError("The keyring is locked.", hint=unlock())
    if isinstance(failure, InitError):
        return QwenStoreLockedError("The keyring has no open collection, or its password was not given.", hint=unlock())
    if isinstance(failure, NoKeyringError):
        return QwenStoreUnavailableError("There is no keyring here.", hint=without_keyring())
    if isinstance(failure, KeyringError):
        return QwenStoreError(f"The keyring failed ({type(failure).__name__}).")
    # backends also raise D-Bus, OS and COM errors of their own
    return QwenStoreUnavailableError(f"The keyring failed ({type(failure).__name__}).")


def _may_not_ask(failure: BaseException) -> bool:
    return failure.__cause__ is not None and failure.__cause__.args[:1] == (_NO_INTERACTION,)


# errSecInteractionNotAllowed: macOS may not ask for the keychain's password, as over SSH; keyring has no class for it.
_NO_INTERACTION = -25308


def _after_fork() -> None:
    """Give a forked child a lock that no thread of its parent holds."""
    global _one_call  # noqa: PLW0603 - the lock itself cannot be trusted any more
    _one_call = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
