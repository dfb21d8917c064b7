"""The request log: a folder with one JSON file per request, secrets masked, of which the newest 1,000 are kept."""

import contextlib
import datetime as dt
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qwen_portal.secrets import MASK, Secret, masked
from qwen_portal.storage.private_files import failed, make_private_folder

_KEPT = 1_000
_VARIABLE = "QWEN_PORTAL_REQUEST_LOG"
# Whose name has another form was not written here: it is never removed.
_NAME = re.compile(r"request-\d{8}T\d{12}Z-\d+-\d+\.json")
_SECRET_FIELD = re.compile(
    r"(?i)secret|passw|^(proxy.)?authorization$|^(set.)?cookie$|^credentials?$|(api|access|private).?key$|"
    r"(^|access.?|refresh.?|id.?|auth.?|bearer.?)token$"
)
_SECRET_HEADER = re.compile(r"(?i)authoriz|authentic|cookie|secret|passw|credential|signature|(^|.)key$|token$")
# A picture in an address, or any other long stretch of base64.
_DATA = re.compile(r"data:[^,\s]{0,200},[^\s\"'<>)]{64,}|[A-Za-z0-9+/=_-]{1000,}")
_SHOWN = 40
_numbers = itertools.count()


class LoggedRequest(NamedTuple):
    """One request and how it ended, before anything is masked.

    Attributes:
        time: When it was sent, in seconds since the epoch.
        url: Where to.
        sent_headers: Without the bearer.
        content: What was sent: JSON.
        status: HTTP status of the last answer, or ``None``.
        headers: That answer's headers.
        facts: What else is known of it, as JSON has it: account, usage, milliseconds …
        secrets: What must not appear, whatever it looks like.
    """

    time: float
    url: str
    sent_headers: Mapping[str, str]
    content: bytes
    status: int | None
    headers: Mapping[str, str]
    facts: Mapping[str, Any]
    secrets: tuple[Secret, ...]

    def record(self) -> dict[str, Any]:
        """Return what is written down."""
        moment = dt.datetime.fromtimestamp(self.time, dt.UTC)
        request = {
            "url": self._masked(self.url),
            "headers": self._headers(self.sent_headers),
            "body": self._masked(json.loads(self.content)),
        }
        answer = {"status": self.status, "headers": self._headers(self.headers)}
        return {"time": moment.isoformat(), "request": request, **answer, **self._masked(dict(self.facts))}

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {
            name: MASK if _SECRET_HEADER.search(name) else self._masked(value) for name, value in dict(headers).items()
        }

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return _DATA.sub(_shortened, masked(value, secrets=self.secrets))
        if isinstance(value, list):
            return [self._masked(each) for each in value]
        if isinstance(value, dict):
            return {
                self._masked(name): MASK
                if isinstance(inner, str) and _SECRET_FIELD.search(name)
                else self._masked(inner)
                for name, inner in value.items()
            }
        return value


class RequestLog(NamedTuple):
    """The log in a folder; a sink of :mod:`qwen_portal.storage.write_behind`.

    Attributes:
        folder: It may hold other files, which are left alone.
    """

    folder: Path

    @property
    def most(self) -> int:
        """How many requests may wait to be written; each holds its content."""
        return _KEPT

    @property
    def loss(self) -> str:
        """What a lost record means."""
        return "requests are not logged"

    def write(self, batch: Sequence[LoggedRequest]) -> Sequence[LoggedRequest]:
        """Write a file for each request, and remove the oldest files.

        Raises:
            QwenStoreError: The file system refused.
        """
        make_private_folder(self.folder, named_by=_VARIABLE)
        try:
            for request in batch:
                self._write(request)
            self._prune()
        except OSError as exc:
            raise failed("write in", self.folder, exc, named_by=_VARIABLE) from None
        return ()

    def _write(self, request: LoggedRequest) -> None:
        moment = dt.datetime.fromtimestamp(request.time, dt.UTC)
        path = self.folder / f"request-{moment:%Y%m%dT%H%M%S%f}Z-{os.getpid()}-{next(_numbers)}.json"
        content = json.dumps(request.record(), ensure_ascii=False, indent=1).encode(errors="replace")
        # written at its place: a file beside it, to be moved over, would be something else in the folder
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def _prune(self) -> None:
        ours = sorted(name for name in os.listdir(self.folder) if _NAME.fullmatch(name))  # noqa: PTH208 - names alone
        for name in ours[:-_KEPT]:
            # another process may have been first
            with contextlib.suppress(FileNotFoundError):
                (self.folder / name).unlink()


def _shortened(found: re.Match[str]) -> str:
    return f"{found[0][:_SHOWN]}… ({len(found[0]):,} characters)"
