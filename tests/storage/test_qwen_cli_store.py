"""One sign-in for the qwen CLI and us: its file, its format, its changes seen, nothing of it lost."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal import oauth
from qwen_portal.emulator import Emulator
from qwen_portal.errors import (
    QwenRefreshTokenInvalidError,
    QwenStoreError,
    QwenStoreLockedError,
    QwenTokenNotAvailableError,
)
from qwen_portal.oauth import TokenResponse
from qwen_portal.secrets import Secret
from qwen_portal.session import Session
from qwen_portal.sign_in.device_flow import sign_in
from qwen_portal.sign_in.key_login import add_key
from qwen_portal.storage.index import MemoryIndex
from qwen_portal.storage.private_files import read_owned
from qwen_portal.storage.stores import qwen_cli_lock
from qwen_portal.storage.stores.qwen_cli import QwenCliStore
from qwen_portal.tokens.refresh import Refresher

NEW = TokenResponse(Secret("second"), Secret("refresh-2"), 3600.0, None)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Choose the store, with a folder of the CLI of its own; return the CLI's file, which is not there yet."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))
    return tmp_path / "qwen" / "oauth_creds.json"


def cli_writes(file: Path, *, access: str = "first", left: float = 3600.0, age: float = 0.0, **others: Any) -> None:
    """Write the file as the CLI does, that many seconds ago; its mode is the umask's."""
    record = {
        "access_token": access,
        "refresh_token": "refresh-1",
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "expiry_date": int((time.time() + left) * 1000),
    }
    file.parent.mkdir(exist_ok=True)
    beside = file.with_name("cli.tmp")
    beside.write_text(json.dumps(record | others, indent=2))
    beside.chmod(0o644)
    then = time.time() - age
    os.utime(beside, (then, then))
    beside.replace(file)


def answer_refresh(monkeypatch: pytest.MonkeyPatch, answer: TokenResponse | Exception) -> list[str]:
    """Script the refresh; return the refresh tokens that were spent."""
    spent: list[str] = []

    def refresh(token: Secret, **_: object) -> TokenResponse:
        spent.append(token.reveal())
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(oauth, "refresh", refresh)
    return spent


def test_the_sign_in_of_the_cli_is_an_account(file: Path) -> None:
    """Nothing else is needed; the mode that the CLI chose is no obstacle."""
    cli_writes(file)
    assert qwen_portal.get_access_token() == "first"
    account = qwen_portal.accounts()[0]
    assert (account.label, account.kind, account.active, account.store) == ("default", "oauth", True, "qwen-cli")
    assert account.expires_at == pytest.approx(time.time() + 3600, abs=60)


def test_without_qwen_home_the_file_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/.qwen, as the CLI has it; a tilde in QWEN_HOME is that home too."""
    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    cli_writes(tmp_path / ".qwen" / "oauth_creds.json")
    assert qwen_portal.get_access_token() == "first"
    qwen_portal.close()
    monkeypatch.setenv("QWEN_HOME", "~/elsewhere")
    cli_writes(tmp_path / "elsewhere" / "oauth_creds.json", access="other")
    assert qwen_portal.get_access_token() == "other"


def test_what_the_cli_changes_is_seen_at_the_next_call(file: Path) -> None:
    """A refresh or a new sign-in by the CLI replaces the token in our memory."""
    cli_writes(file, age=20)
    assert qwen_portal.get_access_token() == "first"
    cli_writes(file, access="by-the-cli", age=10)
    assert qwen_portal.get_access_token() == "by-the-cli"


def test_a_new_sign_in_by_the_cli_ends_needs_login(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs in with the CLI is signed in here."""
    cli_writes(file, left=-10, age=20)
    answer_refresh(monkeypatch, QwenRefreshTokenInvalidError("dead"))
    with pytest.raises(QwenRefreshTokenInvalidError):
        qwen_portal.get_access_token()
    assert qwen_portal.accounts()[0].needs_login
    cli_writes(file, access="again")
    assert not qwen_portal.accounts()[0].needs_login
    assert qwen_portal.get_access_token() == "again"


def test_a_refresh_is_written_as_the_cli_writes_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fields, its indentation, milliseconds; foreign fields stay, and the file becomes private."""
    cli_writes(file, left=-10, id_token="kept")
    answer_refresh(monkeypatch, NEW)
    assert qwen_portal.get_access_token() == "second"
    text = file.read_text()
    record = json.loads(text)
    expiry = record.pop("expiry_date")
    assert record == {
        "access_token": "second",
        "refresh_token": "refresh-2",
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "id_token": "kept",
    }
    assert isinstance(expiry, int)
    assert expiry / 1000 == pytest.approx(time.time() + 3600, abs=60)
    assert text.startswith('{\n  "access_token"')
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_mtime == pytest.approx(time.time(), abs=60)


def test_the_refresh_holds_the_clis_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From before the token is spent until the new one is stored."""
    cli_writes(file, left=-10)
    lock, seen = file.with_name("oauth_creds.lock"), list[bool]()

    def refresh(token: Secret, **_: object) -> TokenResponse:
        seen.append(lock.exists())
        return NEW

    monkeypatch.setattr(oauth, "refresh", refresh)
    qwen_portal.get_access_token()
    assert seen == [True]
    assert not lock.exists()


def test_while_the_cli_refreshes_we_do_not(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is not spent a second time; what the CLI stored meanwhile is used."""
    cli_writes(file, left=-10, age=5)
    lock = file.with_name("oauth_creds.lock")
    lock.write_text("of-the-cli")

    def the_cli_is_done(seconds: float) -> None:
        cli_writes(file, access="by-the-cli")
        lock.unlink()

    spent = answer_refresh(monkeypatch, NEW)
    monkeypatch.setattr(qwen_cli_lock.QwenCliLock.__init__, "__kwdefaults__", _waiting(the_cli_is_done))
    assert qwen_portal.get_access_token() == "by-the-cli"
    assert spent == []


def _waiting(sleep: Any) -> dict[str, Any]:
    return {"sleep": sleep, "clock": time.time, "beat": qwen_cli_lock.BEAT_SECONDS}


def test_a_lock_that_is_never_given_up_spends_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the lock; the sign-in is as it was."""
    cli_writes(file, left=-10)
    file.with_name("oauth_creds.lock").write_text("of-the-cli")
    spent = answer_refresh(monkeypatch, NEW)
    monkeypatch.setattr(qwen_cli_lock.QwenCliLock.__init__, "__kwdefaults__", _waiting(lambda seconds: None))
    with pytest.raises(QwenStoreLockedError, match=r"oauth_creds\.lock"):
        qwen_portal.get_access_token()
    assert spent == []
    assert json.loads(file.read_text())["refresh_token"] == "refresh-1"


@pytest.mark.parametrize("again", [False, True])
def test_a_file_that_the_cli_deletes_after_our_refresh_goes_back(
    file: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """The CLI lost the race and deleted the winner's sign-in; this process or the next one puts it back."""
    cli_writes(file, left=-10)
    answer_refresh(monkeypatch, NEW)
    qwen_portal.get_access_token()
    written = file.read_text()
    file.unlink()
    if again:
        qwen_portal.close()
    assert qwen_portal.get_access_token() == "second"
    assert json.loads(file.read_text()) == json.loads(written)
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(list(file.parent.iterdir())) == 1


def test_what_was_seen_of_the_cli_goes_back_too(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of two CLIs one refreshed, and the other deleted the result, which we had seen; the log says so, once."""
    cli_writes(file)
    qwen_portal.get_access_token()
    file.unlink()
    assert qwen_portal.get_access_token() == "first"
    assert file.exists()
    assert qwen_portal.get_access_token() == "first"
    assert caplog.text.count("it is back") == 1


def test_a_slow_reader_does_not_put_an_older_pair_back(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read the file before another process refreshed, and remembers that afterwards."""
    cli_writes(file, left=-10, age=5)
    slow = QwenCliStore(tmp_path / "state", MemoryIndex())
    spent = answer_refresh(monkeypatch, NEW)

    def read_then_refresh(path: Path) -> str | None:
        text = read_owned(path)
        monkeypatch.setattr("qwen_portal.storage.stores.qwen_cli.read_owned", read_owned)
        assert qwen_portal.get_access_token() == "second"
        return text

    monkeypatch.setattr("qwen_portal.storage.stores.qwen_cli.read_owned", read_then_refresh)
    assert slow.load("default") is not None
    file.unlink()
    qwen_portal.close()
    assert qwen_portal.get_access_token() == "second"
    assert spent == ["refresh-1"]


def test_a_file_that_came_meanwhile_is_not_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our look and our putting back the CLI signed in anew: that is the newer one."""
    cli_writes(file)
    qwen_portal.get_access_token()
    file.unlink()
    link = os.link

    def too_late(source: Path, target: Path) -> None:
        cli_writes(file, access="newer")
        link(source, target)

    monkeypatch.setattr(os, "link", too_late)
    assert qwen_portal.get_access_token() == "newer"


def test_a_sign_out_by_the_cli_is_one_here(file: Path, tmp_path: Path) -> None:
    """A file that is deleted long after its making stays deleted, and no copy of it remains."""
    cli_writes(file, age=3600)
    assert qwen_portal.get_access_token() == "first"
    file.unlink()
    with pytest.raises(QwenTokenNotAvailableError):
        qwen_portal.get_access_token()
    assert qwen_portal.accounts() == []
    assert not file.exists()
    kept = "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert "first" not in kept


def test_logout_signs_the_cli_out_and_nothing_comes_back(file: Path) -> None:
    """There is one sign-in, so there is one sign-out."""
    cli_writes(file)
    qwen_portal.get_access_token()
    qwen_portal.logout()
    assert not file.exists()
    assert qwen_portal.accounts() == []


def test_a_sign_in_here_is_one_for_the_cli(file: Path, emulator: Emulator) -> None:
    """The folder is made if there is none; a label is kept, and the file is good by the CLI's own rules."""
    sign_in(Session(), "work", show=lambda event: None, sleep=lambda seconds: None)
    record = json.loads(file.read_text())
    assert record["access_token"] == qwen_portal.get_access_token("work")
    assert set(record) == {"access_token", "refresh_token", "token_type", "resource_url", "expiry_date"}
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [account.label for account in qwen_portal.accounts()] == ["work"]
    emulator.revoke()
    assert qwen_portal.PortalClient().chat([{"role": "user", "content": "What is 2+2?"}])["choices"]
    assert json.loads(file.read_text())["access_token"] != record["access_token"]


def test_there_is_room_for_one_account(file: Path, emulator: Emulator) -> None:
    """A second label would overwrite the first; it is told before anybody goes to a browser."""
    cli_writes(file, age=3600)
    assert len(qwen_portal.accounts()) == 1
    with pytest.raises(QwenStoreError, match="room for one") as caught:
        sign_in(Session(), "second", show=lambda event: None, sleep=lambda seconds: None)
    assert "QWEN_PORTAL_STORE" in caught.value.hint
    assert emulator.log() == []
    assert json.loads(file.read_text())["access_token"] == "first"


def killed(where: str) -> None:
    """Run a call of ours that is killed where a file would be moved, or linked, into its place."""
    code = f"import os; from pathlib import Path; import qwen_portal\n{where} = lambda *_: os._exit(9)\n"
    done = subprocess.run([sys.executable, "-c", code + "qwen_portal.accounts()"], check=False)
    assert done.returncode == 9


def names(folder: Path) -> set[str]:
    """Return what is in a folder."""
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("where", ["os.link", "Path.replace"])
def test_a_logout_leaves_nothing_of_what_a_killed_process_was_putting_back(file: Path, where: str) -> None:
    """Such leftovers hold the sign-in in clear."""
    cli_writes(file)
    qwen_portal.get_access_token()
    file.unlink()
    killed(where)
    assert len(names(file.parent)) == 1
    cli_writes(file)
    qwen_portal.logout()
    assert names(file.parent) == set()


def test_a_refresh_tidies_our_leftovers_and_no_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is surely ours goes: the CLI's, an editor's and a person's files in the folder stay."""
    cli_writes(file, left=-10)
    theirs = {f"{file.name}.tmp.1f0c", f".{file.name}.swp", f"{file.name}.bak", "settings.json"}
    ours = {
        f"{file.name}.rehearsal",
        f".{file.name}.qwen-portal.k1ll3d__",
        f".{file.name}.rehearsal.qwen-portal.k1ll3d_",
    }
    for name in theirs | ours:
        file.with_name(name).write_text("secret")
    answer_refresh(monkeypatch, NEW)
    qwen_portal.get_access_token()
    assert names(file.parent) == theirs | {file.name}


def test_what_another_process_is_putting_back_is_tidied_after_a_minute(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written without a lock, so a young one may be under way."""
    cli_writes(file, left=-10)
    beside = file.with_name(f".{file.name}.qwen-portal-back.77.123456789")
    beside.write_text("secret")
    answer_refresh(monkeypatch, NEW)
    qwen_portal.get_access_token()
    assert beside.exists()
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    answer_refresh(monkeypatch, TokenResponse(Secret("third"), Secret("refresh-3"), 3600.0, None))
    assert qwen_portal.get_access_token(force_refresh=True) == "third"
    assert not beside.exists()


def test_a_key_is_refused(file: Path) -> None:
    """The CLI would take it for a sign-in."""
    with pytest.raises(QwenStoreError, match="no API key"):
        add_key(Session(), None, plan="studio-intl", api_key=Secret("sk-key"), show=lambda event: None, check=False)
    assert not file.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"access_token": "a", "refresh_token": "", "token_type": "Bearer", "expiry_date": 1}',
        '{"access_token": "a", "refresh_token": "b", "token_type": "Bearer", "expiry_date": true}',
        '{"access_token": "a\\nb", "refresh_token": "b", "token_type": "Bearer", "expiry_date": 1}',
    ],
)
def test_what_is_no_sign_in_is_left_as_it_is(file: Path, text: str) -> None:
    """The file is the CLI's: not ours to set aside; half a file may be whole a moment later."""
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(QwenStoreError, match="holds no sign-in"):
        qwen_portal.get_access_token()
    assert file.read_text() == text
    cli_writes(file)
    assert qwen_portal.get_access_token() == "first"


@pytest.mark.parametrize("absurd", ["1" + "0" * 400, "1" + "0" * 5000, "1e306", "Infinity", "NaN"])
def test_an_end_that_cannot_be_meant_ends_nothing(file: Path, absurd: str) -> None:
    """The token serves for the 6 hours of one that does not say."""
    cli_writes(file, expiry_date="?")
    file.write_text(file.read_text().replace('"?"', absurd))
    assert qwen_portal.get_access_token() == "first"
    assert qwen_portal.accounts()[0].expires_at == pytest.approx(time.time() + 6 * 3600, abs=60)


def test_a_byte_order_mark_is_no_obstacle(file: Path) -> None:
    """An editor may have put one before the CLI's text."""
    cli_writes(file)
    file.write_text("\ufeff" + file.read_text(), encoding="utf-8")
    assert qwen_portal.get_access_token() == "first"


def test_a_link_in_place_of_the_file_is_refused(file: Path, tmp_path: Path) -> None:
    """Whatever it leads to would be read, and replaced at the next refresh."""
    cli_writes(file)
    file.rename(tmp_path / "target.json")
    file.symlink_to(tmp_path / "target.json")
    with pytest.raises(QwenStoreError, match="symbolic link"):
        qwen_portal.get_access_token()


def test_a_cli_that_wins_the_race_and_stores_late_is_waited_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our refresh is rejected before the CLI has stored what it got; a moment later it has."""
    cli_writes(file, left=-1)
    spent = answer_refresh(monkeypatch, QwenRefreshTokenInvalidError("The server no longer accepts it."))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            cli_writes(file, access="theirs", refresh_token="refresh-2")

    session = Session()
    account = session.accounts.choose()
    refresher = Refresher(session.accounts, oauth_url="https://chat.qwen.ai", client_id="id", sleep=wait)
    assert refresher.get_or_refresh(account, None).access_token.reveal() == "theirs"
    assert (spent, len(waits)) == (["refresh-1"], 3)
    assert not session.accounts.choose().needs_login
