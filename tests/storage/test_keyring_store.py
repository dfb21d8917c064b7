"""The keyring store: what stays of a sign-in when a keyring fails, and which keyrings it trusts."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import keyring
import keyring.backend
import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, Windows, chainer, fail, kwallet, libsecret, macOS, null
from keyring.errors import InitError, KeyringError, KeyringLocked, NoKeyringError, PasswordSetError
from keyring.testing.backend import BackendBasicTests

from qwen_portal.errors import QwenStoreError, QwenStoreLockedError, QwenStoreUnavailableError
from qwen_portal.secrets import Secret
from qwen_portal.storage import index
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import FileIndex
from qwen_portal.storage.stores import keyring as keyring_store
from qwen_portal.storage.stores.keyring import RECORD_LIMIT, KeyringStore
from tests.canaries import ACCESS, REFRESH, assert_none_in_error
from tests.login_never_lost.accounts import PATIENCE
from tests.storage.fake_keyring import FakeKeyring

ACCEPTED = [macOS.Keyring, Windows.WinVaultKeyring, SecretService.Keyring, kwallet.DBusKeyring, libsecret.Keyring]


class TestTheFake(BackendBasicTests):
    """The stand-in passes the tests that keyring has for its own backends."""

    def init_keyring(self) -> FakeKeyring:
        """Return the backend under test."""
        return FakeKeyring()


@pytest.fixture
def backend() -> FakeKeyring:
    """Return an empty keyring."""
    return FakeKeyring()


@pytest.fixture
def store(tmp_path: Path, backend: FakeKeyring) -> KeyringStore:
    """Return a store on that keyring."""
    return opened(tmp_path, backend)


def opened(folder: Path, backend: FakeKeyring) -> KeyringStore:
    """Open the store as a new process would."""
    return KeyringStore(FileIndex(folder / "accounts.json"), backend)


def generation(number: int, *, access: str = ACCESS) -> Credential:
    """Make the n-th credential of one account."""
    return Credential(
        kind="oauth",
        plan="oauth",
        access_token=Secret(access),
        refresh_token=Secret(REFRESH),
        generation=number,
    )


def failing(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises."""

    def fail_now() -> NoReturn:
        raise error

    return fail_now


def generation_in(store: KeyringStore, label: str = "work") -> int | None:
    """Tell which credential of the account the store returns."""
    found = store.load(label)
    return None if found is None else found.generation


def test_the_item_in_use_is_never_written(tmp_path: Path, store: KeyringStore, backend: FakeKeyring) -> None:
    """While a new credential is being written, every new process still reads the old one."""
    store.save("work", generation(1))
    for number in range(2, 6):
        seen: list[int | None] = []

        def look(seen: list[int | None] = seen) -> None:
            slot = FileIndex(tmp_path / "accounts.json").read().slots["work"]
            in_use = backend.items[f"qwen-portal:{slot}", "work"]
            seen.append(Credential.from_json(Secret(in_use)).generation)

        backend.at = {"set": look, "deleted": look, "get": look}
        store.save("work", generation(number))
        backend.at = {}
        assert set(seen) == {number - 1}
        assert generation_in(opened(tmp_path, backend)) == number
    assert len(backend.items) == 2


@pytest.mark.parametrize("broken", [True, False])
def test_a_reader_that_was_overtaken_reads_again(
    tmp_path: Path, store: KeyringStore, backend: FakeKeyring, broken: bool
) -> None:
    """Two refreshes by another process while one is read: its slot is being replaced, and the pointer has moved."""
    store.save("work", generation(1))

    def overtake() -> None:
        backend.at.clear()
        with FileIndex(tmp_path / "accounts.json").edit() as data:
            name, _, letter = data.slots["work"].partition(":")
            data.slots["work"] = f"{name}:{'b' if letter == 'a' else 'a'}"
            backend.items[f"qwen-portal:{data.slots['work']}", "work"] = generation(2).to_json()
        if broken:
            msg = "the item is gone"
            raise LookupError(msg)

    backend.at["get"] = overtake
    assert generation_in(store) == 2


@pytest.mark.parametrize("point", ["set", "deleted", "get"])
def test_a_write_that_breaks_off_costs_nothing(
    tmp_path: Path, store: KeyringStore, backend: FakeKeyring, point: str
) -> None:
    """Wherever a write breaks off, the old sign-in is read, and the next write succeeds."""
    store.save("work", generation(1))
    store.save("work", generation(2))
    backend.at = {point: failing(OSError(5, "Access is denied"))}
    with pytest.raises(QwenStoreUnavailableError) as caught:
        store.save("work", generation(3))
    assert_none_in_error(caught.value)
    backend.at = {}
    again = opened(tmp_path, backend)
    assert generation_in(again) == 2
    again.save("work", generation(4))
    assert generation_in(store) == 4


def test_a_full_disk_under_the_index_costs_nothing(
    tmp_path: Path, store: KeyringStore, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the new item written and the pointer not moved, the old sign-in still counts."""

    def full(path: Path, text: str) -> NoReturn:
        raise QwenStoreError("No space left on device.")

    store.save("work", generation(1))
    with monkeypatch.context() as patch:
        patch.setattr(index, "write_private", full)
        with pytest.raises(QwenStoreError, match="No space"):
            store.save("work", generation(2))
    assert generation_in(opened(tmp_path, backend)) == 1


@pytest.mark.parametrize("keep", [lambda text: None, lambda text: text[:-1], lambda text: ""])
def test_a_keyring_that_keeps_something_else_is_noticed(
    store: KeyringStore, backend: FakeKeyring, keep: Callable[[str], str | None]
) -> None:
    """A write that is ignored or damaged is an error, and the old sign-in stands."""
    store.save("work", generation(1))
    backend.keep = keep
    with pytest.raises(QwenStoreUnavailableError, match="keep") as caught:
        store.save("work", generation(2))
    assert_none_in_error(caught.value)
    with pytest.raises(QwenStoreUnavailableError, match="does not keep"):
        store.probe("work")
    backend.keep = str
    assert generation_in(store) == 1


def test_a_record_that_windows_cannot_hold_is_refused_before_it_is_written(
    store: KeyringStore, backend: FakeKeyring
) -> None:
    """1,280 characters are kept, one more is refused with the name of the store that can."""
    store.save("work", generation(1))
    room = RECORD_LIMIT - len(generation(2, access="").to_json())
    store.save("work", generation(2, access="a" * room))
    before = dict(backend.items)
    with pytest.raises(QwenStoreError, match="1,280") as caught:
        store.save("work", generation(3, access="a" * (room + 1)))
    assert "QWEN_PORTAL_STORE=file" in caught.value.hint
    assert backend.items == before
    assert generation_in(store) == 2


def test_two_homes_with_the_same_label_keep_their_own_sign_in(tmp_path: Path, backend: FakeKeyring) -> None:
    """All homes of a user share one keyring; the label "work" of one must not displace that of another."""
    one, other = opened(tmp_path / "one", backend), opened(tmp_path / "other", backend)
    one.save("work", generation(1))
    other.save("work", generation(2))
    other.save("work", generation(3))
    assert (generation_in(one), generation_in(other)) == (1, 3)
    other.delete("work")
    assert generation_in(one) == 1


def test_two_accounts_keep_their_own_sign_in(store: KeyringStore) -> None:
    """Labels are data: one that looks like another's slot reads nothing of it."""
    store.save("work", generation(1))
    store.save("work:a", generation(2))
    assert (generation_in(store, "work"), generation_in(store, "work:a")) == (1, 2)
    assert store.load("home") is None


def test_logout_leaves_nothing_behind(tmp_path: Path, store: KeyringStore, backend: FakeKeyring) -> None:
    """Both slots are emptied; a second logout finds nothing, and a new sign-in works."""
    for number in (1, 2, 3):
        store.save("work", generation(number))
    assert store.delete("work")
    assert backend.items == {}
    assert FileIndex(tmp_path / "accounts.json").read().slots == {}
    assert store.load("work") is None
    assert not store.delete("work")
    store.save("work", generation(4))
    assert generation_in(store) == 4


def test_a_logout_that_breaks_off_can_be_repeated(store: KeyringStore, backend: FakeKeyring) -> None:
    """A keyring that is locked during the logout is an error; afterwards the logout removes the rest."""
    store.save("work", generation(1))
    store.save("work", generation(2))
    backend.at = {"delete": failing(KeyringLocked("no"))}
    with pytest.raises(QwenStoreLockedError):
        store.delete("work")
    backend.at = {}
    assert store.delete("work")
    assert backend.items == {}


def test_a_damaged_item_is_named_and_can_be_replaced(store: KeyringStore, backend: FakeKeyring) -> None:
    """An item that is no sign-in is an error that says what to do, quotes nothing, and yields to a new sign-in."""
    store.save("work", generation(1))
    backend.items = dict.fromkeys(backend.items, f'{{"access_token":"{ACCESS}"')
    with pytest.raises(QwenStoreError, match="not a sign-in") as caught:
        store.load("work")
    assert "qwen-portal login work" in caught.value.hint
    assert_none_in_error(caught.value)
    store.save("work", generation(2))
    assert generation_in(store) == 2


def keychain_over_ssh() -> PasswordSetError:
    """Make the error of a keychain that may not ask for its password."""
    error = PasswordSetError("Can't store password on keychain")
    error.__cause__ = Exception(-25308, "Unknown Error")
    return error


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (KeyringLocked("Failed to unlock the collection!"), QwenStoreLockedError),
        (InitError("Failed to create the collection: Prompt dismissed"), QwenStoreLockedError),
        (keychain_over_ssh(), QwenStoreLockedError),
        (NoKeyringError(), QwenStoreUnavailableError),
        (KeyringError("odd"), QwenStoreError),
        (OSError(1783, ACCESS), QwenStoreUnavailableError),
        (ConnectionResetError(REFRESH), QwenStoreUnavailableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_failure_is_ours_and_tells_no_secret(
    store: KeyringStore, backend: FakeKeyring, failure: Exception, expected: type[QwenStoreError]
) -> None:
    """Whatever a backend raises, all four operations raise one class, with a hint and without a secret."""
    store.save("work", generation(1))
    backend.at = dict.fromkeys(("get", "set", "delete"), failing(failure))
    operations: list[Callable[[], Any]] = [
        lambda: store.probe("work"),
        lambda: store.load("work"),
        lambda: store.save("work", generation(2)),
        lambda: store.delete("work"),
    ]
    for operation in operations:
        with pytest.raises(expected) as caught:
            operation()
        assert type(caught.value) is expected
        assert "QWEN_PORTAL_STORE" in caught.value.hint
        assert_none_in_error(caught.value)


def test_a_probe_leaves_nothing_and_two_do_not_meet(store: KeyringStore, backend: FakeKeyring) -> None:
    """Each probe has an item of its own, so that two processes do not read each other's, and removes it."""
    seen: set[tuple[str, str]] = set()
    backend.at = {"get": lambda: seen.update(backend.items)}
    store.probe("work")
    store.probe("work")
    assert len(seen) == 2
    assert backend.items == {}


def test_a_hanging_keyring_is_given_up_and_asked_nothing_more(
    store: KeyringStore, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each operation ends in time; while the first call hangs no other is started; afterwards all is as before."""
    store.save("work", generation(1))
    release, entered = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        entered.release()
        release.wait()

    backend.at = dict.fromkeys(("get", "set", "delete"), hang)
    operations: list[Callable[[], Any]] = [
        lambda: store.load("work"),
        lambda: store.save("work", generation(2)),
        lambda: store.delete("work"),
        lambda: store.probe("work"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(keyring_store, "CALL_SECONDS", 0.05)
        for operation in operations:
            with pytest.raises(QwenStoreUnavailableError, match=r"did not answer within 0\.05 s") as caught:
                operation()
            assert_none_in_error(caught.value)
    assert entered.acquire(timeout=PATIENCE)
    assert not entered.acquire(blocking=False)
    release.set()
    assert generation_in(store) == 1


def test_a_write_that_comes_through_too_late_changes_nothing(
    store: KeyringStore, backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password typed after we gave up lets the old write through; the sign-in that counts is still the old one."""
    store.save("work", generation(1))
    release = threading.Event()
    backend.at = {"set": release.wait}
    with monkeypatch.context() as patch:
        patch.setattr(keyring_store, "CALL_SECONDS", 0.05)
        with pytest.raises(QwenStoreUnavailableError):
            store.save("work", generation(2))
    release.set()
    assert generation_in(store) == 1
    assert len(backend.items) == 2
    store.save("work", generation(3))
    assert generation_in(store) == 3


def test_the_interpreter_exits_though_a_call_hangs(tmp_path: Path) -> None:
    """The thread of a hung call does not keep the program from ending."""
    program = """
        import pathlib, sys, threading
        from qwen_portal.errors import QwenStoreUnavailableError
        from qwen_portal.storage.index import MemoryIndex
        from qwen_portal.storage.stores import keyring

        class Hanging:
            def __getattr__(self, name):
                return lambda *args: threading.Event().wait()

        keyring.CALL_SECONDS = 0.05
        try:
            keyring.KeyringStore(MemoryIndex(), Hanging()).probe("work")
        except QwenStoreUnavailableError:
            print("given up")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")


@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda each: each.__module__)
def test_the_platforms_own_keyrings_are_accepted(
    tmp_path: Path, accepted: type[KeyringBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The five backends that keep secrets with the operating system are used as they are."""
    chosen = accepted()
    monkeypatch.setattr(keyring, "get_keyring", lambda: chosen)
    assert KeyringStore(FileIndex(tmp_path / "accounts.json"))._chosen() is chosen


class Lookalike(FakeKeyring):
    """A backend whose module is called almost like an accepted one."""

    __module__ = "keyring.backends.SecretServiceInPlainText"


@pytest.mark.parametrize("refused", [null.Keyring, fail.Keyring, FakeKeyring, Lookalike, chainer.ChainerBackend])
def test_other_keyrings_are_refused_by_class(
    tmp_path: Path, refused: type[KeyringBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keyring that keeps nothing, or keeps it in the clear, is refused by name, and the hint names the file store."""
    monkeypatch.setattr(keyring.backend, "get_all_keyring", list)
    chosen = refused()
    monkeypatch.setattr(keyring, "get_keyring", lambda: chosen)
    with pytest.raises(QwenStoreUnavailableError, match=f"{refused.__module__}.{refused.__name__}") as caught:
        KeyringStore(FileIndex(tmp_path / "accounts.json")).probe("work")
    assert "QWEN_PORTAL_STORE=file" in caught.value.hint
    assert "PYTHON_KEYRING_BACKEND" not in caught.value.hint


def test_a_chain_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain of keyring writes to its first member, whatever that is; the accepted member is used directly."""

    class PlainText(FakeKeyring):
        priority = 9.0

    class SecretServiceHere(FakeKeyring):
        __module__ = "keyring.backends.SecretService"
        priority = 5.0

    plain, secret_service = PlainText(), SecretServiceHere()
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [plain, secret_service])
    monkeypatch.setattr(keyring, "get_keyring", chainer.ChainerBackend)
    store = KeyringStore(FileIndex(tmp_path / "accounts.json"))
    store.save("work", generation(1))
    assert plain.items == {}
    assert len(secret_service.items) == 1


def test_a_named_backend_that_does_not_serve_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo in PYTHON_KEYRING_BACKEND is an error of ours that says which variable to mend."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretServise.Keyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    with pytest.raises(QwenStoreUnavailableError, match="ModuleNotFoundError") as caught:
        KeyringStore(FileIndex(tmp_path / "accounts.json")).probe("work")
    assert "PYTHON_KEYRING_BACKEND is 'keyring.backends.SecretServise.Keyring'" in caught.value.hint
