"""Danger: the clock of the machine jumps an hour, forwards or back."""

import time

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.cli.program import run
from tests.login_never_lost.accounts import account, refreshes, stored

HOUR = 3600.0
HELLO = [{"role": "user", "content": "Hello"}]


def jump(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set this machine's clock; the emulated service's own, which reads the same one, stays where it was."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_requests_go_on_over_a_jump(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Neither the sign-in nor the running client minds, and refreshes stay rare."""
    client = qwen_portal.PortalClient()
    client.chat(HELLO)
    signed_in.advance(-seconds)
    jump(monkeypatch, seconds)
    for _ in range(5):
        assert client.chat(HELLO)["choices"]
    assert refreshes(signed_in) <= 1
    assert not account().needs_login
    assert run("status").exit_code == 0


def test_a_token_that_outlived_itself_by_a_clock_set_back_is_renewed(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service says 401 although our clock says an hour is left: one refresh, and the request is answered."""
    client = qwen_portal.PortalClient()
    client.chat(HELLO)
    signed_in.advance(6.5 * HOUR)
    assert client.chat(HELLO)["choices"]
    assert refreshes(signed_in) == 1


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_what_is_stored_after_a_jump_is_the_newer(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Generations never go back, whatever the clock says: the copies of other processes are known to be older."""
    seen = [stored().generation]
    for shift in (seconds, 0.0, -seconds):
        with monkeypatch.context() as patch:
            signed_in.advance(-shift)
            jump(patch, shift)
            qwen_portal.get_access_token(force_refresh=True)
            signed_in.advance(shift)
        seen.append(stored().generation)
    assert seen == sorted(set(seen))


def test_the_memory_of_an_ended_service_does_not_grow_by_a_clock_set_back(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is 15 minutes, not 75."""
    signed_in.scenario("ended")
    with pytest.raises(qwen_portal.QwenServiceEndedError):
        qwen_portal.PortalClient().chat(HELLO)
    assert account().ended_at is not None
    jump(monkeypatch, -HOUR)
    assert account().ended_at is None


def test_a_token_refreshed_ahead_of_time_and_revoked_before_its_first_use_is_renewed(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it never worked says nothing about the service, 15 minutes after its making."""
    qwen_portal.get_access_token(force_refresh=True)
    signed_in.revoke()
    jump(monkeypatch, HOUR / 2)
    assert qwen_portal.PortalClient().chat(HELLO)["choices"]
    assert account().ended_at is None
