"""Records of requests: a row for the ledger and a file for the request log, each only if the user wants it.

A record is complete when its request has ended, however that was, and is handed over once. Nothing here waits for a
disk, and nothing fails a request.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from qwen_portal.account.record import Account
from qwen_portal.errors import QwenError
from qwen_portal.recording.request_log import LoggedRequest, RequestLog
from qwen_portal.requests.chat_request import PreparedRequest
from qwen_portal.secrets import Secret
from qwen_portal.storage.usage_ledger import UsageLedger, UsageRow
from qwen_portal.storage.write_behind import hand_over

OK, CLOSED, CANCELLED = "ok", "closed", "cancelled"
# Far above any count of tokens, and within what SQLite keeps.
_MOST_TOKENS = 2**53


class Sent(NamedTuple):
    """A request as it is sent.

    Attributes:
        account: Who is asked.
        request: The request, without the bearer.
        content: Its body, written as JSON.
        on_quota: The strategy that it is a try of, or ``None``.
    """

    account: Account
    request: PreparedRequest
    content: bytes
    on_quota: str | None


class Recorder(NamedTuple):
    """Where the records of requests go.

    Attributes:
        home: QWEN_PORTAL_HOME, which has the ledger.
        log_folder: Folder of the request log; ``None`` for no log.
    """

    home: Path
    log_folder: Path | None = None

    def begin(self, sent: Sent) -> "Recording":
        """Begin the record of a request that is about to be sent."""
        is_counted = UsageLedger(self.home).is_on()
        is_wanted = is_counted or self.log_folder is not None
        return Recording(self, sent, is_counted=is_counted) if is_wanted else Recording()

    def record(
        self,
        account: Account | None,
        *,
        model: str,
        usage: Mapping[str, Any] | None,
        status: int | None,
        outcome: str,
        milliseconds: float,
        on_quota: str | None = None,
    ) -> None:
        """Count a request that has ended just now; nothing happens unless the user switched that on.

        Args:
            account: Who was asked; ``None`` for the qwen command.
            model: The name that was sent.
            usage: OpenAI's ``usage``, as far as there is one.
            status: HTTP status of the answer, if there was one.
            outcome: See :class:`qwen_portal.storage.usage_ledger.UsageRow`.
            milliseconds: How long it took.
            on_quota: ``degrade`` or ``cli`` if that strategy asked.
        """
        ledger = UsageLedger(self.home)
        if ledger.is_on():
            began = time.time() - milliseconds / 1000
            self.keep(_row(began, account, model, usage, milliseconds, None, status, outcome, on_quota))

    def keep(self, row: UsageRow, *, in_finalizer: bool = False) -> None:
        """Have a row written."""
        hand_over(UsageLedger(self.home), row, in_finalizer=in_finalizer)


class Recording:
    """The record of one request. As a context it covers a whole answer; :meth:`until_open` begins that of a stream.

    Args:
        recorder: Where it goes; nothing is kept without one.
        sent: The request.
        is_counted: Whether it is a row of the ledger.
    """

    def __init__(self, recorder: Recorder | None = None, sent: Sent | None = None, *, is_counted: bool = False) -> None:
        self._recorder = recorder
        self._is_counted = is_counted
        self._sent = sent
        self._time, self._began = time.time(), time.monotonic()
        self._first: float | None = None
        self._tries = 0
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}
        self._secrets: tuple[Secret, ...] = ()
        self._usage: Mapping[str, Any] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether anything of the request is kept."""
        return self._recorder is not None

    def begin_try(self) -> None:
        """Note that the request is sent, once more perhaps."""
        self._tries += 1
        self._status, self._headers = None, {}

    def received(self, status: int, headers: Mapping[str, str], secrets: Iterable[Secret]) -> None:
        """Note an answer's status and headers, and what must not appear of it."""
        self._status, self._headers = status, headers
        self._secrets = tuple(dict.fromkeys((*self._secrets, *secrets)))

    def answered(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Note the usage of a whole answer, and return it."""
        self._usage = answer.get("usage")
        return answer

    def begin_content(self) -> None:
        """Note that the first content of a stream has come."""
        if self._first is None:
            self._first = self._passed()

    def completed(self, chunks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the last chunks of a stream, whose usage ends the record."""
        for chunk in chunks:
            self._usage = chunk.get("usage") or self._usage
            yield chunk
        self.end()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the record."""
        self.end(error)

    @contextmanager
    def until_open(self) -> Iterator[None]:
        """Cover the opening of a stream: a failure ends the record."""
        try:
            yield
        except BaseException as exc:
            self.end(exc)
            raise

    def end(self, error: BaseException | None = None) -> None:
        """Hand the record over, unless that was done.

        Args:
            error: What ended the request, if it did not end well.
        """
        said = error.message if isinstance(error, QwenError) else None
        self._hand_over(_outcome(error), said, getattr(error, "status", None))

    def leave(self, *, in_finalizer: bool = False) -> None:
        """Hand the record of a stream over whose reader has no use for the rest, unless that was done."""
        self._hand_over(CLOSED, None, None, in_finalizer=in_finalizer)

    def _hand_over(self, outcome: str, said: str | None, status: int | None, *, in_finalizer: bool = False) -> None:
        recorder, self._recorder, sent = self._recorder, None, self._sent
        if recorder is None or sent is None:
            return
        passed, status = self._passed(), self._status if self._status is not None else status
        usage = self._usage if outcome == OK else None
        row = _row(
            self._time,
            sent.account,
            str(sent.request.body["model"]),
            usage,
            passed,
            self._first,
            status,
            outcome,
            sent.on_quota,
        )
        if self._is_counted:
            recorder.keep(row, in_finalizer=in_finalizer)
        if recorder.log_folder is not None:
            self._log(recorder.log_folder, sent, row, said, in_finalizer=in_finalizer)

    def _log(self, folder: Path, sent: Sent, row: UsageRow, said: str | None, *, in_finalizer: bool) -> None:
        facts = {
            "usage": self._usage,
            "milliseconds": row.milliseconds,
            "first_milliseconds": row.first_milliseconds,
            "tries": self._tries,
            "account": row.account,
            "plan": row.plan,
            "on_quota": row.on_quota,
            "outcome": row.outcome,
            "error": said,
        }
        secrets = self._secrets if sent.account.key is None else (*self._secrets, sent.account.key)
        request = sent.request
        logged = LoggedRequest(
            row.time, request.url, request.headers, sent.content, row.status, self._headers, facts, secrets
        )
        hand_over(RequestLog(folder), logged, in_finalizer=in_finalizer)

    def _passed(self) -> float:
        return (time.monotonic() - self._began) * 1000


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return OK
    return type(error).__name__ if isinstance(error, Exception) else CANCELLED


def _row(  # noqa: PLR0917 - one place makes rows
    began: float,
    account: Account | None,
    model: str,
    usage: Mapping[str, Any] | None,
    milliseconds: float,
    first: float | None,
    status: int | None,
    outcome: str,
    on_quota: str | None,
) -> UsageRow:
    counted = usage or {}
    return UsageRow(
        time=began,
        account=None if account is None else account.label,
        plan=None if account is None else account.plan.name,
        model=model,
        prompt_tokens=_tokens(counted, "prompt_tokens"),
        completion_tokens=_tokens(counted, "completion_tokens"),
        cached_tokens=_tokens(counted.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_tokens(counted.get("completion_tokens_details"), "reasoning_tokens"),
        milliseconds=round(milliseconds, 3),
        first_milliseconds=None if first is None else round(first, 3),
        status=status,
        outcome=outcome,
        on_quota=on_quota,
    )


def _tokens(counted: Any, name: str) -> int | None:
    count = counted.get(name) if isinstance(counted, Mapping) else None
    is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST_TOKENS
    return count if is_count else None
