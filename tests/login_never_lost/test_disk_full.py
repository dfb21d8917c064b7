"""Danger: the disk has room for one file more, and the refresh needs it twice."""

from pathlib import Path

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenStoreError
from qwen_portal.storage import private_files, refresh_journal
from qwen_portal.storage.stores import file as file_store
from tests.login_never_lost.accounts import account, end_token, refreshes


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


@pytest.mark.parametrize("room", [0, 1, 2])
def test_the_token_is_spent_only_with_room_for_its_answer(
    signed_in: Emulator, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """The note takes one file's room and the answer another's; with less nothing is spent and the sign-in lives."""
    end_token()
    disk = Disk(room)
    with monkeypatch.context() as patch:
        for module in (refresh_journal, file_store):
            patch.setattr(module, "write_private", disk.write)
            patch.setattr(module, "remove", disk.remove)
        if room < 2:
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
