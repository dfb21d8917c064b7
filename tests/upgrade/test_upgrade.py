"""An upgrade loses nobody: every account that release 0.1.0 left is listed, renews its token and answers."""

import json
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenQuotaExceededError, QwenRefreshTokenInvalidError
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as
from tests.upgrade.restored import PLACES, restore

HELLO = [{"role": "user", "content": "Hello"}]
ENDED = {"over", "lost"}
ACCOUNTS = [(place, label) for place, labels in PLACES.items() for label in labels]


def chat(label: str) -> str:
    """Ask for an answer that no other account gives; return who gave it."""
    answer = qwen_portal.PortalClient(account=label, on_quota="error").chat(HELLO)
    assert answer["choices"][0]["message"]["content"]
    return label


@pytest.mark.parametrize("place", PLACES)
def test_status_lists_every_account_as_it_stood(
    place: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In their order, the active one marked, and only the dead one in need of a sign-in; nothing is set aside."""
    restore(place, tmp_path / "old", emulator, monkeypatch)
    result = run("status", "--json")
    accounts = json.loads(result.stdout)["accounts"]
    assert result.exit_code == 0
    assert [account["label"] for account in accounts] == PLACES[place]
    in_use = "default" if "default" in PLACES[place] else PLACES[place][0]
    assert [account["label"] for account in accounts if account["active"]] == [in_use]
    assert [account["label"] for account in accounts if account["needs_login"]] == ["over"] * (place == "file")
    assert [account["kind"] for account in accounts if account["label"] == "key"] == ["key"] * (len(accounts) > 1)
    assert {account["label"]: account["exhausted_until"] for account in accounts if account["exhausted_until"]} == (
        {"spent": 2_760_000_009} if place == "file" else {}
    )
    assert list(tmp_path.rglob("*.corrupt")) == []
    assert caplog.text == ""


@pytest.mark.parametrize(("place", "label"), [each for each in ACCOUNTS if each[1] not in {*ENDED, "key", "spent"}])
def test_every_sign_in_answers_and_renews_its_token(
    place: str, label: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first chat spends the refresh token that the release left, the next refresh the one of this release."""
    restore(place, tmp_path / "old", emulator, monkeypatch)
    assert chat(label)
    first = qwen_portal.get_access_token(label)
    assert qwen_portal.get_access_token(label, force_refresh=True) != first
    assert chat(label)
    assert [entry.status for entry in emulator.log("refresh")] == [200, 200]
    assert [entry.status for entry in emulator.chats()] == [200, 200]
    assert "has not come to its end" not in run("status").stdout.split(label)[1].split("\n")[0]


@pytest.mark.parametrize("place", ["file", "keyring"])
def test_a_key_answers(place: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was kept."""
    restore(place, tmp_path / "old", emulator, monkeypatch)
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", emulator.base_url)
    assert chat("key")
    assert [entry.headers["authorization"] for entry in emulator.chats()] == ["Bearer sk-sp-CANARY"]


def test_a_spent_quota_is_still_heeded(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a request; who chooses the account again is answered."""
    restore("file", tmp_path / "old", emulator, monkeypatch)
    with pytest.raises(QwenQuotaExceededError):
        chat("spent")
    assert emulator.log() == []
    qwen_portal.use("spent")
    assert chat("spent")


@pytest.mark.parametrize(("label", "told"), [("over", "has ended"), ("lost", "was ended in the middle of the refresh")])
def test_a_sign_in_that_was_over_says_why_and_comes_back_with_a_new_one(
    label: str, told: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the release knew of the reason is not forgotten."""
    restore("file", tmp_path / "old", emulator, monkeypatch)
    with pytest.raises(QwenRefreshTokenInvalidError, match=told):
        chat(label)
    sign_in_as(label)
    assert chat(label)


def test_accounts_of_any_kind_may_still_stand_in(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``accounts rotate --mixed`` was said once."""
    restore("file", tmp_path / "old", emulator, monkeypatch)
    assert "any kind and plan" in run("accounts", "rotate").output


def test_what_the_qwen_cli_wrote_besides_is_still_there(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is its own."""
    restore("qwen-cli", tmp_path / "old", emulator, monkeypatch)
    assert chat("shared")
    assert json.loads((tmp_path / "old" / "qwen" / "oauth_creds.json").read_text("utf-8"))["scope"] == "of the CLI"
