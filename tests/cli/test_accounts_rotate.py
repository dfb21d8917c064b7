"""``qwen-portal accounts rotate`` and ``accounts use``: who steps in for a spent account, when it is tried again."""

import json

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.canaries import KEY
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as
from tests.ways import HELLO


@pytest.fixture
def spent(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """Sign in with a spent quota, and keep a key; the sign-in is active."""
    assert run("login", "key", "--plan", "coding", "--api-key-stdin", "--no-check", stdin=KEY).exit_code == 0
    sign_in_as("free")
    emulator.set_quota(0, account=1)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    return emulator


def test_a_program_learns_who_steps_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether any kind does, and whether anybody does at all."""
    assert json.loads(run("accounts", "rotate", "--json").stdout) == {"mixed": False, "switches": True}
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "degrade")
    assert json.loads(run("accounts", "rotate", "--mixed", "--json").stdout) == {"mixed": True, "switches": False}


def test_a_free_account_is_followed_by_a_key_only_with_leave(spent: Emulator) -> None:
    """--mixed is the leave, for all processes; --same-plan takes it back."""
    denied = run("chat", "Hello")
    assert denied.exit_code == 5
    assert "accounts rotate --mixed" in denied.stderr
    assert "its own kind and plan" in run("accounts", "rotate").stderr
    assert run("accounts", "rotate", "--mixed").exit_code == 0
    assert "any kind and plan" in run("accounts", "rotate").stderr
    qwen_portal.close()
    spent.clear_log()
    assert run("chat", "Hello").exit_code == 0
    assert [entry.body["model"] for entry in spent.chats()] == ["qwen3-coder-plus"]
    assert run("accounts", "rotate", "--same-plan").exit_code == 0
    assert run("chat", "Hello").exit_code == 5


def test_without_switch_nobody_steps_in(spent: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """What QWEN_PORTAL_ON_QUOTA says is told."""
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "error")
    assert "set without switch" in run("accounts", "rotate", "--mixed").stderr
    assert run("chat", "Hello").exit_code == 5


def test_use_ends_the_cool_down_that_status_shows(spent: Emulator) -> None:
    """The account is asked again at once."""
    assert run("chat", "Hello").exit_code == 5
    assert "quota used up for another 30 min" in run("status").stdout
    (free,) = (each for each in json.loads(run("status", "--json").stdout)["accounts"] if each["label"] == "free")
    assert free["exhausted_until"] is not None
    spent.set_quota(None)
    assert run("accounts", "use", "free").exit_code == 0
    assert "quota" not in run("status").stdout
    spent.clear_log()
    assert qwen_portal.PortalClient().chat(HELLO)["choices"]
    assert [entry.status for entry in spent.chats()] == [200]
