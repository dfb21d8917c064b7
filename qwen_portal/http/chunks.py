"""A streamed answer, read chunk by chunk: what it said so far, and whether it ended as it should."""

import json
from collections.abc import Iterator
from typing import Any

from qwen_portal.errors import QwenAPIError, QwenRateLimitError, QwenStreamError
from qwen_portal.http.error_responses import error_from_response
from qwen_portal.http.sse import DONE, EventDecoder
from qwen_portal.secrets import printable

_OK = 200


class ChunkReader:
    """Turns bytes into chat.completion.chunk dicts, and trouble inside a stream into typed errors.

    Args:
        host: Who answers, for error messages.
        request_id: The service's id of the request.
    """

    def __init__(self, host: str, request_id: str | None = None) -> None:
        self._host = host
        self._request_id = request_id
        self._decoder = EventDecoder()
        self._text: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._finished = False
        self.done = False
        self.has_content = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the chunks that these bytes complete; those before a bad frame come before its error.

        Raises:
            QwenAPIError: An error frame; typed by its code.
            QwenStreamError: ``error_finish``, or a frame that is not JSON or no chunk.
        """
        return self._read(self._decoder.feed(data))

    def end(self) -> Iterator[dict[str, Any]]:
        """Yield what is left when the connection has ended.

        Raises:
            QwenStreamError: Before the answer had.
        """
        yield from self._read(self._decoder.flush())
        if not self._finished:
            raise self.error(QwenStreamError(f"{self._host} ended the stream before the answer was complete."))

    def error(self, error: QwenAPIError) -> QwenAPIError:
        """Add to an error what was received before it."""
        error.partial_text = "".join(self._text)
        error.partial_tool_calls = [self._tool_calls[index] for index in sorted(self._tool_calls)]
        error.request_id = error.request_id or self._request_id
        return error

    def _read(self, events: list[bytes]) -> Iterator[dict[str, Any]]:
        for event in events:
            if event == DONE:
                self.done = True
                break
            try:
                chunk = json.loads(event)
            except (ValueError, RecursionError):
                chunk = None
            if not isinstance(chunk, dict):
                raise self.error(QwenStreamError(f"{self._host} sent a stream frame that is not JSON."))
            if chunk.get("error"):
                raise self.error(error_from_response(_OK, {}, event, host=self._host))
            if not is_answer(chunk):
                raise self.error(QwenStreamError(f"{self._host} sent a stream frame that is no part of an answer."))
            self._note(chunk)
            yield chunk

    def _note(self, chunk: dict[str, Any]) -> None:
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            reason = choice.get("finish_reason")
            if reason == "error_finish":
                raise self.error(_error_finish(self._host, str(delta.get("content") or "")))
            text = delta.get("content")
            if text:
                self._text.append(text)
            calls = delta.get("tool_calls")
            for call in calls or ():
                self._note_call(call)
            if reason:
                self._finished = True
            if text or calls or reason or delta.get("reasoning_content"):
                self.has_content = True

    def _note_call(self, call: dict[str, Any]) -> None:
        index = call.get("index") or 0
        function = call.get("function") or {}
        known = self._tool_calls.setdefault(
            index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        known["id"] = known["id"] or call.get("id") or ""
        known["function"]["name"] = known["function"]["name"] or function.get("name") or ""
        known["function"]["arguments"] += function.get("arguments") or ""


def is_answer(body: dict[str, Any]) -> bool:
    """Tell whether a chunk, or a whole answer, has the types that its readers rely on."""
    choices, usage = body.get("choices") or [], body.get("usage") or {}
    return isinstance(usage, dict) and isinstance(choices, list) and all(map(_is_choice, choices))


def _is_choice(choice: Any) -> bool:
    said = isinstance(choice, dict) and (choice.get("delta") or choice.get("message") or {})
    if not isinstance(said, dict):
        return False
    calls = said.get("tool_calls") or []
    return _has_texts(said, "content", "reasoning_content") and isinstance(calls, list) and all(map(_is_call, calls))


def _is_call(call: Any) -> bool:
    function = isinstance(call, dict) and (call.get("function") or {})
    if not isinstance(function, dict) or not isinstance(call.get("index") or 0, int):
        return False
    return _has_texts(call, "id") and _has_texts(function, "name", "arguments")


def _has_texts(record: dict[str, Any], *names: str) -> bool:
    return all(isinstance(record.get(name) or "", str) for name in names)


def _error_finish(host: str, said: str) -> QwenAPIError:
    kind = QwenRateLimitError if "throttl" in said.lower() or "rate limit" in said.lower() else QwenStreamError
    return kind(f"{host} broke the answer off: {printable(said) or 'no reason given'}.", code="error_finish")
