"""Errors that are at home in both worlds: each is the core's error and LangChain's ``Model…Error`` at once.

So ``except QwenQuotaExceededError`` and ``except ModelRateLimitError`` both catch it, and LangChain's retry
middleware reads ``is_retryable``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from langchain_core import exceptions as langchain

from qwen_portal import errors as qwen
from qwen_portal.secrets import printable

# The most special class decides; the rest of the core's tree falls to its parents.
_KINDS: dict[type[qwen.QwenError], type[langchain.ModelError]] = {
    qwen.QwenError: langchain.ModelError,
    qwen.QwenOAuthError: langchain.ModelAuthenticationError,
    qwen.QwenRefreshTokenInvalidError: langchain.ModelAuthenticationError,
    qwen.QwenTokenExpiredError: langchain.ModelAuthenticationError,
    qwen.QwenTokenNotAvailableError: langchain.ModelAuthenticationError,
    qwen.QwenStoreError: langchain.ModelAuthenticationError,
    qwen.QwenHostNotAllowedError: langchain.ModelPermissionDeniedError,
    qwen.QwenAPIError: langchain.ModelAPIError,
    qwen.QwenAuthenticationError: langchain.ModelAuthenticationError,
    qwen.QwenQuotaExceededError: langchain.ModelRateLimitError,
    qwen.QwenRateLimitError: langchain.ModelRateLimitError,
    qwen.QwenContextLengthError: langchain.ContextOverflowError,
    qwen.QwenContentFilterError: langchain.ModelInvalidRequestError,
    qwen.QwenModelNotFoundError: langchain.ModelNotFoundError,
    qwen.QwenBadRequestError: langchain.ModelInvalidRequestError,
    qwen.QwenServerError: langchain.ModelAPIError,
    qwen.QwenTimeoutError: langchain.ModelTimeoutError,
    qwen.QwenConnectionError: langchain.ModelConnectionError,
    qwen.QwenStreamError: langchain.ModelAPIError,
}
_FORBIDDEN = 403

# One class per pair, so that two errors of a kind are of the same type.
_twins: dict[tuple[type[qwen.QwenError], type[langchain.ModelError]], type[qwen.QwenError]] = {}


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of the core that leaves the block into its twin, the core's as ``__cause__``.

    Raises:
        QwenError: The twin; also an instance of ``langchain_core.exceptions.ModelError``.
    """
    try:
        yield
    except qwen.QwenError as error:
        raise _twin(_twin_class(type(error), _kind(error)), error.args, vars(error)) from error


@contextmanager
def unreadable_answers() -> Iterator[None]:
    """Turn what LangChain's own reading of an answer raises into an error of the core.

    Raises:
        QwenServerError: The answer has a field that langchain-openai cannot take.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as exc:
        reason = printable(str(exc), limit=200)
        raise qwen.QwenServerError(f"LangChain cannot read the answer: {type(exc).__name__}: {reason}.") from exc


def _kind(error: qwen.QwenError) -> type[langchain.ModelError]:
    if isinstance(error, qwen.QwenAuthenticationError) and error.status == _FORBIDDEN:
        return langchain.ModelPermissionDeniedError
    return next(_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS)


def _twin_class(ours: type[qwen.QwenError], theirs: type[langchain.ModelError]) -> type[qwen.QwenError]:
    # A spent quota does not come back while a retry waits.
    retryable = theirs.is_retryable and ours is not qwen.QwenQuotaExceededError
    body = {"__doc__": ours.__doc__, "__module__": __name__, "__reduce__": _reduce, "is_retryable": retryable}
    twin = cast("type[qwen.QwenError]", type(ours.__name__, (ours, theirs), body))
    return _twins.setdefault((ours, theirs), twin)


def _reduce(error: qwen.QwenError) -> tuple[Any, ...]:
    # The twin's class is made on demand and has no importable name; its two parents have.
    return _restore, (*type(error).__bases__, error.args, dict(vars(error)))


def _restore(
    ours: type[qwen.QwenError], theirs: type[langchain.ModelError], args: tuple[Any, ...], state: dict[str, Any]
) -> qwen.QwenError:
    return _twin(_twin_class(ours, theirs), args, state)


def _twin(cls: type[qwen.QwenError], args: tuple[Any, ...], state: dict[str, Any]) -> qwen.QwenError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
