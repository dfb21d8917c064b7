"""The core's errors as LiteLLM's own, so that its retries, fallbacks and cool-downs work on them.

They are made here rather than left to LiteLLM's mapping, which knows a provider by name only: it would take Qwen's 401
for a bad request, and would not recognise its words for a prompt that is too long.
"""

from collections.abc import Callable, Iterator, Mapping
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
    UnsupportedParamsError,
)

from litellm_qwen_portal.observation import Observation
from qwen_portal import errors
from qwen_portal.secrets import printable

PROVIDER = "qwen-portal"

Maker = Callable[..., Exception]

_FORBIDDEN, _SERVER = 403, 500
_WITH_RESPONSE = (
    AuthenticationError,
    BadRequestError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    UnsupportedParamsError,
)
# What of a refusal's headers says something about the service, and nothing about its body.
_KEPT = ("server", "date", "req-cost-time", "req-arrive-time")


class UnsupportedParameterError(errors.QwenBadRequestError):
    """A parameter that LiteLLM would leave out with ``drop_params``."""


# The first row that fits counts; None stands for the cases that _by_status tells apart.
_ROWS: tuple[tuple[type[errors.QwenError], Maker | None], ...] = (
    (errors.QwenQuotaExceededError, RateLimitError),
    (errors.QwenRateLimitError, RateLimitError),
    (errors.QwenContextLengthError, ContextWindowExceededError),
    (errors.QwenContentFilterError, ContentPolicyViolationError),
    (errors.QwenModelNotFoundError, NotFoundError),
    (UnsupportedParameterError, UnsupportedParamsError),
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
def raised_as_litellm(model: str, observation: Observation | None = None) -> Iterator[None]:
    """Raise a core error of this block as LiteLLM's exception, with the core's as ``__cause__``.

    Args:
        model: The model asked for, without the provider's prefix.
        observation: Knows the headers of the refusal.

    Raises:
        openai.OpenAIError: One of litellm.exceptions; its text holds the hint.
    """
    try:
        yield
    except errors.QwenError as exc:
        raise to_litellm(exc, model, {} if observation is None else observation.headers) from exc


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


def to_litellm(error: errors.QwenError, model: str, headers: Mapping[str, str] | None = None) -> Exception:
    """Make LiteLLM's exception for a core error.

    Args:
        error: What happened.
        model: The model asked for, without the provider's prefix.
        headers: Of the refusal, if there was one.
    """
    make = next(theirs for ours, theirs in _ROWS if isinstance(error, ours)) or _by_status(error)
    request_id = getattr(error, "request_id", None)
    text = f"{PROVIDER}: {error}" if request_id is None else f"{PROVIDER}: {error} (request id {request_id})"
    known: dict[str, Any] = {"message": text, "model": model, "llm_provider": PROVIDER}
    if make not in (RateLimitError, PermissionDeniedError) and getattr(error, "status", None) is None:
        # nothing answered
        return make(**known)
    response = _response(error, headers or {})
    made = make(**known, response=response) if make in _WITH_RESPONSE else make(**known)
    # Where LiteLLM looks for what it hands on to a proxy's client.
    made.litellm_response_headers = response.headers  # type: ignore[attr-defined]
    return made


def _by_status(error: errors.QwenError) -> Maker:
    status = getattr(error, "status", None)
    if isinstance(error, errors.QwenAuthenticationError):
        return PermissionDeniedError if status == _FORBIDDEN else AuthenticationError
    # 502 to 504 come from a gateway that did not reach the service
    return InternalServerError if status is None or status <= _SERVER else ServiceUnavailableError


def _response(error: errors.QwenError, headers: Mapping[str, str]) -> httpx.Response:
    """Make the response that LiteLLM reads headers from: a Router Retry-After, a person the request's id."""
    known = {name: value for name, value in headers.items() if name.lower() in _KEPT or name.startswith("x-")}
    if (request_id := getattr(error, "request_id", None)) is not None:
        # nothing else is a header's value
        known["x-request-id"] = request_id.encode("ascii", "replace").decode()
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        known["retry-after"] = f"{retry_after:g}"
    status = getattr(error, "status", None) or 429
    return httpx.Response(status, headers=known, request=httpx.Request("POST", "https://portal.qwen.ai/v1"))
