"""Rows about what is raised, and what should be."""

from typing import Any

from langchain_core import exceptions

from benchmarks.peer_checks import service
from benchmarks.peer_checks.models import make
from benchmarks.peer_checks.rows import row


def _error(scenario: str, prompt: str = "Hi", *, stream: bool = False) -> Any:
    service.scenario(scenario)
    model = make(max_retries=0)
    try:
        list(model.stream(prompt)) if stream else model.invoke(prompt)
    except Exception as error:  # noqa: BLE001 - its class is what is asked
        return error
    raise AssertionError("passed as an answer")


@row("context overflow is LangChain's ContextOverflowError, in Qwen's wording")
def overflow() -> bool:
    """Summarising middleware acts on it."""
    return isinstance(_error("input-range"), exceptions.ContextOverflowError)


@row("a rate limit is LangChain's, and worth a retry")
def rate_limit() -> bool:
    """Retry middleware reads it."""
    error = _error("burst")
    return isinstance(error, exceptions.ModelRateLimitError) and error.is_retryable


@row("a spent quota is LangChain's rate limit, and not worth a retry")
def quota() -> bool:
    """Retry middleware reads it."""
    error = _error("quota")
    return isinstance(error, exceptions.ModelRateLimitError) and not error.is_retryable


@row("an error inside a stream is one of LangChain's")
def error_frame() -> bool:
    """A frame with an error."""
    return isinstance(_error("error-frame", "Count to 30", stream=True), exceptions.ModelError)


@row("a stream that is cut is an error")
def cut() -> bool:
    """No finish_reason, no [DONE]: half an answer is none."""
    return isinstance(_error("cut", "Count to 30", stream=True), Exception)


@row("a stream that is cut: the error has what came before")
def cut_text() -> bool:
    """In any attribute."""
    return "1" in str([value for value in vars(_error("cut", "Count to 30", stream=True)).values() if value])


@row("finish_reason error_finish is an error")
def error_finish() -> bool:
    """Its text is no answer."""
    return isinstance(_error("error-finish", "Count to 30", stream=True), exceptions.ModelError)


@row("JSON where a stream was asked for is an error")
def not_sse() -> bool:
    """And one of LangChain's."""
    return isinstance(_error("not-sse", stream=True), exceptions.ModelError)
