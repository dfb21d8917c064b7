"""Danger: processes, threads and tasks that refresh one account at the same moment, on a real Secret Service."""

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from tests.login_never_lost.crowd import one_refresh_each_round

pytestmark = pytest.mark.real


def test_a_crowd_on_the_keyring_makes_one_refresh_a_token(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """928 callers at first, then fifty more tokens: one refresh each, and at the end the sign-in lives."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "keyring")
    assert sign_in(Session(), None, show=lambda event: None, sleep=lambda seconds: None).store == "keyring"
    one_refresh_each_round(emulator, (16, 100), *[(2, 4)] * 50)
    qwen_portal.logout()
