"""The attempts at one request: other accounts, a shorter answer, the qwen command, in the order that the user chose.

Decisions only; the clients send. A request that was never answered goes on as it is, to the host of the next account;
what answers it in another way is marked, so that nobody takes it for a full answer.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from qwen_portal.account.cool_downs import cool_down_after
from qwen_portal.account.record import Account
from qwen_portal.errors import (
    QwenAuthenticationError,
    QwenConnectionError,
    QwenError,
    QwenHostNotAllowedError,
    QwenModelNotFoundError,
    QwenQuotaExceededError,
    QwenRateLimitError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenStoreError,
    QwenStreamError,
    QwenTimeoutError,
    QwenTokenExpiredError,
    QwenTokenNotAvailableError,
)
from qwen_portal.quota import qwen_cli
from qwen_portal.quota.degrade import MOST_TOKENS, is_plain
from qwen_portal.quota.exhausted import Exhausted
from qwen_portal.quota.rotation import Rotation
from qwen_portal.requests.chat_request import merged
from qwen_portal.service.models import name_on
from qwen_portal.session import Session
from qwen_portal.text import format_duration

_log = logging.getLogger("qwen_portal")
# What is wrong with one account, its plan or its host, not with the request: another may serve it all the same.
_ITS_OWN_TROUBLE = (
    QwenAuthenticationError,
    QwenConnectionError,
    QwenHostNotAllowedError,
    QwenModelNotFoundError,
    QwenRateLimitError,
    QwenRefreshTokenInvalidError,
    QwenServerError,
    QwenStoreError,
    QwenStreamError,
    QwenTimeoutError,
    QwenTokenExpiredError,
    QwenTokenNotAvailableError,
)
# The key under which a completion, or a stream's first chunk, says that it is no ordinary answer.
TAG = "on_quota"


class Attempt(NamedTuple):
    """One attempt at a request.

    Attributes:
        account: Who is asked; ``None`` for the qwen command.
        strategy: ``degrade`` or ``cli``, which the answer is tagged with; ``None`` for the request as it is.
        seconds: What the answer may still take.
    """

    account: Account | None
    strategy: str | None
    seconds: float

    def tag(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer, or a stream's first chunk, with the tag that says how it came about."""
        return answer if self.strategy is None else {**answer, TAG: self.strategy}


class Attempts:
    """The attempts at one request, one after the other.

    Args:
        session: Settings and accounts.
        label: The account asked for; ``None`` for the one in use.
        pinned: Whether only that account may serve: then a request in its cool-down is not sent at all.
        messages: The request's messages, of which only their kind matters here; ``None`` for a request that is no
            chat: nothing but another account answers it.
        model: The model asked for.
        params: The request's further parameters, of which only their kind matters too.
        seconds: For the whole answer, all tries included.
    """

    def __init__(
        self,
        session: Session,
        label: str | None,
        *,
        pinned: bool,
        messages: Sequence[Any] | None,
        model: str,
        params: Mapping[str, Any],
        seconds: float,
    ) -> None:
        self._session = session
        self._label = label
        self._pinned = pinned
        self._question = messages or (), params
        self._model = str(merged({"model": model, **params})["model"])
        self._seconds = seconds
        left_out = {"switch"} if pinned else set()
        if messages is None:
            left_out |= {"degrade", "cli"}
        self._left = [name for name in session.settings.on_quota if name not in left_out]
        self._notes: list[str] = []
        self._refusal: QwenQuotaExceededError | None = None

    def start(self) -> Attempt:
        """Return the first try.

        Raises:
            QwenQuotaExceededError: Every account is in its cool-down, and no other strategy is left.
            QwenTokenNotAvailableError: Nobody is signed in.
        """
        self._until = time.monotonic() + self._seconds
        self._first = self._session.choose(self._label)
        self._rotation = Rotation(self._session, self._first, model=self._model, alone="switch" not in self._left)
        if self._rotation.cool_down(self._first) is None:
            return Attempt(self._rotation.take(self._first), None, self._seconds)
        if self._pinned:
            raise self._exhausted()
        return self._next()

    def after(self, attempt: Attempt, error: QwenError) -> Attempt:
        """Return what follows a failure.

        Raises:
            QwenError: The error itself, if it is the request's, or that of the account which the user chose.
            QwenQuotaExceededError: Nothing is left to try; it lists the accounts and when each is asked again.
        """
        if attempt.account is None:
            self._notes.append(error.message)
        elif isinstance(error, QwenQuotaExceededError):
            # without its frames, which hold this object
            self._refusal = error.with_traceback(None)
            if attempt.strategy is None:
                self._note(attempt.account, error)
        elif isinstance(error, _ITS_OWN_TROUBLE) and attempt.strategy is not None:
            self._notes.append(f"A short answer could not be had either: {error.message}")
        elif isinstance(error, _ITS_OWN_TROUBLE) and attempt.account.label != self._first.label:
            _log.warning("account %s: passed over: %s", attempt.account.label, error.message)
            self._rotation.skip(attempt.account, f"cannot be used now: {error.message.rstrip('.')}")
        else:
            try:
                raise error
            finally:
                # an error and the frame that has it would be a cycle
                del error
        return self._next()

    def _note(self, account: Account, refusal: QwenQuotaExceededError) -> None:
        name = name_on(account.plan, self._model)
        known = cool_down_after(refusal, name, self._session.settings.quota_cooldown)
        what = "its quota is used up; it is left alone"
        if known.model is not None:
            what = f"its free quota of {known.model} is used up; that is not asked for"
        _log.warning("account %s: %s for %s", account.label, what, format_duration(known.until - time.time()))
        self._session.exhaust(account, known, seconds=self._until - time.monotonic())

    def _next(self) -> Attempt:
        while (seconds := self._until - time.monotonic()) > 0:
            strategy = self._left[0] if self._left else None
            # after everything else, too: an account may have become free meanwhile
            account = self._rotation.next() if strategy in {"switch", None} else None
            if account is not None:
                self._log_switch(account)
                return Attempt(account, None, seconds)
            if strategy is None:
                break
            attempt = self._fallback(self._left.pop(0), seconds)
            if attempt is not None:
                return attempt
        late = seconds <= 0 and (bool(set(self._left) - {"switch"}) or self._rotation.has_more())
        raise self._exhausted(late=late) from self._refusal

    def _exhausted(self, *, late: bool = False) -> QwenQuotaExceededError:
        strategies = self._session.settings.on_quota
        situation = self._pinned, self._refusal, self._notes, self._seconds if late else None
        return Exhausted(self._first, self._rotation, strategies, *situation).error()

    def _fallback(self, strategy: str, seconds: float) -> Attempt | None:
        """Return the try of a strategy that gives another answer than the one asked for, where that is acceptable."""
        if strategy == "cli" and qwen_cli.can_answer(*self._question):
            _log.warning("every quota is used up: the qwen command is asked")
            return Attempt(None, strategy, seconds)
        account = self._rotation.next_to_reset()
        if strategy != "degrade" or account is None or not is_plain(*self._question):
            return None
        _log.warning("every quota is used up: account %s is asked for at most %d tokens", account.label, MOST_TOKENS)
        return Attempt(account, strategy, seconds)

    def _log_switch(self, account: Account) -> None:
        if account.label == self._first.label:
            return
        _log.info("account %s: the request goes on to account %s", self._first.label, account.label)
        crossing = ("crossing", f"{self._first.plan.name} {account.plan.name}")
        if self._first.plan.name != account.plan.name and crossing not in self._session.warned:
            self._session.warned.add(crossing)
            _log.warning(
                "the quota of plan %s is used up: account %s of plan %s serves (accounts rotate --mixed; said once)",
                self._first.plan.name,
                account.label,
                account.plan.name,
            )
