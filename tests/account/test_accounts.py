"""Which account serves a request, and what the index keeps of each."""

import errno
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import filelock
import pytest
from click.testing import CliRunner

import qwen_portal
from qwen_portal.cli.root import cli
from qwen_portal.errors import QwenError, QwenStoreError, QwenStoreLockedError, QwenTokenNotAvailableError
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.settings import CONNECT_TIMEOUT, REFRESH_TIMEOUT
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.index import FileIndex, check_label
from qwen_portal.storage.locks import REFRESH_LOCK_SECONDS, file_lock
from qwen_portal.storage.private_files import write_private
from qwen_portal.storage.stores.keyring import CALL_SECONDS
from qwen_portal.storage.stores.qwen_cli_lock import FIRST_PAUSE, LONGEST_PAUSE, TRIES
from tests.canaries import ACCESS, KEY, REFRESH, assert_none_in


def sign_in(label: str, *, active: bool = False, access_token: str = ACCESS) -> None:
    """Keep a sign-in under a label without a sign-in host."""
    accounts = Session().accounts
    made = Credential(
        kind="oauth",
        plan="oauth",
        access_token=Secret(access_token),
        refresh_token=Secret(REFRESH),
        issued_at=0.0,
        expires_at=4e9,
    )
    if active:
        accounts.signed_in(label, made)
    else:
        accounts.keep(label, made)


def test_nobody_signed_in_names_the_command() -> None:
    """No request starts a sign-in by itself."""
    with pytest.raises(QwenTokenNotAvailableError, match="qwen-portal login"):
        qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])


def test_an_unknown_account_lists_the_known_ones() -> None:
    """A mistyped label is easy to mend."""
    sign_in("work")
    with pytest.raises(QwenTokenNotAvailableError, match="'work'") as caught:
        qwen_portal.get_access_token("wrok")
    assert "qwen-portal login wrok" in caught.value.hint


def test_the_first_account_is_active_until_another_signs_in() -> None:
    """A person's new sign-in becomes the one in use; removing it falls back to the latest."""
    sign_in("home", access_token="home")
    sign_in("work", access_token="work")
    assert qwen_portal.get_access_token() == "home"
    sign_in("new", active=True, access_token="new")
    assert qwen_portal.get_access_token() == "new"
    qwen_portal.use("work")
    assert [account.label for account in qwen_portal.accounts() if account.active] == ["work"]
    assert qwen_portal.logout().label == "work"
    assert qwen_portal.get_access_token() == "new"
    assert qwen_portal.logout("home").label == "home"
    assert qwen_portal.get_access_token() == "new"


def test_the_argument_beats_the_key_beats_the_variable_beats_the_active(monkeypatch: pytest.MonkeyPatch) -> None:
    """One order, from the most explicit to the least."""
    for label in ("first", "second", "third"):
        sign_in(label, access_token=label)
    assert qwen_portal.get_access_token() == "first"
    monkeypatch.setenv("QWEN_PORTAL_ACCOUNT", "second")
    assert qwen_portal.get_access_token() == "second"
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    assert qwen_portal.get_access_token() == KEY
    assert qwen_portal.get_access_token("env") == KEY
    assert qwen_portal.get_access_token("third") == "third"
    assert [account.kind for account in qwen_portal.accounts()] == ["env", "oauth", "oauth", "oauth"]
    assert_none_in(qwen_portal.accounts())


def test_a_key_without_a_plan_lists_the_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key works at one address only, so the plan must be said."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", KEY)
    with pytest.raises(QwenError, match="coding-intl"):
        qwen_portal.get_access_token()
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "oauth")
    with pytest.raises(QwenError, match=r"QWEN_PORTAL_PLAN: .*not an API key"):
        qwen_portal.get_access_token()
    with pytest.raises(QwenError, match="plan= or QWEN_PORTAL_PLAN: there is no plan named 'gold'"):
        qwen_portal.PortalClient(api_key=KEY, plan="gold").chat([{"role": "user", "content": "Hello"}])


def test_a_key_of_another_plan_goes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped plan does not send the key to that plan's host; with an address of one's own nothing is assumed."""
    monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-of-another-plan")
    monkeypatch.setenv("QWEN_PORTAL_PLAN", "coding")
    with pytest.raises(QwenError, match="begin with 'sk-sp-'"):
        qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", "https://gateway.example/v1")
    assert qwen_portal.get_access_token() == "sk-of-another-plan"


def test_the_index_holds_no_secret(tmp_path: Path) -> None:
    """It is shown, copied and pasted; only the store knows tokens."""
    sign_in("work")
    text = (tmp_path / "state" / "accounts.json").read_text()
    assert_none_in(text)
    assert json.loads(text)["accounts"]["work"]["store"] == "file"


BROKEN = ("", "{", "[]", "[" * 100_000, '{"accounts": {"x": 1}}', '{"accounts": {"x": {}}}')


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("first", ["read", "edit"])
def test_a_corrupt_index_is_kept_aside_and_rebuilt_from_the_files(
    broken: str, first: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is overwritten; every sign-in works as before, and the one made last is active."""
    sign_in("work", access_token="w")
    sign_in("../étude", access_token="e")
    Session().accounts.add("key", Credential.from_key(Secret(KEY), plan="coding"))
    before = {account.label: account._replace(active=False) for account in qwen_portal.accounts()}
    path = tmp_path / "state" / "accounts.json"
    write_private(path, broken)
    if first == "edit":
        Session().accounts.allow_mixed(allowed=False)
    assert {account.label: account._replace(active=False) for account in qwen_portal.accounts()} == before
    assert [account.label for account in qwen_portal.accounts() if account.active] == ["key"]
    assert (tmp_path / "state" / "accounts.json.corrupt").read_text() == broken
    assert "accounts.json.corrupt. Found again in files of their own: 3 accounts. " in caplog.text
    qwen_portal.close()
    assert [qwen_portal.get_access_token(label) for label in before] == ["w", "e", KEY]
    assert caplog.text.count("could not be read") == 1


def test_a_keyring_cannot_be_listed_and_the_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was kept there needs a new sign-in, which works; accounts in files are found all the same."""
    sign_in("filed")
    monkeypatch.setenv("QWEN_PORTAL_STORE", "keyring")
    path = tmp_path / "state" / "accounts.json"
    write_private(path, "{")
    assert [account.label for account in qwen_portal.accounts()] == ["filed"]
    assert "A keyring cannot be listed: sign in again to what was kept there (`qwen-portal login NAME`)" in caplog.text


def test_a_file_that_is_no_sign_in_does_not_stop_the_others(tmp_path: Path) -> None:
    """Neither garbage nor another account's file under a wrong name becomes an account; nothing is deleted."""
    sign_in("work")
    folder = tmp_path / "state" / "credentials"
    (real,) = folder.iterdir()
    for name, text in (("a", "{"), ("b", "[1]"), ("c", "{}"), ("d", real.read_text())):
        write_private(folder / f"{name}.json", text)
    (folder / "e.json").mkdir()
    write_private(tmp_path / "state" / "accounts.json", "{")
    assert [account.label for account in qwen_portal.accounts()] == ["work"]
    assert len(list(folder.iterdir())) == 6


def test_processes_that_find_a_corrupt_index_rebuild_it_once(tmp_path: Path) -> None:
    """Each sees the accounts, and the good index of the first is not taken for the corrupt one."""
    sign_in("work")
    write_private(tmp_path / "state" / "accounts.json", "{")
    code = "import qwen_portal; print([a.label for a in qwen_portal.accounts()])"
    pipe = subprocess.PIPE
    crowd = [subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) for _ in range(6)]
    said = [each.communicate(timeout=120) for each in crowd]
    assert {out for out, _ in said} == {"['work']\n"}
    assert sum(err.count("could not be read") for _, err in said) == 1
    assert (tmp_path / "state" / "accounts.json.corrupt").read_text() == "{"


LABELS = [
    "../../../etc/passwd",
    "/",
    "..",
    "a/b",
    "C:\\x",
    "CON",
    "*",
    "$(id)",
    "%s",
    "{}",
    "名前",
    "a.json",
    "x" * 100,
]


def test_labels_are_data_never_paths(tmp_path: Path) -> None:
    """Whatever a label looks like, its files lie in our folder under names that tell nothing of it."""
    tokens = [f"access-{number}" for number in range(len(LABELS))]
    for label, token in zip(LABELS, tokens, strict=True):
        sign_in(label, access_token=token)
    assert [qwen_portal.get_access_token(label) for label in LABELS] == tokens
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(tmp_path / "state") for path in files)
    assert all(re.fullmatch(r"accounts\.(json|lock)|[0-9a-f]{32}\.(json|lock)", path.name) for path in files)
    for label in LABELS:
        qwen_portal.logout(label)
    assert qwen_portal.accounts() == []


def test_an_index_from_a_later_version_is_read(tmp_path: Path) -> None:
    """Unknown fields are no corruption."""
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    record = json.loads(path.read_text())
    record["accounts"]["work"]["later"] = True
    write_private(path, json.dumps(record))
    assert qwen_portal.accounts()[0].label == "work"


WRONG: dict[str, list[object]] = {
    "generation": ["7", None, 1.5, []],
    "expires_at": ["soon", [], math.nan],
    "exhausted_until": ["soon", {}, math.nan],
    "exhausted_at": ["soon", [], math.nan],
    "exhausted_code": [7, []],
    "exhausted_stated": ["yes", 1, None],
    "exhausted_models": ["all", ["coder-model"], {"coder-model": "soon"}, {"coder-model": math.nan}, {"x": None}],
    "ended_at": ["soon", True, math.nan],
    "needs_login": ["no", 1, None],
    "proven": ["x", None],
    "lost": [5, {}],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_field_of_the_wrong_type_counts_as_not_known(
    name: str, value: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A hand that slipped costs no sign-in: the account is there and its token is good."""
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    record = json.loads(path.read_text())
    record["accounts"]["work"][name] = value
    write_private(path, json.dumps(record))
    qwen_portal.close()
    assert not qwen_portal.accounts()[0].needs_login
    assert qwen_portal.get_access_token() == ACCESS
    assert CliRunner().invoke(cli, ["status", "--json"]).exit_code == 0
    assert "could not be read" not in caplog.text


def premium(tmp_path: Path, *, plan: str = "premium") -> None:
    """Let the index name a plan for ``work`` that nobody knows, beside a good account."""
    sign_in("home")
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    record = json.loads(path.read_text())
    record["active"], record["accounts"]["work"]["plan"] = "work", plan
    write_private(path, json.dumps(record))
    qwen_portal.close()


@pytest.mark.parametrize("plan", ["premium", "http://plain.example/v1", "ftp://x"])
def test_a_plan_that_nobody_knows_costs_no_other_account(plan: str, tmp_path: Path) -> None:
    """It is listed with what is the matter, and can be removed; the others go on."""
    premium(tmp_path, plan=plan)
    unavailable_reason = f"unknown plan {plan!r}"
    assert {account.label: account.unavailable_reason for account in qwen_portal.accounts()} == {
        "home": None,
        "work": unavailable_reason,
    }
    assert unavailable_reason in CliRunner().invoke(cli, ["status"]).stdout
    assert "work" in CliRunner().invoke(cli, ["accounts"]).stdout
    qwen_portal.use("home")
    assert qwen_portal.get_access_token() == ACCESS
    assert CliRunner().invoke(cli, ["status", "--json"]).exit_code == 0
    assert CliRunner().invoke(cli, ["accounts", "remove", "work"]).exit_code == 0
    assert [account.label for account in qwen_portal.accounts()] == ["home"]


def test_choosing_such_an_account_names_it_and_the_remedy(tmp_path: Path) -> None:
    """Whether it is the active one or named; a new sign-in under its name mends it."""
    premium(tmp_path)
    for label in (None, "work"):
        with pytest.raises(QwenTokenNotAvailableError, match="Account 'work' cannot be used: unknown plan") as caught:
            Session().choose(label)
        assert "`qwen-portal accounts remove work`" in caught.value.hint
    assert CliRunner().invoke(cli, ["logout"]).exit_code == 0
    premium(tmp_path)
    sign_in("work")
    assert Session().choose().label == "work"


def test_an_active_account_that_is_gone_is_chosen_anew(tmp_path: Path) -> None:
    """Somebody is signed in, so no sign-in is asked for."""
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    write_private(path, json.dumps(json.loads(path.read_text()) | {"active": "gone"}))
    qwen_portal.close()
    with pytest.raises(QwenTokenNotAvailableError, match=r"No account is the active one .*'work'") as caught:
        Session().choose()
    assert caught.value.hint == "Run `qwen-portal accounts use NAME`."


@pytest.mark.parametrize(
    ("label", "shown"), [("wrok", "wrok"), ("my work", "'my work'"), ("it's", "'it'\"'\"'s'"), ("-x", "-- -x")]
)
def test_a_command_that_is_shown_can_be_pasted(label: str, shown: str) -> None:
    """A label may hold what a shell reads otherwise."""
    with pytest.raises(QwenTokenNotAvailableError) as caught:
        Session().choose(label)
    assert caught.value.hint == f"Run `qwen-portal login {shown}`."


@pytest.mark.parametrize("value", [1e303, math.inf, 10**400])
def test_a_time_beyond_every_calendar_is_its_last_day(value: float, tmp_path: Path) -> None:
    """What another program wrote into its file must not break the arithmetic of ours."""
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    record = json.loads(path.read_text())
    record["accounts"]["work"]["expires_at"] = value
    write_private(path, json.dumps(record))
    assert qwen_portal.accounts()[0].expires_at == 253_402_300_799
    assert CliRunner().invoke(cli, ["status", "--json"]).exit_code == 0


def test_an_active_account_or_a_slot_of_the_wrong_type_is_none(tmp_path: Path) -> None:
    """The accounts stay."""
    sign_in("work")
    path = tmp_path / "state" / "accounts.json"
    record = json.loads(path.read_text()) | {"active": ["work"], "slots": {"work": 5, "home": "x:a"}}
    write_private(path, json.dumps(record))
    data = FileIndex(path).read()
    assert (list(data.accounts), data.active, data.slots) == (["work"], None, {"home": "x:a"})


@pytest.mark.parametrize("bad", ["", "  ", "a\nb", "a\x00b", "x" * 101, "\u202etxt"])
def test_a_label_that_cannot_be_shown_is_refused(bad: str) -> None:
    """Labels are printed in terminals and logs."""
    with pytest.raises(QwenError, match="label"):
        check_label(bad)


def test_labels_are_compared_in_one_spelling() -> None:
    """The same letters in two Unicode forms are one account; case matters."""
    sign_in(check_label("e\u0301"), access_token="one")
    assert qwen_portal.get_access_token("\u00e9") == "one"
    sign_in("Work", access_token="two")
    with pytest.raises(QwenTokenNotAvailableError):
        qwen_portal.get_access_token("work")


ADD_ACCOUNT = """
import sys
from pathlib import Path
from qwen_portal.account.registry import Accounts
from qwen_portal.storage.credential import Credential
from qwen_portal.secrets import Secret

sys.stdin.readline()
key = Credential(kind="key", plan="coding", access_token=Secret("k"), generation=1)
Accounts(Path(sys.argv[1]), "file").keep(sys.argv[2], key)
"""


def test_eight_processes_lose_no_update(tmp_path: Path) -> None:
    """Every one of them adds an account; all are there."""
    labels = [f"account-{n}" for n in range(8)]
    workers = [
        subprocess.Popen([sys.executable, "-c", ADD_ACCOUNT, tmp_path, label], stdin=subprocess.PIPE, text=True)
        for label in labels
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
    assert [worker.returncode for worker in workers] == [0] * 8
    assert sorted(FileIndex(tmp_path / "accounts.json").read().accounts) == labels


def test_a_lock_that_is_held_names_itself_and_asks_for_patience(tmp_path: Path) -> None:
    """Whoever waits in vain is told for what; nobody is told to end a program that may be refreshing."""
    path = tmp_path / "x.lock"
    with file_lock(path, 1), pytest.raises(QwenStoreLockedError, match=r"x\.lock") as caught, file_lock(path, 0.01):
        pass
    assert "let it finish" in caught.value.hint
    assert not any(word in caught.value.hint for word in ("end it", "kill", "hung"))


def test_a_lock_is_waited_for_longer_than_a_refresh_can_take() -> None:
    """Three connections that fail, the pauses, the answer, the qwen CLI's lock, and a dozen slow keyring calls."""
    pauses = [min(FIRST_PAUSE * 1.5**n, LONGEST_PAUSE) for n in range(TRIES - 1)]
    longest = 3 * CONNECT_TIMEOUT + 2 * 2 + REFRESH_TIMEOUT + sum(pauses) + 12 * CALL_SECONDS
    assert longest < REFRESH_LOCK_SECONDS


@pytest.mark.parametrize("stands_there", ["folder", "link to itself", "file in place of the folder"])
def test_a_lock_that_cannot_be_made_is_an_error_of_the_store(stands_there: str, tmp_path: Path) -> None:
    """As on a read-only disk: the error is ours, with a hint."""
    path = tmp_path / "locks" / "x.lock"
    if stands_there == "file in place of the folder":
        path.parent.write_text("")
    else:
        path.parent.mkdir()
        path.mkdir() if stands_there == "folder" else path.symlink_to(path)
    with pytest.raises(QwenStoreError, match="locks") as caught, file_lock(path, 1):
        pass
    assert caught.value.hint


def test_a_read_only_home_is_an_error_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser, as whom a container runs, is stopped by no permission, but by a disk that is mounted so."""

    def read_only(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(filelock.FileLock, "acquire", read_only)
    with pytest.raises(QwenStoreError, match="Read-only file system"), FileIndex(tmp_path / "accounts.json").edit():
        pass


def test_an_error_under_the_lock_is_nobody_elses(tmp_path: Path) -> None:
    """What the block itself raises is no failure of the lock, and the lock is free again."""
    path = tmp_path / "x.lock"
    with pytest.raises(FileNotFoundError), file_lock(path, 1):
        (tmp_path / "nowhere").read_text()
    with file_lock(path, 0.01):
        pass


def test_a_file_on_a_fresh_volume_is_an_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """QWEN_TOKEN_PATH is enough: the index beside it is made from it."""
    monkeypatch.delenv("QWEN_PORTAL_STORE")
    monkeypatch.setenv("QWEN_TOKEN_PATH", str(tmp_path / "volume" / "token.json"))
    sign_in("team")
    shutil.rmtree(tmp_path / "volume" / "token.json.state")
    qwen_portal.close()
    account = qwen_portal.accounts()[0]
    assert (account.label, account.active) == ("team", True)
    assert qwen_portal.get_access_token() == ACCESS
    assert not (tmp_path / "state").exists()


def test_two_files_in_one_folder_have_nothing_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither locks nor a rescued token: the same label in another file is another sign-in."""
    journals = set()
    for name in ("a.json", "b.json"):
        monkeypatch.setenv("QWEN_PORTAL_STORE", f"file:{tmp_path / name}")
        sign_in("work", access_token=name)
        assert qwen_portal.get_access_token() == name
        journal = Session().accounts.journal("work")
        assert journal is not None
        journals.add(journal.rescue_path)
    assert len(journals) == 2


def test_memory_keeps_nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For CI: one process, no file, no lock."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "memory")
    sign_in("ci")
    qwen_portal.close()
    assert qwen_portal.get_access_token() == ACCESS
    qwen_portal.logout("ci")
    with pytest.raises(QwenTokenNotAvailableError):
        qwen_portal.get_access_token()
    assert list(tmp_path.iterdir()) == []


def test_a_sign_in_stays_where_it_is_unless_a_place_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh under STORE=auto does not move an account out of its file."""
    sign_in("work")
    monkeypatch.setenv("QWEN_PORTAL_STORE", "auto")
    sign_in("work", access_token="again")
    assert qwen_portal.accounts()[0].store == "file"


def test_an_unknown_store_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped place is no silent default."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "vault")
    with pytest.raises(QwenError, match="keyring"):
        sign_in("work")


def test_a_credential_gone_from_its_store_is_said_so(tmp_path: Path) -> None:
    """An index without the secret behind it names the command."""
    sign_in("work")
    for path in (tmp_path / "state" / "credentials").iterdir():
        path.unlink()
    with pytest.raises(QwenTokenNotAvailableError, match="qwen-portal login work"):
        qwen_portal.get_access_token()


def test_a_store_that_fails_at_logout_keeps_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry goes only after the secret has gone."""
    sign_in("work")

    def fail(label: str) -> bool:
        msg = "disk on fire"
        raise QwenStoreError(msg)

    monkeypatch.setattr(Session().accounts.store("file"), "delete", fail)
    with pytest.raises(QwenStoreError):
        qwen_portal.logout()
    assert len(qwen_portal.accounts()) == 1
