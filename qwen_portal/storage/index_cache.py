"""A cache of the account index, so that every request can look at it at hardly any cost.

What other processes did shows in the time stamps of a few files. They are looked at once in 100 ms, and read again only
after a change; what this process did itself shows at once. Nothing that spends a token goes by it: the refresh
reads index and store under the account's lock.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from qwen_portal.storage.index import Index, IndexData

_SECONDS = 0.1


class IndexCache:
    """Remembers what the index said.

    Args:
        index: Counts this process's own changes.
        read: Returns the index's content, at the price of reading it.
        signals: Files whose time stamps tell that another process changed something.
    """

    def __init__(self, index: Index, read: Callable[[], IndexData], *signals: Path) -> None:
        self._index = index
        self._read = read
        self._signals = signals
        self._seen: _Seen | None = None

    def __call__(self) -> IndexData:
        """Return the content as of at most 100 ms ago; it is shared, so it must not be changed.

        Raises:
            QwenStoreError: The index cannot be read.
        """
        # one tuple, read once and replaced as a whole: threads need no lock
        seen, edits, now = self._seen, self._index.edits, time.monotonic()
        if seen is not None and seen.edits == edits and now - seen.at < _SECONDS:
            return seen.data
        # before the reading: a change in between is seen the next time
        stamps = tuple(_stamp(path) for path in self._signals)
        if seen is None or (seen.edits, seen.stamps) != (edits, stamps):
            seen = _Seen(now, edits, stamps, self._read())
        self._seen = seen._replace(at=now)
        return seen.data


class _Seen(NamedTuple):
    at: float
    edits: int
    stamps: tuple[tuple[int, int, int] | None, ...]
    data: IndexData


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        # follows no link: what reads the file refuses one
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - half the price of Path.stat, on every request
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
