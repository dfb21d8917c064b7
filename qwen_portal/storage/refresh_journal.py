"""The journal of refreshes, which survives a crash in the middle of one: a note without secrets, a rescue for tokens.

Between the moment a refresh token is spent and the moment its answer is stored, the sign-in exists in this process
alone. The note says so beforehand, so that afterwards a crash can be told from a revocation. If the answer arrives
but the store fails, the rescue file takes it, in room on the disk that was set aside beforehand too.
"""

import json
import logging
import os
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from qwen_portal.errors import QwenStoreError
from qwen_portal.secrets import Secret
from qwen_portal.storage.credential import Credential
from qwen_portal.storage.locks import REFRESH_LOCK_SECONDS
from qwen_portal.storage.private_files import fill_private, read_private, remove, write_private

_log = logging.getLogger("qwen_portal")
# What is set aside for an answer, in bytes: four times the size of the pair that it replaces, and never less than this.
_LEAST_ROOM, _GROWTH = 16_384, 4


@dataclass(frozen=True, slots=True)
class Note:
    """A refresh that was begun.

    Attributes:
        generation: Of the credential whose refresh token was to be spent.
        fingerprint: Of that refresh token.
        at: Seconds since the epoch.
        pid: Process that began it.
        outcome: ``open`` while under way (or if the process died), ``no-answer`` if the token was sent and no new one
            came back, ``not-stored`` if the answer could not be stored.
        started: When that process began, as its system counts; empty where that cannot be known.
        unknown: Fields of another release, kept as they are.
    """

    generation: int
    fingerprint: str
    at: float
    pid: int
    outcome: Literal["open", "no-answer", "not-stored"] = "open"
    started: str = ""
    unknown: dict[str, Any] = field(default_factory=dict)

    def is_about(self, credential: Credential) -> bool:
        """Tell whether it was this credential's refresh token that was to be spent."""
        token = credential.refresh_token
        # The generation too: a server may leave a refresh token good, and then the next one looks the same.
        return token is not None and (credential.generation, token.fingerprint()) == (self.generation, self.fingerprint)

    def is_running(self) -> bool:
        """Tell whether another process, which is still there, is in the middle of it.

        Its lock does not tell: somebody may have removed the file. Its number alone does not either: the system gives
        it to another process one day, in a new container at once.
        """
        now = time.time()
        # compared, not subtracted: there are numbers that no float takes
        is_recent = now - REFRESH_LOCK_SECONDS <= self.at <= now + REFRESH_LOCK_SECONDS
        if self.outcome != "open" or self.pid == os.getpid() or not is_recent:
            return False
        return self.started != "" and self.started == _started(self.pid)

    def loss_reason(self) -> str:
        """Tell in a sentence how the sign-in may have been lost."""
        when = self.when()
        if self.outcome == "no-answer":
            return f"the refresh at {when} was sent, and an answer with the new token never arrived"
        if self.outcome == "not-stored":
            return f"the new token of the refresh at {when} could not be stored"
        if self.is_running():
            return f"another program (pid {self.pid}) began the refresh at {when} and has not stored its answer"
        return f"the program (pid {self.pid}) was ended in the middle of the refresh at {when}"

    def when(self) -> str:
        """Say in local time when it was begun."""
        try:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        except (ValueError, OverflowError, OSError):
            # no calendar has it
            return "an unknown time"


class Journal:
    """The notes and the rescue of one account.

    Args:
        path: A file name without suffix, private to the account.
    """

    def __init__(self, path: Path) -> None:
        self._note = path.with_suffix(".json")
        self._rescue = path.with_suffix(".rescue")
        # of another name, so that one which a kill left behind is no rescue
        self._reserved = path.with_suffix(".reserved")

    @property
    def rescue_path(self) -> Path:
        """Where :meth:`rescue` puts a credential."""
        return self._rescue

    def begin(self, credential: Credential) -> None:
        """Note that this credential's refresh token is about to be spent, and set aside room for its answer.

        Raises:
            QwenStoreError: There is no room for one of them; nothing has been spent.
        """
        fingerprint = credential.refresh_token.fingerprint() if credential.refresh_token else ""
        pid = os.getpid()
        self._write(Note(credential.generation, fingerprint, time.time(), pid, started=_started(pid)))
        write_private(self._reserved, " " * max(_LEAST_ROOM, _GROWTH * len(credential.to_json())))

    def end(self, outcome: Literal["no-answer", "not-stored"]) -> None:
        """Note how it ended, if not well; the room that was set aside is free again."""
        remove(self._reserved)
        note = self.read()
        if note is not None:
            self._write(replace(note, outcome=outcome))

    def put_back(self, before: Note | None) -> None:
        """Restore the previous note, for a refresh that changed nothing."""
        remove(self._reserved)
        if before is None:
            remove(self._note)
        else:
            self._write(before)

    def read(self) -> Note | None:
        """Return the note of a refresh that did not end well, or is under way."""
        text = read_private(self._note)
        if text is None:
            return None
        names = {item.name for item in fields(Note)} - {"unknown"}
        try:
            record = json.loads(text)
            known = {name: value for name, value in record.items() if name in names}
            unknown = {name: value for name, value in record.items() if name not in names}
            return Note(**known, unknown=unknown) if isinstance(known["at"], int | float) else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def pending(self, generation: int) -> str | None:
        """Tell in a sentence what the next call will find here, for people; no secret is told.

        Args:
            generation: Of the credential in use; a note about another one is history.

        Raises:
            QwenStoreError: The note or the rescue cannot be read, or is of a newer release.
        """
        if self._rescue.exists():
            try:
                self._load_rescue()
            except ValueError:
                return self._unreadable()
            return f"a refreshed token waits in {self._rescue} until its store takes it"
        note = self.read()
        if note is None or note.generation != generation:
            return None
        return f"the refresh at {note.when()} has not come to its end" if note.outcome == "open" else note.loss_reason()

    def rescue(self, credential: Credential) -> None:
        """Keep a credential that its store would not take.

        Raises:
            QwenStoreError: Not even that worked.
        """
        try:
            fill_private(self._reserved, self._rescue, credential.to_json())
        except QwenStoreError:
            # nothing was set aside, or somebody removed it
            write_private(self._rescue, credential.to_json())

    def rescued(self) -> Credential | None:
        """Return the credential that was rescued, if there is one.

        Raises:
            QwenStoreError: It cannot be read, or is of a newer release.
        """
        if not self._rescue.exists():
            return None
        try:
            return self._load_rescue()
        except ValueError:
            _log.warning("%s", self._unreadable())
            return None

    def _load_rescue(self) -> Credential:
        return Credential.from_json(Secret(read_private(self._rescue) or ""))

    def _unreadable(self) -> str:
        return f"the rescued token in {self._rescue} cannot be read"

    def clear(self) -> None:
        """Forget the note and the rescue: the store has the sign-in."""
        for path in (self._rescue, self._reserved, self._note):
            remove(path)

    def _write(self, note: Note) -> None:
        known = {name: value for name, value in asdict(note).items() if name != "unknown"}
        write_private(self._note, json.dumps(note.unknown | known))


def _started(pid: int) -> str:
    """Return when a living process began, in its system's own count; empty if it is gone, or nobody can tell."""
    try:
        after_name = Path(f"/proc/{pid:d}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
        state, started = after_name[0], after_name[19]
    except (OSError, ValueError, IndexError, TypeError):
        return ""
    # one that was killed is listed until its parent asks how it ended
    return "" if state in {"Z", "X"} else started
