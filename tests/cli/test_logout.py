"""``qwen-portal logout`` and ``accounts``: what goes, what stays, and what is said about it."""

import json
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from tests.canaries import KEY, assert_none_in
from tests.cli.program import run


def add_keys(*labels: str) -> None:
    """Keep a key under each label."""
    for label in labels:
        assert run("login", label, "--plan", "coding-intl", "--api-key-stdin", "--no-check", stdin=KEY).exit_code == 0


def labels() -> list[str]:
    """Return the labels of all accounts."""
    return [account.label for account in qwen_portal.accounts()]


def test_logout_says_what_it_removed_and_what_it_cannot(signed_in: Emulator) -> None:
    """The account and its store are named, and that the service has no known revocation."""
    result = run("logout")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "account 'default' from its store (file)" in result.stderr
    assert "no known way to revoke" in result.stderr
    assert labels() == []


def test_logout_leaves_no_credential_behind(signed_in: Emulator, tmp_path: Path) -> None:
    """No file of the state folder holds a token any more."""
    assert run("logout").exit_code == 0
    texts = [path.read_text("utf-8") for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert texts
    assert_none_in("".join(texts), signed_in.issued_tokens())


def test_logout_of_a_key_says_where_it_still_works() -> None:
    """A key outlives its account here."""
    add_keys("team")
    assert "The key itself stays good" in run("logout", "team").stderr


def test_logout_takes_the_account_in_use_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_PORTAL_ACCOUNT chooses for logout as it does for every other command."""
    add_keys("a", "b", "c")
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "a")
    assert run("logout").exit_code == 0
    assert labels() == ["b", "c"]
    assert run("logout", "b").exit_code == 0
    assert labels() == ["c"]


def test_logout_all_removes_everything_and_may_be_repeated() -> None:
    """All accounts go; a second time there is nothing to do, which is no error."""
    add_keys("a", "b")
    assert run("logout", "--all").exit_code == 0
    assert labels() == []
    again = run("logout", "--all")
    assert again.exit_code == 0
    assert "nothing to remove" in again.stderr


def test_logout_all_removes_the_copy_of_a_damaged_index(tmp_path: Path) -> None:
    """It names the accounts that there were."""
    add_keys("team")
    index = tmp_path / "state" / "accounts.json"
    index.write_text("{")
    assert labels() == ["team"]
    assert index.with_name("accounts.json.corrupt").exists()
    result = run("logout", "--all")
    assert "accounts.json.corrupt" in result.stderr
    assert not index.with_name("accounts.json.corrupt").exists()


def test_logout_all_goes_on_after_a_failure(tmp_path: Path) -> None:
    """An account whose store fails is kept and reported, and the others still go."""
    add_keys("a", "b")
    folder = tmp_path / "state" / "credentials"
    first = min(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    first.unlink()
    first.mkdir()
    result = run("logout", "--all")
    assert result.exit_code == 3
    assert labels() == ["a"]
    assert "Removed the API key of account 'b'" in result.stderr


def test_logout_of_nobody_needs_a_sign_in() -> None:
    """There is nothing to remove: exit code 4."""
    assert run("logout").exit_code == 4
    assert run("logout", "nobody").exit_code == 4


def test_logout_takes_one_account_or_all() -> None:
    """A label together with --all is a usage error, and nothing is removed."""
    add_keys("a")
    assert run("logout", "a", "--all").exit_code == 2
    assert labels() == ["a"]


def test_a_key_in_the_environment_is_not_ours_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the way to be rid of it, and outlives the other accounts."""
    add_keys("a")
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    refused = run("logout", "env")
    assert refused.exit_code == 1
    assert "Unset the variable" in refused.stderr
    assert "still set" in run("logout").stderr
    assert labels() == ["env"]


def test_accounts_lists_marks_and_switches() -> None:
    """A star stands at the account in use; `use` moves it, `remove` takes the account away."""
    add_keys("a", "b")
    assert run("accounts").stdout == run("accounts", "list").stdout
    assert [line.split()[:2] for line in run("accounts").stdout.splitlines()[1:]] == [["a", "key"], ["*", "b"]]
    switched = run("accounts", "use", "a")
    assert switched.exit_code == 0
    assert switched.stdout == ""
    assert [line.split()[0] for line in run("accounts").stdout.splitlines()[1:]] == ["*", "b"]
    assert run("accounts", "remove", "a").exit_code == 0
    assert labels() == ["b"]


def test_accounts_of_nobody_is_an_empty_list() -> None:
    """Nothing on stdout, a word on stderr, and no error; a program gets the empty list itself."""
    result = run("accounts")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "qwen-portal login" in result.stderr
    assert json.loads(run("accounts", "--json").stdout) == {"accounts": []}


def test_a_program_gets_the_accounts_as_status_has_them() -> None:
    """With `list` and without; behind `use` and `remove`, as they are then."""
    add_keys("a", "b")
    for args in (("--json",), ("list", "--json"), ("use", "a", "--json"), ("remove", "b", "--json")):
        found = json.loads(run("accounts", *args).stdout)["accounts"]
        assert found == json.loads(run("status", "--json").stdout)["accounts"]
    assert [(each["label"], each["active"]) for each in found] == [("a", True)]


def test_a_wish_for_json_that_would_be_passed_over_is_wrong_usage() -> None:
    """Before the command it is the list's, which is not printed then."""
    add_keys("a")
    result = run("accounts", "--json", "use", "a")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "write it behind 'use'" in result.stderr


def test_use_says_when_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The active account changes, but not the one that the next call uses."""
    add_keys("a", "b")
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "b")
    assert "QWEN_PORTAL_ACCOUNT is set" in run("accounts", "use", "a").stderr


def test_use_of_an_unknown_account_names_those_there_are() -> None:
    """The error says which accounts could have been meant."""
    add_keys("a")
    result = run("accounts", "use", "x")
    assert result.exit_code == 4
    assert "'a'" in result.stderr
