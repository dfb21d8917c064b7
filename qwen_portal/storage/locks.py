"""File locks that exclude other threads and processes of this user, with an error that says who may hold one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from qwen_portal.errors import QwenStoreLockedError
from qwen_portal.storage.private_files import failed, make_private_folder

# Above the longest refresh: 3 connections of 10 s that fail, 8 s for the answer, 29 s for the qwen CLI's lock, and a
# keyring that takes seconds for each of a dozen calls. Who gives up earlier would call a program hung that is at work.
REFRESH_LOCK_SECONDS = 180.0
# To end a program between the spending of a token and its storing loses the sign-in.
_LET_IT_FINISH = (
    "It may be in the middle of a refresh: let it finish, and try again in a minute. A program that was stopped "
    "(Ctrl-Z) goes on with `fg`."
)


@contextlib.contextmanager
def file_lock(path: Path, seconds: float = REFRESH_LOCK_SECONDS) -> Iterator[None]:
    """Hold a lock that excludes other threads and processes of this user.

    Args:
        path: The lock's file.
        seconds: How long to wait for it; longer than a refresh, if not given.

    Raises:
        QwenStoreLockedError: Somebody else held it all the time.
        QwenStoreError: The file system refused.
    """
    import filelock

    make_private_folder(path.parent)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(filelock.FileLock(path, timeout=seconds, mode=0o600))
        except filelock.Timeout:
            msg = f"Another program that uses qwen-portal has held the lock {path} for {seconds:g} s."
            raise QwenStoreLockedError(msg, hint=_LET_IT_FINISH) from None
        except OSError as exc:
            raise failed("lock", path, exc) from None
        yield


def check_lock(path: Path) -> None:
    """Find out whether a lock could be taken; who holds it is not waited for.

    Raises:
        QwenStoreError: Something else is in its place, or the file system refused.
    """
    with contextlib.suppress(QwenStoreLockedError), file_lock(path, 0):
        pass
