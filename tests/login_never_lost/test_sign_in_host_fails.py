"""Danger: the sign-in host, or what stands before it, fails at a refresh."""

import logging

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.emulator import oauth as emulated
from qwen_portal.errors import QwenRefreshTokenInvalidError, QwenTokenExpiredError
from qwen_portal.session import Session
from qwen_portal.storage.credential import DEFAULT_LIFETIME
from tests.cli.program import run
from tests.login_never_lost.accounts import (
    LABEL,
    account,
    answers_held,
    end_token,
    next_process,
    refreshes,
    sign_in_as,
    stored,
)
from tests.silence import reads_end_when

PASSING = ["firewall", "empty", "error-500", "html-502", "gateway-504", "burst", "drop"]
REVOKED = "the service ended this sign-in"


@pytest.mark.parametrize("scenario", PASSING)
def test_whatever_fails_before_the_service_costs_nothing(signed_in: Emulator, scenario: str) -> None:
    """One try each time, an error that says the sign-in is kept, and afterwards the same refresh token works."""
    end_token()
    before = stored()
    signed_in.scenario(scenario, times=3, where="refresh")
    for tries in (1, 2, 3):
        with pytest.raises(QwenTokenExpiredError) as caught:
            qwen_portal.get_access_token()
        assert "kept" in caught.value.hint
        assert refreshes(signed_in) == tries
        assert stored() == before
        assert "token expired; the next call renews it" in run("status").stdout
    assert run("token").exit_code == 0
    assert next_process()


@pytest.mark.parametrize("scenario", PASSING)
def test_a_real_end_after_a_passing_failure_is_told(signed_in: Emulator, scenario: str) -> None:
    """Nothing of a failure that was got over is held against a later revocation."""
    end_token()
    signed_in.scenario(scenario, times=1, where="refresh")
    with pytest.raises(QwenTokenExpiredError):
        qwen_portal.get_access_token()
    assert next_process()
    signed_in.revoke(refresh_too=True)
    with pytest.raises(QwenRefreshTokenInvalidError, match=r"no longer accepts|has ended"):
        qwen_portal.get_access_token(force_refresh=True)
    assert REVOKED in run("status").stdout


def test_a_host_that_is_not_there_costs_nothing(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent, so nothing is noted; with the network back all is well."""
    end_token()
    session = Session()
    monkeypatch.setattr(session.tokens._refresher, "_sleep", lambda seconds: None)
    monkeypatch.setattr(session.tokens._refresher, "_oauth_url", "http://127.0.0.1:1")
    with pytest.raises(QwenTokenExpiredError, match="could not be reached"):
        qwen_portal.get_access_token()
    journal = session.accounts.journal(LABEL)
    assert journal is not None
    assert journal.read() is None
    qwen_portal.close()
    assert qwen_portal.get_access_token()
    assert refreshes(signed_in) == 1


def test_an_answer_that_is_lost_after_the_rotation_is_told(signed_in: Emulator) -> None:
    """The one failure that no client can undo: the errors and `status` say what happened, every time."""
    end_token()
    signed_in.scenario("lost-answer", times=1)
    with pytest.raises(QwenTokenExpiredError):
        qwen_portal.get_access_token()
    for _ in range(2):
        with pytest.raises(QwenRefreshTokenInvalidError, match="never arrived") as caught:
            qwen_portal.get_access_token()
        assert "qwen-portal login default" in caught.value.hint
        said = run("status").stdout
        assert "never arrived" in said
        assert REVOKED not in said
    assert stored().refresh_token is not None


def test_a_host_that_answers_too_late_is_told(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 8 s the answer is given up; the token may be spent, and so the journal keeps the story."""
    end_token()
    with (
        answers_held(signed_in),
        reads_end_when(lambda: refreshes(signed_in) > 0, monkeypatch) as over,
        pytest.raises(QwenTokenExpiredError, match="did not answer"),
    ):
        qwen_portal.get_access_token()
    (limit,) = over
    assert 0 < limit <= 8
    with pytest.raises(QwenRefreshTokenInvalidError, match="never arrived"):
        qwen_portal.get_access_token()


def test_a_revocation_is_told_as_one(signed_in: Emulator) -> None:
    """No crash, no lost answer: the error quotes the host, `status` says that the service ended it; all is kept."""
    before = stored()
    signed_in.revoke(refresh_too=True)
    for _ in range(2):
        with pytest.raises(QwenRefreshTokenInvalidError, match=r"no longer accepts|has ended") as caught:
            qwen_portal.get_access_token(force_refresh=True)
        assert "was lost" not in str(caught.value)
        result = run("status")
        assert result.exit_code == 4
        assert REVOKED in result.stdout
        assert "qwen-portal login default" in result.stdout
    assert stored() == before
    assert account().needs_login


def test_a_service_that_refuses_everything_sees_one_refresh_each_token(signed_in: Emulator) -> None:
    """A storm of 401s spends one refresh token, not one each."""
    signed_in.scenario("ended")
    for _ in range(5):
        with pytest.raises(qwen_portal.QwenServiceEndedError):
            qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])
    assert refreshes(signed_in) == 1


@pytest.mark.parametrize("scenario", ["null-fields", "no-resource-url", "refresh-keeps-token", "resource-url-forms"])
def test_an_answer_that_lacks_something_loses_nothing(signed_in: Emulator, scenario: str) -> None:
    """What the answer does not bring is kept: the refresh token, the address of the service."""
    before = stored()
    signed_in.scenario(scenario)
    for _ in range(3):
        assert next_process()
        assert qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])["choices"]
    assert stored().refresh_token is not None
    assert stored().resource_url
    assert stored().generation > before.generation
    assert refreshes(signed_in) == 3


@pytest.mark.parametrize("odd", [None, 0, -60, "soon", "1e12", 1e12, "NaN", True, [], {}], ids=str)
def test_an_absurd_life_counts_as_six_hours(
    signed_in: Emulator, odd: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The new token is stored and used; the number that came with it is not believed."""
    answer = emulated._tokens
    monkeypatch.setattr(emulated, "_tokens", lambda *args: answer(*args) | {"expires_in": odd})
    with caplog.at_level(logging.WARNING):
        assert next_process() == stored().access_token.reveal()
    kept = stored()
    assert kept.expires_at is not None
    assert kept.expires_at - kept.issued_at == pytest.approx(DEFAULT_LIFETIME, abs=0.01)
    assert caplog.records == []


def test_keep_alive_is_quiet_after_a_revocation(signed_in: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """One request and one warning that names the command; a sign-in elsewhere takes the work up again."""
    end_token()
    signed_in.revoke(refresh_too=True)
    tokens, chosen = Session().tokens, account()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            tokens._keep_fresh(chosen)
            assert tokens._seconds_until_stale(chosen) == 60
    assert refreshes(signed_in) == 1
    assert ["qwen-portal login default" in record.message for record in caplog.records] == [True]
    sign_in_as(LABEL)
    tokens._keep_fresh(chosen)
    assert tokens.get(account()).access_token == stored().access_token


def test_keep_alive_asks_a_host_that_is_down_once_a_minute(signed_in: Emulator) -> None:
    """A token whose time is over is no reason to ask every second."""
    end_token()
    signed_in.scenario("error-500", where="refresh")
    tokens, chosen = Session().tokens, account()
    tokens._keep_fresh(chosen)
    assert tokens._seconds_until_stale(chosen) == 60
    assert refreshes(signed_in) == 1
