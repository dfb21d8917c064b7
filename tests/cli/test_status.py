"""``qwen-portal status``: the JSON that other programs read, and what a person reads."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from qwen_portal.emulator import Emulator
from qwen_portal.session import Session
from qwen_portal.storage.index import Entry
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run
from tests.screens import assert_shows_itself

FIELDS = {"label", "kind", "plan", "active", "store", "expires_at", "exhausted_until", "needs_login"}


def records() -> list[dict[str, Any]]:
    """Return what `status --json` says."""
    accounts: list[dict[str, Any]] = json.loads(run("status", "--json").stdout)["accounts"]
    return accounts


def enter(label: str, **known: Any) -> None:
    """Put an account into the index; no store has anything of it."""
    with Session().accounts.index.edit() as data:
        data.accounts[label] = Entry(**{"kind": "oauth", "plan": "oauth", "store": "keyring", **known})
        data.active = label


def test_nobody_signed_in_is_exit_code_4() -> None:
    """The list is empty, as JSON too, and stderr says what to do."""
    result = run("status", "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout) == {"accounts": [], "usage_counted": False}
    plain = run("status")
    assert (plain.exit_code, plain.stdout) == (4, "")
    assert "qwen-portal login" in plain.stderr


def test_json_has_exactly_the_promised_fields(signed_in: Emulator) -> None:
    """One list, and whether usage is counted; each account has the eight fields and no other."""
    result = run("status", "--json")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert set(content) == {"accounts", "usage_counted"}
    (account,) = content["accounts"]
    assert set(account) == FIELDS
    assert account["expires_at"] == pytest.approx(time.time() + 21_600, abs=120)
    del account["expires_at"]
    assert account == {
        "label": "default",
        "kind": "oauth",
        "plan": "oauth",
        "active": True,
        "store": "file",
        "exhausted_until": None,
        "needs_login": False,
    }


def test_status_asks_nobody(signed_in: Emulator) -> None:
    """Without --check no request leaves."""
    signed_in.clear_log()
    assert run("status").exit_code == 0
    assert signed_in.log() == []


def test_a_key_from_the_environment_is_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of kind env, comes first, and takes over from the active account."""
    run("login", "--plan", "coding", "--api-key-stdin", "--no-check", stdin=KEY)
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "token-intl")
    env, stored = records()
    assert (env["kind"], env["plan"], env["active"], env["store"]) == ("env", "token-intl", True, "environment")
    assert (env["expires_at"], env["exhausted_until"], env["needs_login"]) == (None, None, False)
    assert (stored["kind"], stored["active"]) == ("key", False)
    assert_none_in(run("status").output)


def test_the_account_of_the_environment_is_the_active_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_PORTAL_ACCOUNT moves the mark; an account that does not exist is a sign-in that is needed."""
    enter("a")
    enter("b")
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "a")
    assert [account["active"] for account in records()] == [True, False]
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "c")
    assert run("status").exit_code == 4


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"expires_at": NOW + 7 * 3600}, "token good for 7 h 0 min"),
        ({"expires_at": NOW + 50 * 3600}, "token good for 2 days"),
        ({"expires_at": NOW + 800 * 86400}, "token good for more than 2 years"),
        ({"expires_at": 1e303}, "token good for more than 2 years"),
        ({"expires_at": NOW - 5}, "token expired"),
        ({"expires_at": 1.0, "exhausted_until": NOW + 1800}, "quota used up for another 30 min"),
        ({"needs_login": True}, "sign in again: `qwen-portal login work`"),
        ({"ended_at": NOW}, "refused by the service"),
        ({"kind": "key", "plan": "coding"}, "API key"),
        ({"store": "file:/x/y", "expires_at": 1.0}, "file:/x/y (not encrypted)"),
    ],
)
def test_a_person_reads_how_an_account_stands(
    known: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line an account; a store that does not encrypt is marked for ever after."""
    monkeypatch.setattr("time.time", lambda: NOW)
    enter("work", **known)
    assert said in run("status").stdout


@pytest.mark.parametrize(
    ("outcome", "said"),
    [(None, "has not come to its end"), ("no-answer", "never arrived"), ("rescue", "waits in")],
)
def test_what_a_refresh_left_is_told_before_the_next_call(signed_in: Emulator, outcome: Any, said: str) -> None:
    """By status and by doctor, without a secret; a note about an earlier token is history."""
    assert signed_in.url
    session = Session()
    account = session.choose()
    credential, journal = session.accounts.load(account), session.accounts.journal(account.label)
    assert journal is not None
    journal.begin(replace(credential, generation=1))
    assert "token good for 6 h 0 min\n" in run("status").stdout.replace("5 h 59 min", "6 h 0 min")
    journal.begin(credential)
    if outcome == "rescue":
        journal.rescue(credential)
    elif outcome is not None:
        journal.end(outcome)
    assert said in run("status").stdout
    findings = {each["name"]: each for each in json.loads(run("doctor", "--json").stdout)["findings"]}
    assert findings["account 1"]["state"] == "warn"
    assert said in findings["account 1"]["text"]
    assert credential.access_token.reveal() not in run("status").output + run("doctor").output


def test_a_quota_that_came_back_is_not_reported() -> None:
    """`exhausted_until` is a time to come, or null."""
    enter("a", exhausted_until=time.time() - 1)
    soon = int(time.time()) + 1800
    enter("b", exhausted_until=float(soon), exhausted_models={"qwen3.7-plus": soon + 60.0})
    assert [account["exhausted_until"] for account in records()] == [None, soon]
    assert all(set(account) == FIELDS for account in records())


def test_accounts_that_all_need_a_sign_in_are_exit_code_4() -> None:
    """One good account among them is enough for 0."""
    enter("a", needs_login=True)
    assert run("status").exit_code == 4
    enter("b")
    assert run("status").exit_code == 0


def test_check_sends_one_small_request(signed_in: Emulator) -> None:
    """The account in use is tried, and stdout stays what it is without --check."""
    result = run("status", "--json", "--check")
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)) == {"accounts", "usage_counted"}
    assert "answered within" in result.stderr
    (chat,) = signed_in.chats()
    assert chat.body["max_tokens"] == 16


def test_check_of_a_service_that_has_ended_names_the_way_out(signed_in: Emulator) -> None:
    """The free tier's 401 is told with the plans that work; the list is printed all the same."""
    signed_in.scenario("ended")
    result = run("status", "--check")
    assert result.exit_code == 4
    assert "default" in result.stdout
    assert "qwen-portal login --plan studio-intl" in result.stderr


@pytest.mark.parametrize("command", [("status",), ("accounts", "list")])
def test_an_index_that_somebody_changed_cannot_steer_the_terminal(command: tuple[str, ...]) -> None:
    """Whatever stands in the fields that are shown."""
    enter("default", store="keyring\x1b]0;owned\x07\u202e", lost="\x1b[31mgone\r", needs_login=True)
    assert_shows_itself(run(*command).output, allowed="\n")
