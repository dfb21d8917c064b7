"""Danger: the program is killed (kill -9) at any step of a refresh, on a real Secret Service."""

from collections.abc import Iterator

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenRefreshTokenInvalidError
from qwen_portal.session import Session
from tests.cli.program import run
from tests.login_never_lost.accounts import account, next_process, sign_in_as
from tests.login_never_lost.victims import BEGIN, CLEAR, INDEX, POST, STORY, Step, refresh_and_die

pytestmark = pytest.mark.real

_STORE = "qwen_portal.storage.stores.keyring"
# Each is called for the check first, then in earnest.
_SLOT = (_STORE, "KeyringStore._write_free_slot")
_ITEM = ("keyring.backends.SecretService", "Keyring.set_password")
_SAVE = (_STORE, "KeyringStore.save")

KEPT: dict[str, Step] = {
    "before the check": (*_ITEM, "before", 1),
    "in the check": (*_ITEM, "after", 1),
    "after the check": (*_SLOT, "after", 1),
    "after the note": (*BEGIN, "after", 1),
    "before the request": (*POST, "before", 1),
    "with the answer in the free slot": (*_ITEM, "after", 2),
    "with the answer read back": (*_SLOT, "after", 2),
    "with the pointer moved": (*_SAVE, "after", 1),
    "before the index knows": (*INDEX, "before", 1),
    "when the index knows": (*INDEX, "after", 1),
    "before the note is gone": (*CLEAR, "before", 1),
    "after the note is gone": (*CLEAR, "after", 1),
}
LOST: dict[str, Step] = {
    "with the answer in hand": (*POST, "after", 1),
    "before the answer is written": (*_ITEM, "before", 2),
}


@pytest.fixture
def on_keyring(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Sign in on the keyring; leave nothing there."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "keyring")
    sign_in_as("default")
    yield emulator
    qwen_portal.close()
    Session().accounts.remove("default")


@pytest.mark.parametrize("step", KEPT.values(), ids=KEPT)
def test_the_next_process_is_signed_in(on_keyring: Emulator, step: Step) -> None:
    """Also where the new token was written and nothing pointed to it yet."""
    refresh_and_die(*step)
    qwen_portal.close()
    served = qwen_portal.get_access_token()
    assert not on_keyring.state.ledger.access_tokens[served].revoked
    assert next_process() != served
    assert not account().needs_login
    assert STORY not in run("status").output


@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
def test_between_the_answer_and_the_keyring_the_journal_tells(on_keyring: Emulator, step: Step) -> None:
    """The one gap there is: the error and `status` say what happened."""
    pid = refresh_and_die(*step)
    qwen_portal.close()
    with pytest.raises(QwenRefreshTokenInvalidError, match=rf"pid {pid}.*{STORY}"):
        qwen_portal.get_access_token()
    assert STORY in run("status").stdout
    assert on_keyring.log("refresh")[-1].status == 400
