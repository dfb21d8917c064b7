"""The qwen CLI's own lock: a file beside its sign-in that only one program can create.

The rules are the CLI's (docs/protocol.md, "Sign-in files of other programs"): created exclusively with a random UUID
inside, 20 tries, stale after 10 s. What it adds is needed because the rules are weak: the time is renewed while the
lock is held, a stale one is judged again after it was renamed, one dated in the future is stale when it did not change
for 10 s, and only our own lock is removed.

It is a courtesy, no guarantee: every CLI that ends removes the lock, whosever it is. Whoever holds it must still expect
that another program refreshes.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Self

from qwen_portal.errors import QwenStoreError, QwenStoreLockedError
from qwen_portal.storage.private_files import make_private

TRIES = 20
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
STALE_SECONDS = 10.0
# Five beats before the lock counts as stale.
BEAT_SECONDS = 2.0


class QwenCliLock:
    """Holds the lock in a ``with`` block; not reentrant.

    Args:
        path: The lock file; its folder must exist.
        sleep: Waits that many seconds between two tries.
        clock: Seconds since the epoch, as the file system counts them.
        beat: Seconds between two renewals.
    """

    def __init__(
        self,
        path: Path,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        beat: float = BEAT_SECONDS,
    ) -> None:
        self._path = path
        self._sleep = sleep
        self._clock = clock
        self._beat = beat
        self._mark = str(uuid.uuid4())
        self._waited = 0.0
        self._ahead: tuple[int, float] | None = None
        self._released = threading.Event()
        self._heart = threading.Thread(target=self._keep_fresh, name="qwen-cli-lock", daemon=True)

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            QwenStoreLockedError: Others held it for all of 20 tries, about 29 s.
            QwenStoreError: The file system refused.
        """
        pause = FIRST_PAUSE
        for attempt in range(TRIES):
            if self._create():
                self._heart.start()
                return self
            # one that was stale is gone now: try again at once
            if attempt < TRIES - 1 and not self._break_if_stale():
                self._sleep(pause)
                self._waited += pause
                pause = min(pause * 1.5, LONGEST_PAUSE)
        msg = f"The qwen CLI, or another program that shares its sign-in, holds the lock {self._path}."
        raise QwenStoreLockedError(msg, hint="Try again in a minute; if no qwen runs, remove that file.")

    def __exit__(self, *_: object) -> None:
        """Remove the lock, if it is still ours."""
        self._released.set()
        self._heart.join()
        if self.is_ours():
            _unlink(self._path)

    def is_ours(self) -> bool:
        """Tell whether the lock file still holds our mark."""
        return _content(self._path) == self._mark

    def _create(self) -> bool:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        except OSError as exc:
            raise QwenStoreError(f"Could not create the lock {self._path}: {exc.strerror or exc}.") from None
        with os.fdopen(handle, "w") as file:
            make_private(handle)
            file.write(self._mark)
        return True

    def _break_if_stale(self) -> bool:
        """Remove a lock that its holder left behind; tell whether there was one.

        Between the look and the renaming another program may have removed it and made its own, which goes back.
        """
        if not self._is_stale(self._path):
            return False
        aside = self._path.with_name(f"{self._path.name}.stale.{uuid.uuid4()}")
        try:
            self._path.rename(aside)
        except OSError:
            return False
        was_stale = self._is_stale(aside)
        if not was_stale:
            with contextlib.suppress(OSError):
                os.link(aside, self._path)  # fails where there is a third one by now
        _unlink(aside)
        return was_stale

    def _is_stale(self, path: Path) -> bool:
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return False
        age = self._clock() - changed / 1e9
        return (age if age >= 0 else self._seen_for(changed)) > STALE_SECONDS

    def _seen_for(self, changed: int) -> float:
        """Return the seconds of our waiting in which a lock dated ahead did not change, as a living one of ours does.

        Its date says nothing: the clock was set back after somebody died holding it, or the file server's is ahead.
        """
        if self._ahead is None or self._ahead[0] != changed:
            self._ahead = changed, self._waited
        return self._waited - self._ahead[1]

    def _keep_fresh(self) -> None:
        while not self._released.wait(self._beat):
            if self.is_ours():
                with contextlib.suppress(OSError):
                    os.utime(self._path)


def _content(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return None


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
