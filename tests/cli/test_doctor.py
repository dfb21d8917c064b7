"""``qwen-portal doctor``: each thing that can be wrong is found, with what mends it, and nothing private is told."""

import errno
import json
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import httpx
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
from tests.scripted import answering


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


def test_a_file_that_was_damaged_is_told(signed_in: Emulator, tmp_path: Path) -> None:
    """The account's own line says so, and the copy that is kept is counted, without its name."""
    assert signed_in.url
    (file,) = (tmp_path / "state" / "credentials").glob("*.json")
    file.write_text("{")
    assert findings()["account 1"]["state"] == "fail"
    assert run("token").exit_code == 4
    found = findings()["damaged files"]
    assert (found["state"], "1 file that could not be read" in found["text"]) == ("warn", True)
    assert file.name not in found["text"]


def test_an_index_that_was_damaged_is_told(signed_in: Emulator, tmp_path: Path) -> None:
    """It is made anew meanwhile; what it held is kept."""
    assert signed_in.url
    (tmp_path / "state" / "accounts.json").write_text("{")
    assert findings()["damaged files"]["state"] == "warn"
    assert findings()["account 1"]["name"]


def test_a_usage_ledger_that_is_none_is_told(signed_in: Emulator, tmp_path: Path) -> None:
    """Only where requests are counted."""
    assert signed_in.url
    assert "usage ledger" not in findings()
    run("usage", "--on")
    assert findings()["usage ledger"]["state"] == "ok"
    for file in (tmp_path / "state" / "usage").glob("*.sqlite*"):
        file.write_bytes(b"no ledger" * 500)
    assert findings()["usage ledger"]["state"] == "fail"


@pytest.mark.parametrize(
    ("version", "state"),
    [("1.90.3", "warn"), ("1.91.0", None), ("1.110.4", None), ("1.111.0", "warn"), ("1.82.8", "fail")],
)
def test_a_litellm_that_was_not_tried_is_told(
    version: str, state: str | None, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the range that was; and the two releases that stole secrets are more than that."""
    assert emulator.url
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert findings().get("litellm", {}).get("state") == state


def test_the_file_that_a_stolen_litellm_left_is_told(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran in every Python program, after the release itself was gone, too."""
    assert emulator.url
    (tmp_path / "litellm_init.pth").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert findings()["litellm"]["state"] == "fail"


@pytest.mark.parametrize(
    ("hours", "said"), [(0, "as the sign-in host's"), (3, "3 h 0 min behind"), (-3, "3 h 0 min ahead of")]
)
def test_a_clock_that_is_wrong_is_told(hours: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the date that the sign-in host's answer has; one without a date is no failure."""
    device = {"device_code": "d", "user_code": "u", "verification_uri": "https://chat.qwen.ai/authorize"}
    date = {"date": format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)}
    with answering(lambda request: httpx.Response(200, json=device, headers=date), monkeypatch):
        found = findings()["clock"]
    assert (found["state"], said in found["text"]) == ("warn" if hours else "ok", True)
    with answering(lambda request: httpx.Response(200, json=device), monkeypatch):
        assert "clock" not in findings()


def test_what_other_programs_have_is_named_by_the_command(
    signed_in: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The qwen CLI's keys, and the vendor's variable; to have them is nothing wrong, and no key is shown."""
    assert signed_in.url
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))
    (tmp_path / "qwen").mkdir()
    (tmp_path / "qwen" / "settings.json").write_text(json.dumps({"env": {"DASHSCOPE_API_KEY": KEY}}))
    assert "1 API key; `qwen-portal import` copies" in findings()["other programs"]["text"]
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    result = run("doctor")
    assert result.exit_code == 0
    assert "--api-key-env DASHSCOPE_API_KEY" in result.stdout
    assert_none_in(result.output)
    (tmp_path / "qwen" / "settings.json").write_text("[")
    assert "settings cannot be read" in run("doctor").stdout


def test_the_tier_that_ended_is_told_to_those_who_use_it(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where the user named another host, and no sign-in host is asked for somebody who has keys alone."""
    assert "2026-04-16" in findings()["account 1"]["text"]
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", signed_in.base_url)
    assert findings()["account 1"]["state"] == "ok"
    run("logout")
    Session().accounts.add("key", Credential.from_key(Secret("sk-x"), plan="studio"))
    signed_in.clear_log()
    said = run("doctor").stdout
    assert ("2026-04-16" in said, "sign-in host" in said, signed_in.log()) == (False, False, [])


CHECKS = [
    ("versions", "qwen_portal.doctor.machine.platform.python_version"),
    ("network", "qwen_portal.http.network.variables"),
    ("settings", "qwen_portal.doctor.Session"),
    ("folder", "qwen_portal.doctor.accounts.try_folder"),
    ("store", "qwen_portal.account.registry.Accounts.check_place"),
    ("account 1", "qwen_portal.doctor.accounts.look_at"),
    ("damaged files", "qwen_portal.doctor.accounts.credentials_folder"),
    ("usage ledger", "qwen_portal.doctor.accounts.UsageLedger"),
    ("other programs", "qwen_portal.doctor.service.foreign_sign_in"),
    ("sign-in host", "qwen_portal.oauth.generate_pkce"),
]


@pytest.mark.parametrize(("name", "broken"), CHECKS)
def test_a_check_that_fails_is_a_line(
    name: str, broken: str, signed_in: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it meets: the others are made all the same, and the line can be pasted."""
    assert signed_in.url
    monkeypatch.setenv("HOME", str(tmp_path))

    def fail(*args: object, **options: object) -> NoReturn:
        raise RuntimeError(f"{tmp_path} {KEY}")

    monkeypatch.setattr(broken, fail)
    result = run("doctor", "--json")
    found = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 1
    assert (found[name]["state"], "RuntimeError" in found[name]["text"]) == ("fail", True)
    assert found[name]["remedy"]
    assert name == "settings" or "sign-in host" in found
    assert str(tmp_path) not in result.stdout
    assert_none_in(result.output)


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
