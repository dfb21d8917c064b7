"""``qwen-portal doctor``: each thing that can be wrong is found, with what mends it, and nothing private is told."""

import errno
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

import qwen_portal
from qwen_portal.account.cool_downs import CoolDown
from qwen_portal.emulator import Emulator
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import Entry
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run


def findings() -> dict[str, dict[str, Any]]:
    """Return what `doctor --json` says, by name."""
    said = json.loads(run("doctor", "--json").stdout)["findings"]
    return {finding["name"]: finding for finding in said}


def test_a_machine_that_is_well(signed_in: Emulator) -> None:
    """No line says fail, the exit code is 0, and the sign-in host was asked for a device code and nothing else."""
    signed_in.clear_log()
    result = run("doctor")
    assert result.exit_code == 0
    assert "fail" not in result.stdout
    assert [entry.place for entry in signed_in.log()] == ["device"]
    assert findings()["account 1"]["state"] == "warn"
    assert "2026-04-16" in findings()["account 1"]["text"]


def test_settings_in_a_dotenv_are_named_without_their_values(
    signed_in: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote the file of a folder that was cloned would name the host; a file without ours is not mentioned."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OPENAI_API_KEY=x\n#QWEN_PORTAL_PLAN=coding\n")
    assert "./.env" not in findings()
    (tmp_path / ".env").write_text(f"QWEN_PORTAL_BASE_URL=https://evil.example\nexport QWEN_PORTAL_API_KEY={KEY}\n")
    finding = findings()["./.env"]
    assert finding["state"] == "warn"
    assert "QWEN_PORTAL_API_KEY, QWEN_PORTAL_BASE_URL" in finding["text"]
    assert_none_in(finding)


def test_an_api_key_needs_no_sign_in_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from the environment is an account, and nothing is asked."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "https://example.com/v1")
    result = run("doctor")
    assert result.exit_code == 0
    assert "sign-in host" not in result.stdout
    assert_none_in(result.output)


def test_nobody_signed_in_names_the_command(emulator: Emulator) -> None:
    """That is a failure, and the sign-in host is looked at all the same."""
    result = run("doctor")
    assert result.exit_code == 1
    assert "fail  accounts: Nobody is signed in." in result.stdout
    assert "qwen-portal login" in result.stdout
    assert [entry.place for entry in emulator.log()] == ["device"]


def test_a_sign_in_of_another_program_names_import(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The qwen CLI's file is seen, and not read."""
    assert emulator.url
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))
    file = tmp_path / "qwen" / "oauth_creds.json"
    file.parent.mkdir()
    file.write_text("{}")
    found = findings()["other programs"]
    assert (found["state"], "qwen-portal import" in found["remedy"]) == ("warn", True)
    assert file.read_text() == "{}"


def test_a_firewall_before_the_sign_in_host_is_told(signed_in: Emulator) -> None:
    """What many people met since April 2026."""
    signed_in.scenario("firewall")
    found = findings()["sign-in host"]
    assert (found["state"], "web page" in found["text"]) == ("fail", True)
    assert found["remedy"]


def test_a_sign_in_that_ended_is_told(signed_in: Emulator) -> None:
    """With the way back."""
    signed_in.revoke(refresh_too=True)
    with pytest.raises(qwen_portal.QwenRefreshTokenInvalidError):
        qwen_portal.get_access_token(force_refresh=True)
    found = findings()["account 1"]
    assert found["state"] == "fail"
    assert "qwen-portal login" in found["remedy"]


def test_a_quota_that_is_used_up_is_told(signed_in: Emulator) -> None:
    """With the day and the time; another account is recommended only where there is one."""
    assert signed_in.url
    Session().exhaust(Session().choose("default"), CoolDown(time.time() + 86400))
    found, day = findings()["account 1"], time.strftime("%Y-%m-%d", time.localtime(time.time() + 86400))
    assert found["text"].startswith(f"oauth, in file: its quota is used up until {day} ")
    assert "another account" not in found["remedy"]
    Session().accounts.add("key", Credential.from_key(Secret("sk-x"), plan="studio"))
    assert "another account" in findings()["account 1"]["remedy"]
    Session().exhaust(Session().choose("key"), CoolDown(time.time() + 900, model="qwen3.7-plus"))
    assert "its quota of qwen3.7-plus is used up until" in findings()["account 2"]["text"]
    assert "another account" not in findings()["account 1"]["remedy"]


@pytest.mark.parametrize(("name", "value"), [("QWEN_PORTAL_STORE", "cupboard"), ("QWEN_PORTAL_TIMEOUT", "soon")])
def test_a_setting_that_cannot_be_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first thing that is wrong."""
    monkeypatch.setenv(name, value)
    result = run("doctor")
    assert result.exit_code == 1
    assert name in result.stdout


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """A file stands in its place."""
    assert emulator.url
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("QWEN_PORTAL_HOME", str(tmp_path / "taken" / "home"))
    assert findings()["folder"]["state"] == "fail"


def test_locks_that_cannot_be_made_are_told(signed_in: Emulator, tmp_path: Path) -> None:
    """Without them no refresh begins, so a file in the folder's place is a failure."""
    assert signed_in.url
    assert findings()["folder"]["state"] == "ok"
    locks = tmp_path / "state" / "locks"
    assert "doctor.lock" not in [each.name for each in locks.iterdir()]
    shutil.rmtree(locks)
    locks.write_text("")
    found = findings()["folder"]
    assert (found["state"], "locks" in found["text"]) == ("fail", True)
    assert found["remedy"]


def test_where_nothing_is_kept_on_disk_nothing_is_written(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory store leaves no trace, and neither does the look at it."""
    assert emulator.url
    monkeypatch.setenv("QWEN_PORTAL_STORE", "memory")
    assert findings()["folder"]["state"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_told(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the folder nor the store is called good when it cannot be written."""
    assert signed_in.url

    def full(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for name in ("folder", "store"):
        assert findings()[name]["state"] == "fail"
        assert "No space left" in findings()[name]["text"]


def test_what_it_says_can_be_pasted(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, no account's label, no user's name, whatever is wrong."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Session().accounts.index.edit() as data:
        data.accounts["anna@example.com"] = Entry("oauth", "oauth", "file", needs_login=True)
        data.active = "anna@example.com"
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "bob")
    emulator.scenario("firewall")
    said = run("doctor").output
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "anna@example.com")
    said += run("doctor").output
    assert "LABEL" in said
    assert not any(private in said for private in ("anna", "bob", str(tmp_path)))
    assert_none_in(said)
