"""The ledger of what was used: one row per request in an SQLite file, with no content and no secret.

Nothing is counted until a person switches it on. SQLite is imported where the file is opened, and nowhere else.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from qwen_portal.errors import QwenError, QwenStoreError
from qwen_portal.storage.private_files import (
    ensure_private_file,
    make_private_folder,
    remove,
    write_private,
)
from qwen_portal.storage.record_version import refuse_newer

if TYPE_CHECKING:
    import sqlite3

Grouping = Literal["account", "model", "day"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

_VERSION = 1
# Seconds that a batch waits for other programs; it is tried again then.
_PATIENCE = 1.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    time REAL NOT NULL,
    account TEXT,
    plan TEXT,
    model TEXT NOT NULL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    milliseconds REAL NOT NULL,
    first_milliseconds REAL,
    status INTEGER,
    outcome TEXT NOT NULL,
    on_quota TEXT
);
CREATE INDEX IF NOT EXISTS requests_time ON requests (time);
"""
_KEYS: dict[Grouping, str] = {
    "account": "account",
    "model": "model",
    "day": "strftime('%Y-%m-%d', time, 'unixepoch', 'localtime')",
}
# SQLite's primary codes SQLITE_BUSY and SQLITE_LOCKED.
_BUSY = {5, 6}


class UsageRow(NamedTuple):
    """One request.

    Attributes:
        time: When it was sent, in seconds since the epoch.
        account: Label; ``None`` for the qwen command.
        plan: The account's plan.
        model: The name that was sent.
        prompt_tokens: Tokens read; ``None`` if nobody said.
        completion_tokens: Tokens written, those of reasoning included.
        cached_tokens: Of those read, how many came from the service's cache.
        reasoning_tokens: Of those written, how many were reasoning.
        milliseconds: Until the end of the answer, repeats included.
        first_milliseconds: Until the first content of a stream.
        status: HTTP status of the last answer; ``None`` if there was none.
        outcome: ``ok``, ``closed`` (a stream that the caller left early), ``cancelled``, or the error's class.
        on_quota: ``degrade`` or ``cli`` if that strategy answered.
    """

    time: float
    account: str | None
    plan: str | None
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    milliseconds: float
    first_milliseconds: float | None
    status: int | None
    outcome: str
    on_quota: str | None


class Total(NamedTuple):
    """What a group of requests for one model adds up to.

    Attributes:
        group: A label, a model or a local date; ``None`` for the qwen command among the accounts.
        model: The name that was sent.
        requests: How many.
        failed: How many of them did not end well, those that were left early aside.
        prompt_tokens: Sum, as are the next three.
        completion_tokens: See :class:`UsageRow`.
        cached_tokens: See :class:`UsageRow`.
        reasoning_tokens: See :class:`UsageRow`.
    """

    group: str | None
    model: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int


_COLUMNS = ", ".join(UsageRow._fields)
_INSERT = f"INSERT INTO requests ({_COLUMNS}) VALUES ({', '.join('?' * len(UsageRow._fields))})"  # noqa: S608 - our own
_TOKENS = ", ".join(f"coalesce(sum({name}), 0)" for name in UsageRow._fields if name.endswith("_tokens"))


class UsageLedger(NamedTuple):
    """The ledger of a QWEN_PORTAL_HOME; a sink of :mod:`qwen_portal.storage.write_behind`.

    Attributes:
        home: That folder.
    """

    home: Path

    @property
    def path(self) -> Path:
        """The SQLite file; two more stand beside it while it is written."""
        return self.home / "usage" / "ledger.sqlite3"

    @property
    def most(self) -> int:
        """How many rows may wait to be written."""
        return 10_000

    @property
    def loss(self) -> str:
        """What a lost row means."""
        return "what was used is not counted"

    def is_on(self) -> bool:
        """Tell whether requests are counted; cheap enough for each of them."""
        return os.path.exists(os.path.join(self.home, "usage", "on"))  # noqa: PTH110, PTH118 - a tenth of Path's price

    def switch(self, *, on: bool) -> None:
        """Begin or end to count, in all processes; what was counted stays.

        Raises:
            QwenStoreError: The ledger cannot be written, or is none.
        """
        switch = self.path.with_name("on")
        if not on:
            remove(switch)
            return
        make_private_folder(self.home)
        make_private_folder(self.path.parent)
        with self._opened(seconds=5.0):
            pass
        write_private(switch, "")

    def write(self, batch: Sequence[UsageRow]) -> Sequence[UsageRow]:
        """Append rows; return them if other programs are writing.

        Raises:
            QwenStoreError: They are lost.
        """
        try:
            with self._opened(seconds=_PATIENCE) as ledger, ledger:
                ledger.execute("BEGIN IMMEDIATE")
                ledger.executemany(_INSERT, batch)
        except _BusyError:
            return batch
        return ()

    def rows(self, since: float, account: str | None = None) -> list[UsageRow]:
        """Return the requests from a moment on, oldest first.

        Args:
            since: Seconds since the epoch.
            account: Of this account alone.

        Raises:
            QwenStoreError: The ledger cannot be read.
        """
        wanted = f"SELECT {_COLUMNS} FROM requests WHERE time >= ? AND (? IS NULL OR account = ?) ORDER BY time"  # noqa: S608
        return [UsageRow(*row) for row in self._asked(wanted, (since, account, account))]

    def totals(self, since: float, by: Grouping) -> list[Total]:
        """Add up the requests from a moment on, for each group and model.

        Args:
            since: Seconds since the epoch.
            by: What makes a group.

        Raises:
            QwenStoreError: The ledger cannot be read.
        """
        wanted = (
            f"SELECT {_KEYS[by]} AS grouped, model, count(*), sum(outcome NOT IN ('ok', 'closed')), {_TOKENS} "  # noqa: S608
            "FROM requests WHERE time >= ? GROUP BY grouped, model ORDER BY grouped, model"
        )
        return [Total(*row) for row in self._asked(wanted, (since,))]

    def _asked(self, wanted: str, values: tuple[Any, ...]) -> list[Any]:
        if not self.path.exists():
            return []
        try:
            with self._opened(seconds=5.0) as ledger:
                return ledger.execute(wanted, values).fetchall()
        except _BusyError as exc:
            raise self._failed(exc) from None

    @contextlib.contextmanager
    def _opened(self, *, seconds: float) -> Iterator["sqlite3.Connection"]:
        """Open the file, which is made if there is none.

        Args:
            seconds: How long to wait for other programs.

        Raises:
            _BusyError: They did not let go of it.
            QwenStoreError: It cannot be used.
        """
        with _connections:
            # under the lock too: a child that is forked in the middle of an import waits for its end for ever
            import sqlite3

            ensure_private_file(self.path)
            try:
                with contextlib.closing(sqlite3.connect(self.path, timeout=seconds, isolation_level=None)) as ledger:
                    self._prepare(ledger)
                    yield ledger
            except sqlite3.Error as exc:
                if getattr(exc, "sqlite_errorcode", 0) & 0xFF in _BUSY:
                    raise _BusyError(str(exc)) from None
                raise self._failed(exc) from None

    def _prepare(self, ledger: "sqlite3.Connection") -> None:
        # it loses no row to a crash of the program, and a last few to one of the machine
        ledger.execute("PRAGMA synchronous = NORMAL")
        ((version,),) = ledger.execute("PRAGMA user_version")
        refuse_newer(self.path, version, known=_VERSION)
        if version < _VERSION:
            ledger.execute("PRAGMA journal_mode = WAL")
            ledger.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def _failed(self, exc: Exception) -> QwenStoreError:
        return QwenStoreError(
            f"The ledger {self.path} cannot be used: {exc}.",
            hint=f"Check the free space and the file's permissions, or move {self.path} away: another is begun then.",
        )


class _BusyError(Exception):
    """Another program is writing."""


def days_ago(days: float) -> float:
    """Return the moment so many days before now, in seconds since the epoch.

    Raises:
        QwenError: It is no number above 0.
    """
    try:
        number = float(days)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not number > 0:
        raise QwenError(f"days is {days!r:.60}.", hint="It takes a number above 0.")
    return time.time() - number * 86_400


# No connection is open while the process forks: SQLite's notes of the locks that the parent holds would mislead the
# child, whose writes could then be lost.
_connections = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_connections.acquire, after_in_parent=_connections.release, after_in_child=_connections.release
    )
