"""The qwen CLI's lock: one holder at a time, nobody steals a living one, nobody removes another's."""

import os
import threading
import time
from pathlib import Path

import pytest

from qwen_portal.errors import QwenStoreError, QwenStoreLockedError
from qwen_portal.storage.stores.qwen_cli_lock import LONGEST_PAUSE, STALE_SECONDS, TRIES, QwenCliLock
from tests.login_never_lost.programs import programs

OTHER = "somebody-else"
WORKER = """
import os, sys
from pathlib import Path
from qwen_portal.errors import QwenStoreLockedError
from qwen_portal.storage.stores.qwen_cli_lock import QwenCliLock

folder = Path(sys.argv[1])
counter, inside = folder / "counter", folder / "inside"

def count():
    with QwenCliLock(folder / "creds.lock", sleep=lambda seconds: __import__("time").sleep(seconds / 20)):
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
        counter.write_text(str(int(counter.read_text()) + 1))
        inside.unlink()

print("ready", flush=True)
sys.stdin.readline()
turns = 0
while turns < 10:
    try:
        count()
        turns += 1
    except QwenStoreLockedError:  # a slow machine: its patience, too, is a twentieth here
        pass
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the lock is to be."""
    return tmp_path / "creds.lock"


def held(path: Path, *, age: float = 0.0) -> None:
    """Let somebody else hold the lock, last touched that many seconds ago."""
    path.write_text(OTHER)
    then = time.time() - age
    os.utime(path, (then, then))


def left_over(path: Path) -> list[str]:
    """Return the names of what is in the lock's folder."""
    return sorted(each.name for each in path.parent.iterdir())


def test_the_lock_is_a_private_file_with_a_mark_and_goes_at_the_end(path: Path) -> None:
    """What the CLI looks for is there as long as the block runs, and no longer."""
    with QwenCliLock(path) as lock:
        assert lock.is_ours()
        assert len(path.read_text()) == 36
        assert path.stat().st_mode & 0o777 == 0o600
    assert left_over(path) == []


def test_the_waits_are_those_of_the_cli(path: Path) -> None:
    """20 tries, 100 ms and half as much again each time, 2 s at most; then the error names the file."""
    held(path)
    pauses: list[float] = []
    with pytest.raises(QwenStoreLockedError, match=r"creds\.lock") as caught, QwenCliLock(path, sleep=pauses.append):
        pass
    assert len(pauses) == TRIES - 1
    assert pauses[:3] == pytest.approx([0.1, 0.15, 0.225])
    assert max(pauses) == 2.0
    assert "remove that file" in caught.value.hint
    assert path.read_text() == OTHER


def test_a_lock_that_is_given_up_is_taken_at_the_next_try(path: Path) -> None:
    """A CLI that ends its refresh makes room."""
    held(path)
    with QwenCliLock(path, sleep=lambda seconds: path.unlink()) as lock:
        assert lock.is_ours()


def test_a_stale_lock_is_broken_at_once(path: Path) -> None:
    """A CLI that was killed in its refresh holds nobody up for longer than 10 s."""
    held(path, age=STALE_SECONDS + 1)
    pauses: list[float] = []
    with QwenCliLock(path, sleep=pauses.append) as lock:
        assert lock.is_ours()
    assert pauses == []
    assert left_over(path) == []


def test_a_lock_that_is_not_yet_stale_is_left_alone(path: Path) -> None:
    """Its holder may be at work."""
    held(path, age=STALE_SECONDS - 2)
    with pytest.raises(QwenStoreLockedError), QwenCliLock(path, sleep=lambda seconds: None):
        pass
    assert path.read_text() == OTHER


def test_a_lock_dated_in_the_future_is_stale_when_it_did_not_change_for_ten_seconds(path: Path) -> None:
    """Its holder died, and the clock was set back since: it would hold everybody up until that moment comes."""
    held(path, age=-86400)
    pauses: list[float] = []
    with QwenCliLock(path, sleep=pauses.append) as lock:
        assert lock.is_ours()
    assert STALE_SECONDS < sum(pauses) <= STALE_SECONDS + LONGEST_PAUSE
    assert left_over(path) == []


def test_a_lock_dated_in_the_future_that_changes_is_held(path: Path) -> None:
    """The file server's clock is ahead, and the holder renews its lock."""
    ages = iter(range(TRIES))
    held(path, age=-86400)
    with (
        pytest.raises(QwenStoreLockedError),
        QwenCliLock(path, sleep=lambda seconds: held(path, age=-86400 - next(ages))),
    ):
        pass
    assert path.read_text() == OTHER


def test_a_fresh_lock_renamed_by_mistake_goes_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the renaming the stale lock was replaced by a living one."""
    held(path, age=STALE_SECONDS + 1)
    rename = Path.rename

    def replaced_meanwhile(this: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        held(path)
        return rename(this, target)

    monkeypatch.setattr(Path, "rename", replaced_meanwhile)
    with pytest.raises(QwenStoreLockedError), QwenCliLock(path, sleep=lambda seconds: None):
        pass
    assert path.read_text() == OTHER
    assert left_over(path) == ["creds.lock"]


def test_only_our_own_lock_is_removed(path: Path) -> None:
    """A CLI that ended removed ours, and another one has its own by now."""
    with QwenCliLock(path) as lock:
        path.unlink()
        held(path)
        assert not lock.is_ours()
    assert path.read_text() == OTHER


def test_the_lock_stays_fresh_while_it_is_held(path: Path) -> None:
    """A refresh that takes longer than 10 s keeps its lock."""
    with QwenCliLock(path, beat=0.001):
        old = time.time() - 60
        os.utime(path, (old, old))
        while path.stat().st_mtime < old + 1:
            threading.Event().wait(0.001)
        assert path.stat().st_mtime > time.time() - STALE_SECONDS


def test_the_heart_does_not_beat_for_another(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of somebody who died becomes stale, although ours is still in its block."""
    lock = QwenCliLock(path, beat=0.001)
    beats, is_ours = threading.Semaphore(0), lock.is_ours

    def counted() -> bool:
        beats.release()
        return is_ours()

    monkeypatch.setattr(lock, "is_ours", counted)
    with lock:
        path.unlink()
        held(path, age=60)
        before = path.stat().st_mtime
        for _ in range(50):
            beats.acquire()
        assert path.stat().st_mtime == before


def test_a_missing_folder_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Waiting would not make it appear."""
    with pytest.raises(QwenStoreError, match="No such file"), QwenCliLock(tmp_path / "nowhere" / "creds.lock"):
        pass


def test_four_processes_are_never_inside_together(path: Path) -> None:
    """40 turns of a counter that is read and written without any other protection."""
    (path.parent / "counter").write_text("0")
    with programs(WORKER, [[str(path.parent)]] * 4) as workers:
        assert {worker.hear() for worker in workers} == {"ready"}
        for worker in workers:
            worker.say("go")
        assert [worker.end() for worker in workers] == [(0, "", "")] * 4
    assert (path.parent / "counter").read_text() == "40"
    assert left_over(path) == ["counter"]
