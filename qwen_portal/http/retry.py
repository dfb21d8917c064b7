"""Retries: when a failed request is worth repeating, and after how long; decisions only, no waiting here.

0.5 s * 2^n, at most 8 s, ± 25 %, for 408, plain 429, 5xx and connections that could not be made; the service's
Retry-After counts up to 60 s. A kept-alive connection that dies before any byte is repeated once, at once.
"""

import random
import time

from qwen_portal.errors import (
    QwenAPIError,
    QwenConnectionError,
    QwenRateLimitError,
    QwenServerError,
    QwenStreamError,
    QwenTimeoutError,
)

_FIRST, _MOST, _JITTER = 0.5, 8.0, 0.25
_LONGEST_RETRY_AFTER = 60.0
_REQUEST_TIMEOUT, _SERVER = 408, 500


class Retries:
    """The tries of one request.

    Args:
        most: Repeats at most.
        seconds: For the whole answer, waits included.

    Attributes:
        deadline: When they are over, by the monotonic clock.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._left = most
        self._tries = 0
        self._revived = False
        self.deadline = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return how many seconds the answer still has."""
        return max(0.0, self.deadline - time.monotonic())

    def wait_after(self, error: QwenAPIError, *, stale_connection: bool = False) -> float | None:
        """Decide what follows a failure.

        Args:
            error: What happened.
            stale_connection: Whether a kept-alive connection died before any byte of an answer.

        Returns:
            Seconds to wait before the next try, or ``None`` to give up.
        """
        if stale_connection and not self._revived:
            self._revived = True
            return 0.0
        if not _is_passing(error) or self._left <= 0:
            return None
        if error.retry_after is not None and error.retry_after > _LONGEST_RETRY_AFTER:
            return None
        self._left -= 1
        pause = min(_MOST, _FIRST * 2.0**self._tries) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - jitter
        self._tries += 1
        wait = pause if error.retry_after is None else error.retry_after
        return wait if wait < self.remaining() else None


def _is_passing(error: QwenAPIError) -> bool:
    if isinstance(error, QwenConnectionError):
        return not error.sent
    if isinstance(error, QwenTimeoutError):
        return error.status == _REQUEST_TIMEOUT
    if isinstance(error, QwenServerError):
        # a 200 that is no answer was generated all the same, and counts against a quota
        return error.status is None or error.status >= _SERVER
    # a stream error reaches this only before the first content: nothing of the answer has been handed on
    return isinstance(error, QwenRateLimitError | QwenStreamError)
