"""Danger: somebody removes a lock's file while it is held, as a clean-up of "stale" files does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import qwen_portal
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenRefreshTokenInvalidError
from qwen_portal.session import Session
from qwen_portal.storage import refresh_journal
from qwen_portal.storage.locks import REFRESH_LOCK_SECONDS
from qwen_portal.storage.refresh_journal import Note
from tests.login_never_lost.accounts import (
    LABEL,
    PATIENCE,
    answers_held,
    await_refreshes,
    end_token,
    refreshes,
    sign_in_as,
    stored,
)
from tests.login_never_lost.programs import Program

ASK = """
import qwen_portal
print("began", flush=True)
print(qwen_portal.get_access_token(), flush=True)
"""


@pytest.fixture(params=["file", "file:PATH", "qwen-cli"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> str:
    """Sign in, in each place that has locks of its own; the token's time is over."""
    name = str(request.param)
    monkeypatch.setenv("QWEN_HOME", str(tmp_path / "qwen"))
    monkeypatch.setenv("QWEN_PORTAL_STORE", name.replace("PATH", str(tmp_path / "one" / "token.json")))
    sign_in_as(LABEL)
    end_token()
    emulator.clear_log()
    return name


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Tell when this process waits for another one's refresh."""
    event, wait = threading.Event(), Note.is_running

    def tell(note: Note) -> bool:
        is_running = wait(note)
        if is_running:
            event.set()
        return is_running

    monkeypatch.setattr(Note, "is_running", tell)
    return event


def remove_locks(tmp_path: Path) -> int:
    """Remove every lock file there is; tell how many."""
    found = list(tmp_path.rglob("*.lock"))
    for path in found:
        path.unlink()
    return len(found)


def test_two_programs_make_one_refresh_although_the_lock_is_gone(
    store: str, tmp_path: Path, emulator: Emulator, waits: threading.Event
) -> None:
    """The second sees that the first is at work, waits for it, and takes what it stored."""
    with answers_held(emulator), Program(ASK) as first, ThreadPoolExecutor(1) as pool:
        assert first.hear() == "began"
        await_refreshes(emulator, 1)
        assert remove_locks(tmp_path) > 1
        second = pool.submit(qwen_portal.get_access_token)
        assert waits.wait(PATIENCE)
        emulator.scenario("held", on=False)
        assert second.result(PATIENCE) == first.hear() == stored().access_token.reveal()
    assert refreshes(emulator) == 1


def test_a_program_that_ends_while_it_is_waited_for_is_told_as_ended(
    tmp_path: Path, emulator: Emulator, waits: threading.Event
) -> None:
    """What is said of a dead one stays true: its token is spent, and nobody has the new one."""
    sign_in_as(LABEL)
    end_token()
    emulator.clear_log()
    with answers_held(emulator), Program(ASK) as first, ThreadPoolExecutor(1) as pool:
        assert first.hear() == "began"
        await_refreshes(emulator, 1)
        remove_locks(tmp_path)
        second = pool.submit(qwen_portal.get_access_token)
        assert waits.wait(PATIENCE)
        first.process.kill()
        first.process.wait(PATIENCE)
        await_refreshes(emulator, 2)
        emulator.scenario("held", on=False)
        with pytest.raises(QwenRefreshTokenInvalidError, match=f"pid {first.process.pid}. was ended in the middle"):
            second.result(PATIENCE)


@pytest.fixture
def note(emulator: Emulator) -> Note:
    """Begin a refresh in this process, and return its note as another process finds it."""
    sign_in_as(LABEL)
    journal = Session().accounts.journal(LABEL)
    assert journal is not None
    journal.begin(stored())
    found = journal.read()
    assert found is not None
    return found


def test_only_a_living_process_that_is_the_same_is_waited_for(note: Note, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not this one, not one that has its number by chance, not for ever, and not on the word of an older release."""
    assert not note.is_running()
    monkeypatch.setattr("os.getpid", lambda: note.pid + 1)
    assert note.is_running()
    monkeypatch.setattr(refresh_journal, "_started", lambda pid: f"{note.started}0")
    assert not note.is_running()
    monkeypatch.setattr(refresh_journal, "_started", lambda pid: "")
    assert not Note(note.generation, note.fingerprint, note.at, note.pid).is_running()


@pytest.mark.parametrize("seconds", [REFRESH_LOCK_SECONDS + 1, -REFRESH_LOCK_SECONDS - 1])
def test_nobody_is_waited_for_longer_than_a_refresh_can_take(
    seconds: float, note: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way the clock was set."""
    monkeypatch.setattr("os.getpid", lambda: note.pid + 1)
    monkeypatch.setattr("time.time", lambda: note.at + seconds)
    assert not note.is_running()


def test_who_is_still_at_work_is_not_called_ended(note: Note, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its token was refused all the same, by a clock that jumped for one."""
    assert "was ended in the middle" in note.loss_reason()
    monkeypatch.setattr("os.getpid", lambda: note.pid + 1)
    assert note.loss_reason().startswith(f"another program (pid {note.pid}) began the refresh at ")


@pytest.mark.parametrize("at", [10**400, float("nan"), float("inf"), -1])
def test_a_time_that_cannot_be_is_long_ago(at: float) -> None:
    """Whatever a damaged note says."""
    assert not Note(1, "f", at, 1, started="1").is_running()


@pytest.mark.parametrize("pid", ["self", -1, 0, None, 2**70, 1.5])
def test_a_number_that_is_no_process_is_nobody(pid: Any) -> None:
    """A damaged note neither hangs nor fails."""
    assert not Note(1, "f", time.time(), pid, started="1").is_running()
