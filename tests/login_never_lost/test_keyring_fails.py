"""Danger: the keyring fails at any moment of a refresh."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordSetError

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError, QwenStoreLockedError, QwenStoreUnavailableError
from qwen_portal.session import Session
from qwen_portal.storage import index, refresh_journal
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.stores import keyring as keyring_store
from qwen_portal.storage.stores.keyring import KeyringStore
from tests.cli.program import run
from tests.login_never_lost.accounts import LABEL, account, end_token, refreshes, sign_in_as
from tests.login_never_lost.programs import Program
from tests.storage.fake_keyring import FakeKeyring, Keep


def use(backend: KeyringBackend) -> None:
    """Let this process, as if it had begun just now, find that keyring."""
    qwen_portal.close()
    accounts = Session().accounts
    accounts._stores["keyring"] = KeyringStore(accounts.index, backend)


@pytest.fixture
def backend(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """Sign in on a keyring whose two slots are both in use; the token's time is over."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "keyring")
    # put back at the end of the test, whoever changed it
    monkeypatch.setattr(keyring_store, "CALL_SECONDS", 30.0)
    made = FakeKeyring()
    use(made)
    sign_in_as(LABEL)
    qwen_portal.get_access_token(force_refresh=True)
    end_token()
    emulator.clear_log()
    return made


def raising(error: Exception, nth: int = 1) -> Callable[[], None]:
    """Return an act that fails from the n-th time on."""
    calls: list[int] = []

    def act() -> None:
        calls.append(1)
        if len(calls) >= nth:
            raise error

    return act


def hanging(release: threading.Event, nth: int = 1) -> Callable[[], None]:
    """Return an act that hangs from the n-th time on."""
    calls: list[int] = []

    def act() -> None:
        calls.append(1)
        if len(calls) >= nth:
            release.wait()

    return act


def keeping(nth: int, otherwise: Keep) -> Keep:
    """Return what keeps all it is given, and from the n-th time on something else."""
    calls: list[int] = []

    def keep(password: str) -> str | None:
        calls.append(1)
        return password if len(calls) < nth else otherwise(password)

    return keep


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Let what hangs go on, at the end."""
    event = threading.Event()
    yield event
    event.set()


Accident = Callable[[FakeKeyring, threading.Event, int], None]


def locked(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """The keyring is locked: the screen went off."""
    backend.at["set"] = raising(KeyringLocked("locked"), nth)


def refuses(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """The keyring takes nothing more: its disk is full, or a prompt was denied."""
    backend.at["set"] = raising(PasswordSetError("denied"), nth)


def hangs(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """The keyring waits for a password in a window that nobody sees."""
    keyring_store.CALL_SECONDS = 1.0
    backend.at["set"] = hanging(release, nth)


def deletes_first(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """An overwrite has deleted the old item, and the new one never comes."""
    backend.at["deleted"] = raising(PasswordSetError("gone"), nth)


def ignores(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """The keyring takes what it is given, and keeps none of it."""
    backend.keep = keeping(nth, lambda password: None)


def damages(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """The keyring keeps something else."""
    backend.keep = keeping(nth, lambda password: password[:-9])


def forgets_to_answer(backend: FakeKeyring, release: threading.Event, nth: int) -> None:
    """What was written cannot be read back: the keyring was locked between the two."""
    # two reads of the stored sign-in come before the first read-back
    backend.at["get"] = raising(KeyringLocked("locked"), 2 + nth)


ACCIDENTS = [locked, refuses, hangs, deletes_first, ignores, damages, forgets_to_answer]


def repair(backend: FakeKeyring, release: threading.Event) -> None:
    """Make the keyring work again, for a process that begins then."""
    release.set()
    backend.at, backend.keep = {}, str
    use(backend)


def test_a_token_in_the_free_slot_is_found_after_a_crash(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies before the pointer moves leaves the new token where the next one looks for it."""

    def die(self: KeyringStore, label: str, credential: Credential) -> NoReturn:
        self._write_free_slot(label, credential)
        raise SystemExit

    use(backend)
    with monkeypatch.context() as patch:
        patch.setattr(KeyringStore, "save", die)
        with pytest.raises(SystemExit):
            qwen_portal.get_access_token()
    use(backend)
    served = qwen_portal.get_access_token()
    assert not emulator.state.ledger.access_tokens[served].revoked
    assert refreshes(emulator) == 1
    assert qwen_portal.get_access_token(force_refresh=True) != served


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda each: each.__name__)
def test_at_the_write_test_no_token_is_spent(
    backend: FakeKeyring, emulator: Emulator, release: threading.Event, accident: Accident
) -> None:
    """The sign-in host is not asked at all; the error names a remedy; with the keyring back all is as it was."""
    use(backend)
    accident(backend, release, 1)
    with pytest.raises(QwenStoreError) as caught:
        qwen_portal.get_access_token()
    assert "QWEN_PORTAL_STORE" in caught.value.hint
    assert refreshes(emulator) == 0
    repair(backend, release)
    assert qwen_portal.get_access_token()
    assert refreshes(emulator) == 1


@pytest.mark.parametrize("accident", ACCIDENTS, ids=lambda each: each.__name__)
def test_at_the_store_the_new_token_is_put_aside_and_goes_back(
    backend: FakeKeyring, emulator: Emulator, release: threading.Event, accident: Accident
) -> None:
    """The error names the file; the next process puts it back without another refresh, and then it is gone."""
    use(backend)
    accident(backend, release, 2)
    with pytest.raises(QwenStoreError, match="could not be stored") as caught:
        qwen_portal.get_access_token()
    rescue = Session().accounts.journal(LABEL).rescue_path  # type: ignore[union-attr]
    assert str(rescue) in caught.value.hint
    assert rescue.stat().st_mode & 0o777 == 0o600
    assert refreshes(emulator) == 1
    repair(backend, release)
    assert qwen_portal.get_access_token() == list(emulator.state.ledger.access_tokens)[-1]
    assert not rescue.exists()
    assert refreshes(emulator) == 1
    assert qwen_portal.get_access_token(force_refresh=True)
    assert not account().needs_login


def test_a_token_that_still_serves_is_used_although_the_keyring_fails(
    emulator: Emulator, backend: FakeKeyring, release: threading.Event
) -> None:
    """Nobody is stopped by a keyring that fails while the token in hand is good."""
    use(backend)
    qwen_portal.get_access_token()
    emulator.clear_log()
    locked(backend, release, 1)
    assert qwen_portal.get_access_token()
    with pytest.raises(QwenStoreLockedError):
        qwen_portal.get_access_token(force_refresh=True)
    assert refreshes(emulator) == 0


def test_a_token_too_long_for_keyrings_moves_to_the_file_that_the_hint_names(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """1,280 characters are the limit; a longer answer is put aside, and QWEN_PORTAL_STORE=file takes it for good."""
    use(backend)
    short = emulator.state.ledger._opaque
    monkeypatch.setattr(emulator.state.ledger, "_opaque", lambda: short() * 12)
    with pytest.raises(QwenStoreError, match=r"1,280") as caught:
        qwen_portal.get_access_token()
    assert "QWEN_PORTAL_STORE=file" in caught.value.hint
    assert ".rescue" in caught.value.hint
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    qwen_portal.close()
    accounts = Session().accounts
    accounts._stores["keyring"] = KeyringStore(accounts.index, backend)
    assert qwen_portal.get_access_token() == list(emulator.state.ledger.access_tokens)[-1]
    assert refreshes(emulator) == 1
    assert account().store == "file"
    assert next(tmp_path.rglob("*.rescue"), None) is None


def test_a_record_too_long_is_refused_before_the_token_is_spent(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the keyring already and would not fit again says so at the write test."""
    use(backend)
    monkeypatch.setattr(keyring_store, "RECORD_LIMIT", 100)
    with pytest.raises(QwenStoreError, match="more than a keyring holds"):
        qwen_portal.get_access_token()
    assert refreshes(emulator) == 0


@pytest.mark.parametrize("named", [True, False], ids=["named", "missing"])
def test_no_keyring_at_all_spends_nothing(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """The null backend, and a shell without a keyring: an error that names the file store, exit code 3."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{'null' if named else 'fail'}.Keyring")
    backends = keyring.backends
    found = (backends.null if named else backends.fail).Keyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: found)
    qwen_portal.close()
    with pytest.raises(QwenStoreUnavailableError, match="no usable keyring") as caught:
        qwen_portal.get_access_token()
    assert "QWEN_PORTAL_STORE=file" in caught.value.hint
    assert run("token").exit_code == 3
    assert refreshes(emulator) == 0
    use(backend)
    assert qwen_portal.get_access_token()


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let neither the index nor the rescue be written."""

    def full(path: Path, text: str) -> NoReturn:
        raise QwenStoreError("No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(index, "write_private", full)
        patch.setattr(refresh_journal.Journal, "rescue", lambda self, credential: full(Path(), ""))
        yield


def test_with_the_disk_full_as_well_the_running_program_keeps_the_token(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says where the token is, and when there is space again the same program stores it."""
    use(backend)
    with full_disk(monkeypatch):
        with pytest.raises(QwenStoreError, match="leave the program running"):
            qwen_portal.get_access_token()
        assert qwen_portal.get_access_token() == list(emulator.state.ledger.access_tokens)[-1]
        qwen_portal.close()
        assert qwen_portal.get_access_token() == list(emulator.state.ledger.access_tokens)[-1]
    # a look at the store, which happens at every refusal and at every end of a token, puts it back
    latest = qwen_portal.get_access_token(force_refresh=True)
    use(backend)
    assert qwen_portal.get_access_token() == latest
    assert refreshes(emulator) == 2


def test_a_program_with_a_hung_keyring_exits(signed_in: Emulator) -> None:
    """The call that hangs at the store keeps neither the answer nor the program."""
    text = """
import json, threading
import qwen_portal
from qwen_portal.session import Session
from qwen_portal.storage.stores import keyring
from tests.storage.fake_keyring import FakeKeyring
from tests.login_never_lost.accounts import LABEL, end_token, sign_in_as

backend, accounts, sets = FakeKeyring(), Session().accounts, []
accounts._stores["keyring"] = keyring.KeyringStore(accounts.index, backend)
sign_in_as(LABEL)
end_token()
keyring.CALL_SECONDS = 1.0
backend.at["set"] = lambda: sets.append(1) or (len(sets) == 2 and threading.Event().wait())
try:
    qwen_portal.get_access_token()
except qwen_portal.QwenError as exc:
    print(json.dumps([type(exc).__name__, exc.hint]))
"""
    qwen_portal.logout()
    with Program(f"import os; os.environ['QWEN_PORTAL_STORE'] = 'keyring'\n{text}") as child:
        code, out, err = child.end()
    assert (code, err) == (0, "")
    name, hint = json.loads(out)
    assert name == QwenStoreUnavailableError.__name__
    assert ".rescue" in hint
