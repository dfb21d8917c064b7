"""Danger: a program runs with another store, sign-in host or clock than the one that signed in."""

import time

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenRefreshTokenInvalidError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential, TokenState
from qwen_portal.storage.stores.keyring import KeyringStore
from tests.login_never_lost.accounts import LABEL, account, end_token, next_process, refreshes, sign_in_as, stored
from tests.storage.fake_keyring import FakeKeyring


@pytest.fixture
def backend(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """Sign in on a keyring; the token's time is over."""
    assert emulator.url
    made = FakeKeyring()
    monkeypatch.setattr("qwen_portal.storage.stores.keyring._choose_backend", lambda: made)
    monkeypatch.setenv("QWEN_PORTAL_STORE", "auto")
    sign_in_as(LABEL)
    end_token()
    return made


def test_a_place_named_for_one_run_moves_no_account(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keyring's account is refreshed in the keyring; nothing of it comes into a plain file unasked."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    served = qwen_portal.get_access_token()
    assert account().store == "keyring"
    assert any(served in item for item in backend.items.values())
    assert not (Session().settings.home / "credentials").exists()
    monkeypatch.setenv("QWEN_PORTAL_STORE", "auto")
    assert next_process() != served
    assert refreshes(emulator) == 2


def test_a_sign_in_moves_the_account_and_leaves_nothing(backend: FakeKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signs in with another store named wants it there; the old place forgets the account."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    sign_in_as(LABEL)
    assert account().store == "file"
    assert backend.items == {}
    monkeypatch.setenv("QWEN_PORTAL_STORE", "auto")
    assert next_process() == stored().access_token.reveal()


def test_a_sign_in_that_moved_the_account_meanwhile_is_found(
    backend: FakeKeyring, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the choice of the account and its refresh it went to a file: no dead token is sent, none condemned."""
    assert backend.items
    before = account()
    tokens = Session().tokens
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    sign_in_as(LABEL)
    assert tokens.get(before).access_token == stored().access_token
    assert refreshes(emulator) == 0
    assert not account().needs_login


def test_what_another_host_says_of_a_token_does_not_stand(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong QWEN_PORTAL_OAUTH_URL, once: with the right one back, the sign-in goes on."""
    end_token()
    with Emulator() as other, monkeypatch.context() as patch:
        patch.setenv("QWEN_PORTAL_OAUTH_URL", other.url)
        for _ in range(2):
            with pytest.raises(QwenRefreshTokenInvalidError):
                qwen_portal.get_access_token()
        assert account().needs_login
        assert refreshes(other) == 1
    assert qwen_portal.get_access_token()
    assert refreshes(signed_in) == 1
    assert not account().needs_login


def test_a_sign_in_after_the_clock_was_set_back_replaces_the_old_one_everywhere(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running programs go by the generation, which never falls."""
    first = qwen_portal.get_access_token()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 86400)
    signed_in.advance(-86400)
    sign_in_as(LABEL)
    assert qwen_portal.get_access_token() == stored().access_token.reveal() != first


def test_a_token_that_was_issued_in_the_future_is_renewed_ahead_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was a year ahead at the sign-in: nobody knows how long the token serves."""
    ahead = time.time() + 365 * 86400
    made = Credential("oauth", "oauth", Secret("a"), issued_at=ahead, expires_at=ahead + 3600)
    assert made.state() is TokenState.STALE
    monkeypatch.setattr("time.time", lambda: ahead + 1)
    assert made.state() is TokenState.FRESH


def test_the_keyring_store_is_the_one_under_test(backend: FakeKeyring) -> None:
    """The stand-in for the keyring is what the account's store asks."""
    store = Session().accounts.store("keyring")
    assert isinstance(store, KeyringStore)
    assert store._chosen() is backend
