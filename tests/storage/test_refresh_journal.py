"""What the journal tells of a refresh that did not end well, whatever stands in its file."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.private_files import write_private
from qwen_portal.storage.refresh_journal import Journal, Note
from tests.canaries import ACCESS, REFRESH


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Return an account's journal with nothing in it."""
    return Journal(tmp_path / "journal" / "account")


def begun(generation: int = 7) -> Credential:
    """Make the credential whose refresh token is about to be spent."""
    return Credential("oauth", "oauth", Secret(ACCESS), Secret(REFRESH), expires_at=4e9, generation=generation)


def written(tmp_path: Path, text: str) -> None:
    """Put something in the note's place."""
    write_private(tmp_path / "journal" / "account.json", text)


@pytest.mark.parametrize("at", [1e18, -1e18, float("inf"), float("nan"), 10**400])
def test_a_time_that_no_calendar_has_is_told_as_unknown(at: float, journal: Journal, tmp_path: Path) -> None:
    """The story of a lost sign-in is told all the same."""
    written(tmp_path, json.dumps(asdict(Note(7, "f", at, 1))))
    note = journal.read()
    assert note is not None
    assert note.loss_reason() == "the program (pid 1) was ended in the middle of the refresh at an unknown time"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "null", "{}", '{"generation":1}', "[" * 100_000),
        '{"generation":"x","fingerprint":1,"at":"x","pid":null}',
    ],
)
def test_what_is_no_note_tells_nothing(text: str, journal: Journal, tmp_path: Path) -> None:
    """Garbage in the note's place neither ends a refresh nor invents a story."""
    written(tmp_path, text)
    assert journal.read() is None
