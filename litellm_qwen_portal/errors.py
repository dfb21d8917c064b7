"""The core's errors as LiteLLM's own, so that its retries, fallbacks and cool-downs work on them.

They are made here rather than left to LiteLLM's mapping, which knows a provider by name only: it would take Qwen's 401
for a bad request, and would not recognise its words for a prompt that is too long.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from litellm.exceptions import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    Timeout,
)

from qwen_portal import errors
from qwen_portal.secrets import printable

PROVIDER = "qwen-portal"

Maker = Callable[..., Exception]

_FORBIDDEN, _SERVER = 403, 500

# The first row that fits counts; None stands for the cases that _by_status tells apart.
_ROWS: tuple[tuple[type[errors.QwenError], Maker | None], ...] = (
    (errors.QwenQuotaExceededError, RateLimitError),
    (errors.QwenRateLimitError, RateLimitError),
    (errors.QwenContextLengthError, ContextWindowExceededError),
    (errors.QwenContentFilterError, ContentPolicyViolationError),
    (errors.QwenModelNotFoundError, NotFoundError),
    (errors.QwenBadRequestError, BadRequestError),
    (errors.QwenTimeoutError, Timeout),
    (errors.QwenConnectionError, APIConnectionError),
    (errors.QwenStreamError, APIConnectionError),
    (errors.QwenAuthenticationError, None),
    (errors.QwenAPIError, None),
    # The sign-in is kept and the next try may succeed: a Router should try again, or elsewhere.
    (errors.QwenTokenExpiredError, ServiceUnavailableError),
    (errors.QwenTokenNotAvailableError, AuthenticationError),
    (errors.QwenRefreshTokenInvalidError, AuthenticationError),
    (errors.QwenOAuthError, AuthenticationError),
    (errors.QwenStoreError, AuthenticationError),
    (errors.QwenError, BadRequestError),
)


@contextmanager
def raised_as_litellm(model: str) -> Iterator[None]:
    """Raise a core error of this block as LiteLLM's exception, with the core's as ``__cause__``.

    Args:
        model: The model asked for, without the provider's prefix.

    Raises:
        openai.OpenAIError: One of litellm.exceptions; its text holds the hint.
    """
    try:
        yield
    except errors.QwenError as exc:
        raise to_litellm(exc, model) from exc


@contextmanager
def unreadable_answers() -> Iterator[None]:
    """Turn what LiteLLM's own reading of an answer raises into an error of the core.

    Raises:
        QwenServerError: The answer has a field that LiteLLM cannot take.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as exc:
        reason = printable(str(exc), limit=200)
        raise errors.QwenServerError(f"LiteLLM cannot read the answer: {type(exc).__name__}: {reason}.") from exc


def to_litellm(error: errors.QwenError, model: str) -> Exception:
    """Make LiteLLM's exception for a core error.

    Args:
        error: What happened.
        model: The model asked for, without the provider's prefix.
    """
    make = next(theirs for ours, theirs in _ROWS if isinstance(error, ours)) or _by_status(error)
    known: dict[str, Any] = {"message": f"{PROVIDER}: {error}", "model": model, "llm_provider": PROVIDER}
    if make in (RateLimitError, PermissionDeniedError):
        # A Router reads Retry-After from the response.
        return make(**known, response=_response(error))
    return make(**known)


def _by_status(error: errors.QwenError) -> Maker:
    status = getattr(error, "status", None)
    if isinstance(error, errors.QwenAuthenticationError):
        return PermissionDeniedError if status == _FORBIDDEN else AuthenticationError
    # 502 to 504 come from a gateway that did not reach the service
    return InternalServerError if status is None or status <= _SERVER else ServiceUnavailableError


def _response(error: errors.QwenError) -> httpx.Response:
    retry_after = getattr(error, "retry_after", None)
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    status = getattr(error, "status", None) or 429
    return httpx.Response(status, headers=headers, request=httpx.Request("POST", "https://portal.qwen.ai/v1"))
