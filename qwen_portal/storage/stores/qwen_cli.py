"""The qwen CLI's own sign-in file, shared with it: the one place where this sign-in is, for both.

The file belongs to the CLI: it changes it without our knowledge, and it deletes it when it loses a race for the
refresh token, which ends the sign-in for everybody. So the file's time is the credential's generation, and what was
seen last is remembered beside the account index: a file that vanishes within a minute of its making goes back.
Sources: docs/protocol.md, "Sign-in files of other programs".
"""

import hashlib
import json
import logging
import os
import stat
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.service.plans import OAUTH
from qwen_portal.storage.credential import Credential, expiry
from qwen_portal.storage.foreign_paths import qwen_cli_file
from qwen_portal.storage.index import Index
from qwen_portal.storage.private_files import (
    make_private_folder,
    read_owned,
    read_private,
    remove,
    unfinished,
    write_private,
)
from qwen_portal.storage.stores.file import FileStore, remove_all
from qwen_portal.storage.stores.qwen_cli_lock import QwenCliLock
from qwen_portal.untrusted_json import json_object, token

_log = logging.getLogger("qwen_portal")
# A CLI that lost a race has its 400 within seconds of the winner's answer; whoever deletes the file later signs out.
_LOST_RACE_SECONDS = 60.0
# In the names of files that are about to be put back.
_BACK = "qwen-portal-back"


def own_folder(home: Path) -> Path:
    """Return where the account index for the CLI's file is; another QWEN_HOME has another one."""
    return home / "qwen-cli" / hashlib.sha256(str(qwen_cli_file()).encode()).hexdigest()[:16]


def forget_last_seen(home: Path) -> None:
    """Forget what was seen last in the CLI's file, so that taking it away is not undone.

    Raises:
        QwenStoreError: The file system refused.
    """
    remove(_last_seen(home))


def _last_seen(home: Path) -> Path:
    return own_folder(home) / "last-seen.json"


def qwen_cli_lock(file: Path) -> QwenCliLock:
    """Return the lock that programs hold while they refresh such a file: it is beside it, with suffix ``.lock``."""
    return QwenCliLock(file.with_suffix(".lock"))


class QwenCliStore(FileStore):
    """One account, in the file of the qwen CLI.

    Args:
        home: QWEN_PORTAL_HOME.
        index: The account index, which knows the account's label.
    """

    name = "qwen-cli"
    is_shared = True

    def __init__(self, home: Path, index: Index) -> None:
        super().__init__(home)
        self._file, self._index = qwen_cli_file(), index
        self._folder = self._file.parent
        self._memory = _last_seen(home)
        self._seen = 0

    def path(self, label: str) -> Path:
        """Return the CLI's file.

        Raises:
            QwenStoreError: It keeps another account already.
        """
        owner = next(iter(self._index.read().accounts), label)
        if owner != label:
            msg = f"{self._file} keeps the account {owner!r}; it has room for one."
            raise QwenStoreError(msg, hint="QWEN_PORTAL_STORE=keyring and =file keep any number of accounts.")
        return self._file

    def exclusive(self) -> AbstractContextManager[object]:
        """Return the CLI's own lock.

        Raises:
            QwenStoreError: The CLI's folder cannot be made.
        """
        make_private_folder(self._folder)
        return qwen_cli_lock(self._file)

    def generation(self) -> int | None:
        """Return the generation of what the file holds, at the price of a stat; ``None`` if there is no file.

        A file that was deleted within a minute of its making is put back first.
        """
        found = self._stat() or (self._stat() if self._put_back() else None)
        return None if found is None else _milliseconds(found)

    def load(self, label: str) -> Credential | None:  # noqa: ARG002 - the file has one account
        """Return the sign-in, the CLI's or ours, or ``None``; what is not understood stays as it is.

        Raises:
            QwenStoreError: The file cannot be read, or holds no sign-in.
        """
        generation = self.generation()
        text = None if generation is None else read_owned(self._file)
        if generation is None or text is None:
            return None
        credential = _credential(Secret(text), generation)
        if credential is None:
            msg = f"{self._file} holds no sign-in."
            raise QwenStoreError(msg, hint="Run `qwen-portal login`, or sign in with the qwen CLI.")
        if generation != self._seen:
            self._remember(credential)
        return credential

    def save(self, label: str, credential: Credential) -> None:
        """Replace the file in one step, private and with the CLI's own fields, and read it back.

        Raises:
            QwenStoreError: The file system refused, or it is an API key, which the CLI's file cannot hold.
        """
        if credential.kind != "oauth":
            msg = "The qwen CLI's file keeps a sign-in, no API key."
            raise QwenStoreError(msg, hint="Set QWEN_PORTAL_STORE=keyring or =file for API keys.")
        # first, so that from the moment the CLI can delete it, it can be put back
        self._remember(credential)
        write_private(self.path(label), self._record(label, credential), modified=credential.generation)
        kept = self.load(label)
        if kept is None or (kept.generation <= credential.generation and kept.access_token != credential.access_token):
            msg = f"The sign-in did not read back from {self._file} as it was written."
            raise QwenStoreError(msg)
        self._tidy(label)

    def delete(self, label: str) -> bool:
        """Remove the file, which signs the CLI out too; tell whether there was one."""
        remove(self._memory)
        self._tidy(label, age=0.0)
        return remove(self.path(label))

    def _tidy(self, label: str, *, age: float = _LOST_RACE_SECONDS) -> None:
        """Remove what a process of ours that was killed in the middle of a write left; the CLI's files stay.

        What is written without a lock may be under way; it is not touched unless it is older than that many seconds.
        """
        super()._tidy(label)
        back = f".{self._file.name}.{_BACK}"
        unlocked = [path for mark in (back, f".{back}") for path in self._folder.glob(f"{mark}.*")]
        remove_all([path for path in [*unlocked, *unfinished(self._memory)] if _is_older(path, age)])

    def _record(self, label: str, credential: Credential) -> str:  # noqa: ARG002 - as above
        others = json_object(read_owned(self._file) or "") or {}
        refresh_token = credential.refresh_token
        known = {
            "access_token": credential.access_token.reveal(),
            "refresh_token": refresh_token.reveal() if refresh_token is not None else None,
            "token_type": "Bearer",
            "resource_url": credential.resource_url,
            "expiry_date": round((credential.expires_at or 0.0) * 1000),
        }
        return json.dumps(others | {name: value for name, value in known.items() if value is not None}, indent=2)

    def _stat(self) -> os.stat_result | None:
        try:
            return self._file.lstat()
        except OSError:
            # what is wrong with it is told by the reading
            return None

    def _remember(self, credential: Credential) -> None:
        self._seen = credential.generation
        if not _is_recent(credential):
            return
        # what cannot be remembered is no reason not to use or keep it
        with suppress(QwenStoreError):
            known = self._recalled()
            # a process that read the file before another one's refresh must not put the old pair back after it
            if known is None or known.generation <= credential.generation:
                write_private(self._memory, credential.to_json())

    def _recalled(self) -> Credential | None:
        text = read_private(self._memory)
        try:
            return None if text is None else Credential.from_json(Secret(text))
        except ValueError:
            return None

    def _put_back(self) -> bool:
        """Put what was seen last back in its place; tell whether a file is there again.

        Without the lock, because nothing is replaced: a file that came meanwhile is newer and stays.
        """
        credential = self._recalled()
        if credential is None or not _is_recent(credential):
            # a sign-out; no copy of it stays
            remove(self._memory)
            return False
        beside = self._file.with_name(f".{self._file.name}.{_BACK}.{os.getpid()}.{time.monotonic_ns()}")
        write_private(beside, self._record("", credential), modified=credential.generation)
        try:
            os.link(beside, self._file)
        except FileExistsError:
            return True
        except OSError:
            return False
        finally:
            remove(beside)
        _log.warning("%s was deleted right after a refresh, as the qwen CLI does; it is back", self._file)
        return True


def _is_recent(credential: Credential) -> bool:
    return time.time() - credential.generation / 1000 <= _LOST_RACE_SECONDS


def _is_older(path: Path, age: float) -> bool:
    try:
        # not the time of the content, which is the credential's
        return time.time() - path.lstat().st_ctime >= age
    except OSError:
        return False


def _milliseconds(found: os.stat_result) -> int:
    return found.st_mtime_ns // 1_000_000 if stat.S_ISREG(found.st_mode) else 0


def _credential(text: Secret, generation: int) -> Credential | None:
    """Read the CLI's fields by the CLI's rules; ``None`` if they do not hold, or no request could be made with them."""
    record = json_object(text.reveal()) or {}
    tokens = [token(record.get(name)) for name in ("access_token", "refresh_token", "token_type")]
    expires_at, resource_url = record.get("expiry_date"), record.get("resource_url")
    if not all(tokens) or isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return None
    return Credential(
        kind="oauth",
        plan=OAUTH,
        access_token=Secret(record["access_token"]),
        refresh_token=Secret(record["refresh_token"]),
        issued_at=generation / 1000,
        expires_at=expiry(max(expires_at / 1000, 0.0), generation / 1000),
        resource_url=resource_url if isinstance(resource_url, str) and resource_url else None,
        generation=generation,
    )
