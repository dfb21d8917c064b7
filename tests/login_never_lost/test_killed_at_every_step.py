"""Danger: the program is killed (kill -9, power cut, out of memory) at any step of a refresh."""

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError, QwenRefreshTokenInvalidError
from tests.cli.program import run
from tests.login_never_lost.accounts import account, next_process, refreshes
from tests.login_never_lost.victims import BEGIN, CLEAR, INDEX, POST, STORY, Step, refresh_and_die

FILE = ("qwen_portal.storage.stores.file", "FileStore")
# The store writes the record for the check first, then in earnest.
_CHECK = (FILE[0], f"{FILE[1]}.check_writable")
_SAVE = (FILE[0], f"{FILE[1]}.save")
_WRITE = (FILE[0], "write_private")

KEPT = {
    "with the lock taken": (*_CHECK, "before", 1),
    "with the check written": (*_WRITE, "after", 1),
    "after the check": (*_CHECK, "after", 1),
    "before the note": (*BEGIN, "before", 1),
    "after the note": (*BEGIN, "after", 1),
    "before the request": (*POST, "before", 1),
    "with the answer written": (*_WRITE, "after", 2),
    "with the answer stored": (*_SAVE, "after", 1),
    "before the index knows": (*INDEX, "before", 1),
    "when the index knows": (*INDEX, "after", 1),
    "before the note is gone": (*CLEAR, "before", 1),
    "after the note is gone": (*CLEAR, "after", 1),
}
LOST = {
    "with the answer in hand": (*POST, "after", 1),
    "before the answer is stored": (*_SAVE, "before", 1),
    "before the answer is written": (*_WRITE, "before", 2),
}

REVOKED = "the service ended this sign-in"


@pytest.mark.parametrize("step", KEPT.values(), ids=KEPT)
def test_the_next_process_is_signed_in(signed_in: Emulator, step: Step) -> None:
    """No lock stays, nothing is half-written, and the sign-in goes on, refresh after refresh."""
    refresh_and_die(*step)
    served = qwen_portal.get_access_token()
    assert served in signed_in.state.ledger.access_tokens
    assert not signed_in.state.ledger.access_tokens[served].revoked
    assert next_process() != served
    assert not account().needs_login
    assert STORY not in run("status").output


@pytest.mark.parametrize("step", LOST.values(), ids=LOST)
def test_between_the_answer_and_the_store_the_journal_tells(signed_in: Emulator, step: Step) -> None:
    """The one gap there is: the error and `status` say what happened, also the second time, and name the command."""
    pid = refresh_and_die(*step)
    for _ in range(2):
        qwen_portal.close()
        with pytest.raises(QwenRefreshTokenInvalidError, match=STORY) as caught:
            qwen_portal.get_access_token()
        assert f"pid {pid}" in str(caught.value)
        assert "qwen-portal login default" in str(caught.value)
        said = run("status").stdout
        assert STORY in said
        assert REVOKED not in said
    assert run("token").exit_code == 4


def test_the_story_is_told_again_when_another_host_is_asked(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejection counts for the host that spoke it; the crash is the reason there too."""
    pid = refresh_and_die(*LOST["with the answer in hand"])
    for url in (signed_in.url, signed_in.url.replace("127.0.0.1", "localhost")):
        monkeypatch.setenv("QWEN_PORTAL_OAUTH_URL", url)
        with pytest.raises(QwenRefreshTokenInvalidError, match=rf"pid {pid}.*{STORY}"):
            qwen_portal.get_access_token()
    assert [entry.status for entry in signed_in.log("refresh")[-2:]] == [400, 400]


def test_a_failure_in_between_does_not_make_the_journal_forget(signed_in: Emulator) -> None:
    """The process after the crash meets a sign-in host that is down, the one after that hears of the crash."""
    pid = refresh_and_die(*LOST["with the answer in hand"])
    for scenario in ("error-500", "firewall", "drop"):
        signed_in.scenario(scenario, times=1, where="refresh")
        with pytest.raises(QwenError) as caught:
            qwen_portal.get_access_token()
        assert not isinstance(caught.value, QwenRefreshTokenInvalidError)
    with pytest.raises(QwenRefreshTokenInvalidError, match=rf"pid {pid}.*{STORY}"):
        qwen_portal.get_access_token()


def test_a_crash_long_ago_is_no_excuse_for_a_revocation(signed_in: Emulator) -> None:
    """Once the sign-in went on after a crash, a refresh token that dies was ended by the service."""
    refresh_and_die(*KEPT["before the note is gone"])
    assert next_process()
    signed_in.revoke(refresh_too=True)
    with pytest.raises(QwenRefreshTokenInvalidError, match="no longer accepts"):
        qwen_portal.get_access_token(force_refresh=True)
    assert REVOKED in run("status").stdout
    assert STORY not in run("status").stdout


def test_a_crash_is_forgotten_even_if_the_server_leaves_the_token_good(signed_in: Emulator) -> None:
    """The same refresh token twice: the note of the first use is not held against the second."""
    signed_in.scenario("refresh-keeps-token")
    refresh_and_die(*KEPT["with the answer stored"])
    signed_in.revoke(refresh_too=True)
    with pytest.raises(QwenRefreshTokenInvalidError, match="no longer accepts"):
        qwen_portal.get_access_token(force_refresh=True)
    assert REVOKED in run("status").stdout


def test_a_new_sign_in_ends_the_story(signed_in: Emulator) -> None:
    """After the crash and the login that the error asked for, nothing of it is left."""
    refresh_and_die(*LOST["with the answer in hand"])
    with pytest.raises(QwenRefreshTokenInvalidError):
        qwen_portal.get_access_token()
    signed_in.configure(interval=0.01)
    assert run("login", "--no-browser").exit_code == 0
    assert STORY not in run("status").stdout
    before = refreshes(signed_in)
    assert next_process()
    assert refreshes(signed_in) == before + 1
