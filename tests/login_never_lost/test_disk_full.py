"""Danger: the disk has room for one file more, and the refresh needs it twice; or it fills while one is under way."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError
from qwen_portal.session import Session
from qwen_portal.storage import private_files, refresh_journal
from qwen_portal.storage.refresh_journal import Journal
from qwen_portal.storage.stores import file as file_store
from tests.login_never_lost.accounts import LABEL, account, end_token, next_process, refreshes, stored


class Disk:
    """Counts the files that there is room for; a file is replaced by a second one beside it.

    Attributes:
        room: How many more files there is room for.
    """

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, path: Path, text: str, *, modified: int | None = None) -> None:
        """Write a file if there is room."""
        if not self.room:
            msg = f"Could not write {path}: No space left on device."
            raise QwenStoreError(msg)
        self.room -= not path.exists()
        private_files.write_private(path, text, modified=modified)

    def remove(self, path: Path) -> bool:
        """Remove a file, which makes room."""
        was_there = private_files.remove(path)
        self.room += was_there
        return was_there


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_the_token_is_spent_only_with_room_for_its_answer(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """The note takes one file's room, the answer another's, and what is set aside for it a third's.

    With less nothing is spent and the sign-in lives.
    """
    end_token()
    disk = Disk(room)
    with monkeypatch.context() as patch:
        for module in (refresh_journal, file_store):
            patch.setattr(module, "write_private", disk.write)
            patch.setattr(module, "remove", disk.remove)
        if room < 3:
            with pytest.raises(QwenStoreError, match="No space left"):
                qwen_portal.get_access_token()
            assert refreshes(signed_in) == 0
        else:
            assert qwen_portal.get_access_token()
        assert disk.room == room
    qwen_portal.close()
    assert qwen_portal.get_access_token()
    assert refreshes(signed_in) == 1
    assert not account().needs_login


def test_an_answer_is_given_although_the_index_cannot_be_written(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a token worked could not be noted: no reason to throw the answer away."""
    assert signed_in.url

    def full(path: Path, text: str) -> None:
        msg = f"Could not write {path}: No space left on device."
        raise QwenStoreError(msg)

    monkeypatch.setattr("qwen_portal.storage.index.write_private", full)
    assert qwen_portal.PortalClient().chat([{"role": "user", "content": "Hello"}])["choices"]


class Filling:
    """A disk on which somebody else takes all room as soon as a refresh is sent: no file can be made any more.

    What has its room already can be written in place, and files can be moved and removed, as on a real one.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full, self.fills = False, True
        make, spend = tempfile.mkstemp, qwen_portal.oauth.refresh

        def mkstemp(*args: Any, **options: Any) -> tuple[int, str]:
            if self.is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return make(*args, **options)

        def refresh(*args: Any, **options: Any) -> Any:
            answer = spend(*args, **options)
            self.is_full = self.fills
            return answer

        patch.setattr(tempfile, "mkstemp", mkstemp)
        patch.setattr(qwen_portal.oauth, "refresh", refresh)


@pytest.fixture
def filling(signed_in: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filling]:
    """Let the disk fill in the middle of the next refresh."""
    end_token()
    with monkeypatch.context() as patch:
        yield Filling(patch)


def _journal() -> Journal:
    journal = Session().accounts.journal(LABEL)
    assert journal is not None
    return journal


def test_a_disk_that_fills_during_a_refresh_costs_no_sign_in(signed_in: Emulator, filling: Filling) -> None:
    """The new pair goes where room was set aside for it; the next process has it, on the full disk and afterwards."""
    with pytest.raises(QwenStoreError, match="could not be stored") as caught:
        qwen_portal.get_access_token()
    assert f"It is kept in {_journal().rescue_path}" in caught.value.hint
    assert _journal().rescue_path.stat().st_mode & 0o777 == 0o600
    rescued = _journal().rescued()
    assert rescued is not None
    assert qwen_portal.get_access_token() == rescued.access_token.reveal()
    filling.is_full = filling.fills = False
    assert next_process()
    assert refreshes(signed_in) == 2
    assert list(_journal().rescue_path.parent.iterdir()) == []
    assert not account().needs_login


def test_what_is_set_aside_is_no_sign_in(signed_in: Emulator) -> None:
    """A process that is killed before the answer came, or in the middle of its writing, leaves none behind."""
    assert signed_in.url
    before, journal = stored(), _journal()
    journal.begin(before)
    (reserved,) = journal.rescue_path.parent.glob("*.reserved")
    assert reserved.stat().st_blocks * 512 >= 16_384
    assert reserved.stat().st_mode & 0o777 == 0o600
    for written in ("", '{"v":1,"access_token":"half'):
        with reserved.open("r+") as file:
            file.write(written)
        assert journal.rescued() is None
        assert "waits in" not in str(journal.pending(before.generation))
    assert next_process()
    assert list(journal.rescue_path.parent.iterdir()) == []
    assert not account().needs_login


def test_a_pair_is_kept_although_what_was_set_aside_is_gone(signed_in: Emulator) -> None:
    """Somebody tidied up."""
    assert signed_in.url
    journal = _journal()
    journal.begin(stored())
    for reserved in journal.rescue_path.parent.glob("*.reserved"):
        reserved.unlink()
    journal.rescue(stored())
    rescued = journal.rescued()
    assert rescued is not None
    assert rescued.access_token == stored().access_token
