"""Large files are read whole, or refused: half a file looks like a corrupt one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError
from qwen_portal.session import Session
from qwen_portal.sign_in.foreign_files import read_sign_ins
from qwen_portal.storage.index import Entry, FileIndex
from qwen_portal.storage.private_files import LIMIT, read_owned, read_private, write_private
from qwen_portal.storage.stores.file import FileStore, OneFileStore
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as

COUNT = 10_000
# As people call their accounts; with it the index is above 4 MiB.
LABEL = "somebody-{}@department-of-long-names.example.com"


def grow(path: Path) -> None:
    """Make a file one byte larger than any of this package, in no time and on no disk."""
    os.truncate(path, LIMIT + 1)


def fill(index: FileIndex) -> None:
    """Enter many accounts."""
    with index.edit() as data:
        for n in range(COUNT):
            label = LABEL.format(n)
            data.accounts[label] = Entry("key", "coding", "keyring", generation=n + 1)
            data.slots[label] = f"{n:032x}:a"


def test_ten_thousand_accounts_are_ordinary(
    tmp_path: Path, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """None of them is gone after a sign-in, a refresh, a switch and a sign-out."""
    index = Session().accounts.index
    assert isinstance(index, FileIndex)
    fill(index)
    assert index.path.stat().st_size > 4 * 1024 * 1024

    sign_in_as("mine")
    qwen_portal.get_access_token("mine", force_refresh=True)
    qwen_portal.use(LABEL.format(COUNT - 1))
    qwen_portal.logout("mine")

    data = index.read()
    assert list(data.accounts) == [LABEL.format(n) for n in range(COUNT)]
    assert len(data.slots) == COUNT
    assert run("status", "--json").exit_code == 0
    assert caplog.text == ""
    assert list(tmp_path.rglob("*.corrupt")) == []


def test_an_index_that_is_too_large_is_refused_and_stays(
    tmp_path: Path, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither read nor written, nor called corrupt; no sign-in is begun."""
    sign_in_as("home")
    path = tmp_path / "state" / "accounts.json"
    grow(path)
    qwen_portal.close()
    emulator.clear_log()
    for call in (qwen_portal.accounts, lambda: qwen_portal.use("home"), lambda: sign_in_as("home")):
        with pytest.raises(QwenStoreError, match="over 64 MiB"):
            call()
    assert run("status").exit_code == 3
    assert emulator.log() == []
    assert path.stat().st_size == LIMIT + 1
    assert list(tmp_path.rglob("*.corrupt")) == []
    assert "could not be read" not in caplog.text


def test_an_edit_that_would_be_too_large_changes_nothing(tmp_path: Path) -> None:
    """It is refused before it is written."""
    index = FileIndex(tmp_path / "accounts.json")
    with index.edit() as data:
        data.accounts["home"] = Entry("key", "coding", "file")
    before = index.path.read_bytes()
    with pytest.raises(QwenStoreError, match="over 64 MiB"), index.edit() as data:
        data.accounts["work"] = Entry("key", "coding", "file", lost="x" * LIMIT)
    assert index.path.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"accounts.json", "accounts.lock"}


def test_the_largest_file_is_read_whole(tmp_path: Path) -> None:
    """To the byte; what is written up to the limit can be read."""
    path = tmp_path / "file"
    write_private(path, "x" * LIMIT)
    assert len(read_private(path) or "") == LIMIT
    path.chmod(0o644)
    assert len(read_owned(path) or "") == LIMIT


def credential_file(tmp_path: Path) -> Path:
    """Return the file of ``home``."""
    return FileStore(tmp_path / "state").path("home")


def rescue_file(tmp_path: Path) -> Path:
    """Make a rescue of ``home``."""
    accounts = Session().accounts
    journal = accounts.journal("home")
    assert journal is not None
    journal.rescue(accounts.load(accounts.choose("home")))
    return journal.rescue_path


def note_file(tmp_path: Path) -> Path:
    """Make a note about ``home``."""
    path = rescue_file(tmp_path)
    path.unlink()
    note = path.with_suffix(".json")
    write_private(note, "{}")
    return note


@pytest.mark.parametrize("make", [credential_file, rescue_file, note_file])
def test_a_credential_rescue_or_note_that_is_too_large_spends_no_token(
    make: Callable[[Path], Path], tmp_path: Path, emulator: Emulator
) -> None:
    """It is named, and stays where it is."""
    sign_in_as("home")
    path = make(tmp_path)
    grow(path)
    qwen_portal.close()
    emulator.clear_log()
    with pytest.raises(QwenStoreError, match="over 64 MiB") as caught:
        qwen_portal.get_access_token("home", force_refresh=True)
    assert str(path) in caught.value.message
    assert emulator.log() == []
    assert path.stat().st_size == LIMIT + 1
    assert list(tmp_path.rglob("*.corrupt")) == []


def test_files_of_others_that_are_too_large_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On import, in ``file:PATH`` and in the qwen CLI's place."""
    monkeypatch.setenv("QWEN_HOME", str(tmp_path))
    path = tmp_path / "oauth_creds.json"
    write_private(path, json.dumps({"access_token": "a", "refresh_token": "b"}))
    grow(path)
    monkeypatch.setenv("QWEN_PORTAL_STORE", "qwen-cli")
    calls: list[Callable[[], object]] = [
        lambda: read_sign_ins(path),
        lambda: OneFileStore(path).probe("home"),
        qwen_portal.accounts,
    ]
    for call in calls:
        with pytest.raises(QwenStoreError, match="over 64 MiB"):
            call()
    assert path.stat().st_size == LIMIT + 1
