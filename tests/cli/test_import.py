"""``qwen-portal import``: a sign-in is moved, never copied, never lost on the way, never put over another."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.account.registry import Accounts
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.key_login import add_key
from qwen_portal.storage import private_files
from qwen_portal.storage.stores.qwen_cli_lock import QwenCliLock
from tests.cli.program import at_terminal, read_until, run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home folder of its own, which is where other programs keep theirs."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


def tokens(name: str = "one", **others: Any) -> dict[str, Any]:
    """Return the fields of a sign-in as the qwen CLI writes them."""
    return {
        "access_token": f"access-{name}",
        "refresh_token": f"refresh-{name}",
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "expiry_date": int((time.time() + 3600) * 1000),
        **others,
    }


def write(path: Path, record: object) -> Path:
    """Write a file as another program does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2))
    path.chmod(0o644)
    return path


def cli_file(home: Path, name: str = "one", **others: Any) -> Path:
    """Let the qwen CLI be signed in."""
    return write(home / ".qwen" / "oauth_creds.json", tokens(name, **others))


def accounts_file(home: Path, *entries: dict[str, Any], active: str | None = None) -> Path:
    """Let opencode's plug-in have several accounts."""
    record = {"version": 1, "activeAccountId": active, "accounts": list(entries)}
    return write(home / ".qwen" / "oauth_accounts.json", record)


def entry(name: str, **others: Any) -> dict[str, Any]:
    """Return one account of that plug-in."""
    return {"id": f"acct_{name}", "token": tokens(name), "accountKey": f"refresh:refresh-{name}", **others}


def kept() -> dict[str, str]:
    """Return each account's label with its access token."""
    return {account.label: qwen_portal.get_access_token(account.label) for account in qwen_portal.accounts()}


def test_the_sign_in_of_the_cli_moves(home: Path) -> None:
    """It is here afterwards, with its end and its host, and no longer there."""
    path = cli_file(home)
    done = run("import", "--yes")
    assert (done.exit_code, done.stdout) == (0, "")
    assert str(path) in done.stderr
    assert kept() == {"default": "access-one"}
    account = qwen_portal.accounts()[0]
    assert (account.kind, account.active, account.store) == ("oauth", True, "file")
    assert account.expires_at == pytest.approx(time.time() + 3600, abs=60)
    assert Session().accounts.load(account).resource_url == "portal.qwen.ai"
    assert list(path.parent.iterdir()) == []


def test_a_moved_sign_in_refreshes(home: Path, signed_in: Emulator) -> None:
    """What was moved is whole: its refresh token is good for the next pair."""
    token = Session().accounts.load(Session().choose())
    assert token.refresh_token is not None
    cli_file(home, access_token=token.access_token.reveal(), refresh_token=token.refresh_token.reveal(), expiry_date=1)
    qwen_portal.logout()
    assert run("import", "--yes").exit_code == 0
    assert qwen_portal.get_access_token() in signed_in.issued_tokens()
    assert [each.status for each in signed_in.log("refresh")] == [200]


def test_the_file_of_the_older_plug_in_moves(home: Path) -> None:
    """Its end is called "expires"."""
    record = tokens()
    record["expires"] = record.pop("expiry_date")
    path = write(home / ".opencode" / "qwen" / "oauth_token.json", record)
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"default": "access-one"}
    assert qwen_portal.accounts()[0].expires_at == pytest.approx(time.time() + 3600, abs=60)
    assert not path.exists()


def test_all_accounts_move_with_their_cool_downs(home: Path) -> None:
    """The one that was in use becomes the active one; a cool-down that is over is none."""
    soon, past = (time.time() + 600) * 1000, (time.time() - 600) * 1000
    path = accounts_file(
        home, entry("a", exhaustedUntil=soon), entry("b", exhaustedUntil=past), entry("c"), active="acct_b"
    )
    assert run("import", "--yes").exit_code == 0
    assert kept() == {f"acct_{name}": f"access-{name}" for name in "abc"}
    accounts = {account.label: account for account in qwen_portal.accounts()}
    assert accounts["acct_a"].exhausted_until == pytest.approx(time.time() + 600, abs=60)
    assert accounts["acct_b"].exhausted_until is accounts["acct_c"].exhausted_until is None
    assert [label for label, account in accounts.items() if account.active] == ["acct_b"]
    assert not path.exists()


def test_an_entry_without_a_sign_in_stays_where_it_is(home: Path) -> None:
    """What is not moved is not removed."""
    broken = {"id": "acct_x", "token": {"access_token": "half"}}
    path = accounts_file(home, entry("a"), broken)
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"acct_a": "access-a"}
    assert json.loads(path.read_text()) == {"version": 1, "activeAccountId": None, "accounts": [broken]}
    assert "refresh-a" not in path.read_text()


def test_all_that_is_found_moves_and_nothing_twice(home: Path) -> None:
    """The plug-in also writes the account in use into the CLI's file."""
    paths = [cli_file(home, "a"), accounts_file(home, entry("a"), entry("b"), active="acct_a")]
    done = run("import", "--yes")
    assert done.exit_code == 0
    assert kept() == {"default": "access-a", "acct_b": "access-b"}
    assert "Already here: 'default'" in done.stderr
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize(("end", "left"), [({"expiry_date": "soon"}, 0), ({}, 0), ({"expires_at": "in 7,200 s"}, 7200)])
def test_any_json_with_these_fields_moves(tmp_path: Path, end: dict[str, Any], left: float) -> None:
    """Seconds or milliseconds; a token that does not say when it ends is refreshed first; foreign fields stay."""
    record = tokens() | {"theme": "dark"}
    del record["expiry_date"]
    # reckoned here: the parameters are made when the whole suite is collected
    end = {name: int(time.time() + left) if left else value for name, value in end.items()}
    path = write(tmp_path / "any.json", record | end)
    assert run("import", str(path), "--yes").exit_code == 0
    assert qwen_portal.accounts()[0].expires_at == pytest.approx(time.time() + left, abs=60)
    assert json.loads(path.read_text()) == {"theme": "dark"}


@pytest.mark.parametrize("absurd", ["1" + "0" * 400, "1" + "0" * 5000, "1e306", "Infinity", "NaN", "-1", "true"])
def test_an_end_that_cannot_be_meant_counts_as_none(tmp_path: Path, absurd: str) -> None:
    """The tokens are what counts; they are refreshed first, and no number is too large to be read or shown."""
    path = tmp_path / "any.json"
    path.write_text(json.dumps(tokens(expiry_date="?")).replace('"?"', absurd))
    assert run("import", str(path), "--yes").exit_code == 0
    assert qwen_portal.accounts()[0].expires_at == pytest.approx(time.time(), abs=60)
    assert run("status").exit_code == 0
    assert not path.exists()


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    """Some editors and shells of Windows put one before any text."""
    path = tmp_path / "any.json"
    path.write_text("\ufeff" + json.dumps(tokens()), encoding="utf-8")
    assert run("import", str(path), "--yes").exit_code == 0
    assert kept() == {"default": "access-one"}


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("bad", ["two\nlines", "two words", "ünï", "\x00"])
def test_a_token_that_no_request_can_carry_stays_where_it_is(tmp_path: Path, field: str, bad: str) -> None:
    """It would be good for nothing here, and the file may be all that its owner can mend it from."""
    path = write(tmp_path / "any.json", tokens(**{field: bad}))
    done = run("import", str(path), "--yes")
    assert done.exit_code == 1
    assert "line break" in done.stderr
    assert path.exists()
    assert qwen_portal.accounts() == []


def test_a_named_file_alone_moves(home: Path, tmp_path: Path) -> None:
    """The CLI keeps its own."""
    path = cli_file(home)
    other = write(tmp_path / "other.json", tokens("other"))
    assert run("import", str(other), "--yes").exit_code == 0
    assert kept() == {"default": "access-other"}
    assert path.exists()
    assert not other.exists()


def test_an_account_that_is_here_is_never_replaced(home: Path) -> None:
    """The newcomer gets a label of its own, and the active account stays active."""
    add_key(Session(), None, plan="studio-intl", api_key=Secret("sk-here"), show=lambda event: None, check=False)
    cli_file(home)
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"default": "sk-here", "default-2": "access-one"}
    assert [account.label for account in qwen_portal.accounts() if account.active] == ["default"]


def test_without_a_terminal_nothing_moves_unasked(home: Path) -> None:
    """A script says --yes; else the exit code is that of a wrong usage."""
    path = cli_file(home)
    done = run("import")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert path.exists()
    assert qwen_portal.accounts() == []


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 2), (b"\n", 2)])
def test_a_person_is_asked(home: Path, answer: bytes, code: int) -> None:
    """What is to happen stands there first; only a yes moves anything."""
    path = cli_file(home)
    with at_terminal("import") as (program, person):
        shown = read_until(program.stderr, "Move? [y/N]: ")
        os.write(person, answer)
        assert program.wait(60) == code
    assert str(path) in shown
    assert "'default'" in shown
    assert "access-one" not in shown
    assert path.exists() == (code != 0)


def test_what_cannot_be_kept_stays_where_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that refuses costs nothing."""
    path = cli_file(home)
    before = path.read_text()
    monkeypatch.setenv("QWEN_PORTAL_STORE", f"file:{home / 'taken' / 'file.json'}")
    (home / "taken").write_text("not a folder")
    done = run("import", "--yes")
    assert done.exit_code == 3
    assert path.read_text() == before


def test_what_cannot_be_taken_out_is_said_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept here; the copy that stayed is named, because its refresh would end the sign-in here."""
    path = cli_file(home)

    def refuse(this: Path) -> bool:
        raise QwenStoreError(f"Could not remove {this}.")

    monkeypatch.setattr("qwen_portal.sign_in.foreign_files.remove", refuse)
    done = run("import", "--yes")
    assert done.exit_code == 3
    assert f"still in {path} too" in done.stderr
    assert "Remove" in done.stderr
    assert kept() == {"default": "access-one"}

    monkeypatch.setattr("qwen_portal.sign_in.foreign_files.remove", private_files.remove)
    assert "Already here" in run("import", "--yes").stderr
    assert kept() == {"default": "access-one"}
    assert not path.exists()


def test_the_move_holds_the_clis_lock_and_keeps_before_it_removes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CLI that is about to refresh waits, and then finds no sign-in that it could spend."""
    path = cli_file(home)
    add, seen = Accounts.add, list[tuple[bool, bool]]()

    def watched(self: Accounts, *args: Any) -> None:
        add(self, *args)
        seen.append((path.with_name("oauth_creds.lock").exists(), path.exists()))

    monkeypatch.setattr(Accounts, "add", watched)
    assert run("import", "--yes").exit_code == 0
    assert seen == [(True, True)]
    assert list(path.parent.iterdir()) == []


def rewriting(path: Path, records: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file's own program store the next of these each time when something was kept here."""
    add = Accounts.add

    def meddle(self: Accounts, *args: Any) -> None:
        add(self, *args)
        if records:
            write(path, records.pop(0))

    monkeypatch.setattr(Accounts, "add", meddle)


def test_a_pair_that_comes_while_the_old_one_moves_moves_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without an agreed lock refreshed meanwhile: the pair that was read first is dead."""
    path = home / ".opencode" / "qwen" / "oauth_token.json"
    write(path, tokens("old"))
    rewriting(path, [tokens("new"), tokens("newest", refresh_token="refresh-new")], monkeypatch)
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"default": "access-newest"}
    credential = Session().accounts.load(Session().choose())
    assert credential.refresh_token == Secret("refresh-new")
    assert not path.exists()


@pytest.mark.parametrize(
    "changes", [["half a fi"], [tokens(str(number)) for number in range(9)], [{"accounts": [entry("a"), entry("b")]}]]
)
def test_a_file_that_cannot_be_followed_is_left_as_it_is(
    home: Path, changes: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its program stored last may be the only pair that lives."""
    path = home / ".opencode" / "qwen" / "oauth_token.json"
    write(path, tokens("old"))
    rewriting(path, list(changes), monkeypatch)
    done = run("import", "--yes")
    assert done.exit_code == 3
    assert "import` again" in done.stderr
    assert path.exists()


def test_a_file_that_vanishes_meanwhile_is_moved_all_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing left to take out."""
    path = cli_file(home)
    add = Accounts.add

    def vanish(self: Accounts, *args: Any) -> None:
        add(self, *args)
        path.unlink()

    monkeypatch.setattr(Accounts, "add", vanish)
    assert run("import", "--yes").exit_code == 0
    assert kept() == {"default": "access-one"}


def test_what_was_moved_does_not_come_back_as_a_copy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the CLI that was seen within its first minute is put back when it vanishes, but not after a move."""
    path = cli_file(home)
    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    assert run("status").exit_code == 0
    monkeypatch.setenv("QWEN_PORTAL_STORE", "file")
    assert run("import", "--yes").exit_code == 0
    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    assert run("status").exit_code == 4
    assert not path.exists()


def test_a_cli_at_work_is_not_disturbed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is respected; nothing moves while it refreshes."""
    path = cli_file(home)
    path.with_name("oauth_creds.lock").write_text("of the CLI")
    monkeypatch.setitem(QwenCliLock.__init__.__kwdefaults__ or {}, "sleep", lambda seconds: None)
    done = run("import", "--yes")
    assert done.exit_code == 3
    assert "oauth_creds.lock" in done.stderr
    assert path.exists()
    assert qwen_portal.accounts() == []


def test_into_memory_nothing_moves(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be gone with the program."""
    path = cli_file(home)
    monkeypatch.setenv("QWEN_PORTAL_STORE", "memory")
    assert run("import", "--yes").exit_code == 1
    assert path.exists()


def test_our_own_files_are_not_moved(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The move would end with the removal of the only copy."""
    cli_file(home)
    run("import", "--yes")
    own = next((tmp_path / "state" / "credentials").iterdir())
    assert run("import", str(own), "--yes").exit_code == 3
    assert kept() == {"default": "access-one"}

    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    path = cli_file(home)
    assert run("import", str(path), "--yes").exit_code == 3
    assert run("import", "--yes").exit_code == 1
    assert path.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"accounts": []}', '{"access_token": "a"}', '{"accounts": [1, {}]}', "[" * 100_000]
)
def test_what_holds_no_sign_in_is_said_so(tmp_path: Path, text: str) -> None:
    """And it stays as it is."""
    path = tmp_path / "any.json"
    path.write_text(text)
    done = run("import", str(path), "--yes")
    assert done.exit_code == 1
    assert "holds no sign-in" in done.stderr
    assert path.read_text() == text


def test_nothing_to_move_names_the_ways() -> None:
    """With no file around, and with a name that is none."""
    assert "qwen-portal login" in run("import", "--yes").stderr
    assert "There is no file" in run("import", "nowhere.json", "--yes").stderr


def test_the_name_of_an_account_is_no_file(home: Path) -> None:
    """Whoever takes `import` for a command about an account learns what it takes; nor is a folder a file."""
    done = run("import", "work", "--yes")
    assert done.exit_code == 1
    assert "takes the name of a file, not that of an account" in done.stderr
    folder = run("import", str(home), "--yes")
    assert folder.exit_code == 2
    assert "is a directory" in folder.stderr


@pytest.mark.parametrize("command", ["status", "token"])
def test_whoever_is_not_signed_in_is_told_of_it(home: Path, command: str) -> None:
    """The error and `status` name the command and the file; nothing is moved, nor read."""
    assert "import" not in run(command).stderr
    path = cli_file(home)
    path.chmod(0)
    done = run(command)
    assert done.exit_code == 4
    assert "qwen-portal import" in done.stderr
    assert str(path) in done.stderr
    assert path.exists()


def test_labels_that_cannot_be_shown_are_not_taken_over(home: Path) -> None:
    """A file may hold anything."""
    accounts_file(home, entry("a", id="\x1b[2J"), entry("b", id="env"), entry("c", id=7))
    assert run("import", "--yes").exit_code == 0
    assert set(kept()) == {"default", "env-2", "default-2"}
