"""A streamed answer, read chunk by chunk: what it said so far, and whether it ended as it should."""

from collections.abc import Iterable, Iterator
from typing import Any

from qwen_portal.answers.completions import StreamedAnswer
from qwen_portal.answers.error_responses import error_from_refusal
from qwen_portal.answers.fields import UnreadableError
from qwen_portal.answers.refusals import refusal_in
from qwen_portal.answers.sse import LARGEST_EVENT, Event, EventDecoder, EventTooLargeError
from qwen_portal.errors import QwenAPIError, QwenRateLimitError, QwenStreamError
from qwen_portal.secrets import Secret, printable
from qwen_portal.text import sentence
from qwen_portal.untrusted_json import json_value

_DONE = "[DONE]"


class ChunkReader:
    """Turns bytes into chat.completion.chunk dicts, and trouble inside a stream into typed errors.

    Args:
        host: Who answers, for error messages.
        request_id: The service's id of the request.
        secrets: What must not appear in a message even if the server echoes it.
    """

    def __init__(self, host: str, request_id: str | None = None, secrets: Iterable[Secret] = ()) -> None:
        self._host = host
        self._secrets = tuple(secrets)
        self._request_id = printable(request_id, limit=80, secrets=self._secrets) if request_id else None
        self._decoder = EventDecoder()
        self._answer = StreamedAnswer()
        self._aside = ""
        self.done = False

    @property
    def has_content(self) -> bool:
        """Whether anything was said that a second try would say again."""
        return self._answer.has_content

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the chunks that these bytes complete; those before a bad frame come before its error.

        Raises:
            QwenAPIError: A refusal; typed by its code.
            QwenStreamError: ``error_finish``, or a frame that is not JSON, no chunk or too large.
        """
        yield from self._read(self._decoder.feed(data))

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield what is left when the answer is said to be over, or the connection has ended.

        Raises:
            QwenStreamError: Before the answer had.
        """
        if not self.done:
            yield from self._read(self._decoder.end())
        if not self._answer.is_finished:
            aside = printable(self._aside, secrets=self._secrets)
            said = f" It said: {aside}" if aside else ""
            raise self.error(QwenStreamError(f"{self._host} ended the stream before the answer was complete.{said}"))
        yield from self._answer.end()

    def error(self, error: QwenAPIError) -> QwenAPIError:
        """Add to an error what was received before it."""
        error.partial_text = "".join(self._answer.text)
        error.partial_tool_calls = self._answer.tool_calls()
        error.request_id = error.request_id or self._request_id
        return error

    def _read(self, events: Iterator[Event]) -> Iterator[dict[str, Any]]:
        is_too_large = False
        try:
            for event in events:
                if (event.data or "").strip() == _DONE:
                    self.done = True
                    return
                chunk = self._chunk_of(event)
                whole = self._whole(chunk) if chunk is not None else None
                if whole is not None:
                    yield whole
        except EventTooLargeError:
            is_too_large = True
        if is_too_large:
            most = LARGEST_EVENT // 2**20
            raise self.error(QwenStreamError(f"{self._host} sent an event of more than {most} MB; nobody reads on."))

    def _chunk_of(self, event: Event) -> dict[str, Any] | None:
        """Return the chunk that an event is; ``None`` for one that says nothing, or nothing that anybody asked."""
        chunk = _json(event.data)
        refusal = refusal_in(event, chunk)
        if refusal is not None:
            raise self.error(error_from_refusal(refusal, host=self._host, secrets=self._secrets))
        if event.data is None:
            self._aside = "\n".join(event.strays)
            return None
        # some keep the connection alive with nothing, some with null
        if event.data.strip() in ("", "null"):
            return None
        if not isinstance(chunk, dict):
            raise self.error(QwenStreamError(f"{self._host} sent a stream frame that is not JSON."))
        return chunk

    def _whole(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        self._stop_at_error_finish(chunk)
        try:
            return self._answer.add(chunk)
        except UnreadableError as exc:
            reason = str(exc)
        # here, so that the error's context is not the one whose frames hold what the service said, unmasked
        raise self.error(QwenStreamError(f"{self._host} sent a stream frame that is no part of an answer: {reason}."))

    def _stop_at_error_finish(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("finish_reason") == "error_finish":
                delta = choice.get("delta")
                said = str(delta.get("content") or "") if isinstance(delta, dict) else ""
                raise self.error(_error_finish(self._host, printable(said, secrets=self._secrets)))


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json_value(text)
    except ValueError:
        return None


def _error_finish(host: str, said: str) -> QwenAPIError:
    kind = QwenRateLimitError if "throttl" in said.lower() or "rate limit" in said.lower() else QwenStreamError
    return kind(sentence(f"{host} broke the answer off: {said or 'no reason given'}"), code="error_finish")
