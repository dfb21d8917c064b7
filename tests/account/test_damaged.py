"""A credential file that cannot be read is named: by the error, status, doctor, and logout, which removes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.session import Session
from qwen_portal.storage.private_files import write_private
from qwen_portal.storage.stores.file import FileStore
from tests.canaries import ACCESS, REFRESH, assert_none_in, assert_none_in_error
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as

# Cut off by a full disk of long ago; another program's; a hand that slipped.
BROKEN = {
    "cut off": f'{{"v":1,"kind":"oauth","plan":"oauth","access_token":"{ACCESS}","refresh_token":"{REFRESH}',
    "empty": "",
    "another's": json.dumps({"token": ACCESS}),
    "a token of two lines": json.dumps(
        {"v": 1, "kind": "oauth", "plan": "oauth", "access_token": f"{ACCESS}\nX", "label": "home", "generation": 1}
    ),
    "a list": json.dumps([ACCESS]),
    "not of this world": '{"v":[],"kind":{},"label":"home"}',
}


def broken(text: str, tmp_path: Path) -> Path:
    """Sign two accounts in and break the file of ``home``."""
    sign_in_as("home", "work")
    path = FileStore(tmp_path / "state").path("home")
    write_private(path, text)
    qwen_portal.close()
    return path


def finding(name: str) -> dict[str, Any]:
    """Return one of the lines of ``doctor``."""
    said = json.loads(run("doctor", "--json").stdout)["findings"]
    return next(each for each in said if each["name"] == name)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_before_any_call(name: str, tmp_path: Path, emulator: Emulator) -> None:
    """Status and doctor say which file, and the command that helps; the other account is as it was."""
    path = broken(BROKEN[name], tmp_path)
    shown, listed = run("status"), json.loads(run("status", "--json").stdout)["accounts"]
    home, work = shown.stdout.splitlines()[1:]
    assert f"its file {path} cannot be read; sign in again: `qwen-portal login home`" in home
    assert "token good for" in work
    assert [account["needs_login"] for account in listed] == [True, False]
    assert (finding("account 1")["state"], finding("account 2")["state"]) == ("fail", "warn")
    assert path.name in finding("account 1")["text"]
    assert "qwen-portal login" in finding("account 1")["remedy"]
    assert_none_in(shown.output + run("doctor").output)
    assert path.read_text("utf-8") == BROKEN[name]


@pytest.mark.parametrize("name", BROKEN)
def test_every_call_names_where_a_broken_file_is_kept(name: str, tmp_path: Path, emulator: Emulator) -> None:
    """The first as well as the later ones, and status and doctor after them; no token is spent."""
    path = broken(BROKEN[name], tmp_path)
    emulator.clear_log()
    for _ in range(2):
        with pytest.raises(QwenError, match=r"could not be read, and is kept as .*\.json\.corrupt") as caught:
            qwen_portal.get_access_token("home", force_refresh=True)
        assert "qwen-portal login home" in caught.value.hint
        assert_none_in_error(caught.value)
    aside = path.with_name(f"{path.name}.corrupt")
    assert str(aside) in run("status").stdout
    assert aside.name in finding("account 1")["text"]
    assert aside.read_text("utf-8") == BROKEN[name]
    assert [entry.place for entry in emulator.log()] == ["device"]


def test_a_file_that_is_gone_is_named(tmp_path: Path, emulator: Emulator) -> None:
    """By status and by doctor as by a call."""
    path = broken("", tmp_path)
    path.unlink()
    assert f"its file {path} is gone" in run("status").stdout
    assert f"{path.name} is gone" in finding("account 1")["text"]
    with pytest.raises(QwenError, match="is gone"):
        qwen_portal.get_access_token("home")


def test_a_file_that_others_can_read_is_named(tmp_path: Path, emulator: Emulator) -> None:
    """It is no sign-in that is lost, but none that can be used either."""
    sign_in_as("home")
    FileStore(tmp_path / "state").path("home").chmod(0o644)
    assert "other users can read it. Run: chmod 600" in run("status").stdout
    assert not json.loads(run("status", "--json").stdout)["accounts"][0]["needs_login"]
    assert "other users can read it" in finding("account 1")["text"]
    assert "chmod 600" in finding("account 1")["remedy"]


def test_a_rescue_makes_up_for_a_broken_file(tmp_path: Path, emulator: Emulator) -> None:
    """What is in it goes back into the file's place, so nobody is sent to sign in."""
    sign_in_as("home")
    accounts = Session().accounts
    journal = accounts.journal("home")
    assert journal is not None
    journal.rescue(accounts.load(accounts.choose("home")))
    write_private(FileStore(tmp_path / "state").path("home"), BROKEN["cut off"])
    assert "a refreshed token waits in" in run("status").stdout
    assert finding("account 1")["state"] == "warn"
    qwen_portal.get_access_token("home", force_refresh=True)
    assert "token good for" in run("status").stdout


def set_aside(tmp_path: Path) -> Path:
    """Let a call set the broken file of ``home`` aside."""
    path = broken(BROKEN["cut off"], tmp_path)
    with pytest.raises(QwenError):
        qwen_portal.get_access_token("home", force_refresh=True)
    return path.with_name(f"{path.name}.corrupt")


@pytest.mark.parametrize(
    "leave",
    [
        lambda: run("logout", "home"),
        lambda: run("logout", "--all"),
        lambda: run("accounts", "remove", "home"),
    ],
)
def test_logout_removes_what_was_set_aside_and_says_so(
    leave: Callable[[], Any], tmp_path: Path, emulator: Emulator
) -> None:
    """No token of a signed-out account stays on disk."""
    aside = set_aside(tmp_path)
    assert ACCESS in aside.read_text("utf-8")
    result = leave()
    assert result.exit_code == 0
    assert str(aside) in result.stderr
    texts = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert_none_in(texts)


def test_logout_from_python_removes_it_too(tmp_path: Path, emulator: Emulator) -> None:
    """And a sign-in in between does not hide it."""
    aside = set_aside(tmp_path)
    sign_in_as("home")
    assert "token good for" in run("status").stdout.splitlines()[1]
    assert aside.exists()
    qwen_portal.logout("home")
    assert not aside.exists()


def test_a_broken_file_of_ones_own_choice_is_named(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``file:PATH`` may hold somebody's notes, so it stays; what was ours and is broken goes with the sign-out."""
    path = tmp_path / "token.json"
    monkeypatch.setenv("QWEN_PORTAL_STORE", f"file:{path}")
    sign_in_as("only")
    record = json.loads(path.read_text("utf-8"))
    write_private(path, BROKEN["cut off"])
    qwen_portal.close()
    assert str(path) in run("status").stdout
    assert (finding("store")["state"], path.name in finding("store")["text"]) == ("fail", True)
    with pytest.raises(QwenStoreError, match="holds no sign-in of this package"):
        qwen_portal.get_access_token("only", force_refresh=True)
    assert path.read_text("utf-8") == BROKEN["cut off"]

    write_private(path, json.dumps(record | {"generation": "x", "access_token": ACCESS}))
    with pytest.raises(QwenError, match=r"token\.json\.corrupt"):
        qwen_portal.get_access_token("only", force_refresh=True)
    assert "token.json.corrupt" in run("logout", "only").stderr
    assert list(tmp_path.glob("token.json*")) == [tmp_path / "token.json.state"]


def test_a_rescue_that_cannot_be_read_is_named(
    tmp_path: Path, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Status says so instead of promising that it goes back, and so does the call that would have used it."""
    sign_in_as("home")
    accounts = Session().accounts
    journal = accounts.journal("home")
    assert journal is not None
    write_private(journal.rescue_path, BROKEN["cut off"])
    assert f"the rescued token in {journal.rescue_path} cannot be read" in run("status").stdout
    assert_none_in(run("status").output)
    qwen_portal.get_access_token("home", force_refresh=True)
    assert f"the rescued token in {journal.rescue_path} cannot be read" in caplog.text
