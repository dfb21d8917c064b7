"""An answer that comes in as a stream: the chunks that arrived but were not handed on yet, and how it ended."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from qwen_portal.answers.chunks import ChunkReader
from qwen_portal.errors import QwenAPIError
from qwen_portal.http.exchange import Exchange
from qwen_portal.recording.recorder import Recording


class IncomingAnswer:
    """What a stream knows of its answer, however it reads it."""

    _exchange: Exchange
    _reader: ChunkReader

    def __init__(self) -> None:
        self._headers: Mapping[str, str] = {}
        self._waiting: deque[dict[str, Any]] = deque()
        self._ended = False
        self._failure: QwenAPIError | None = None
        # of the request that answers, once its answer has begun
        self._recording = Recording()

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, once the stream is open."""
        return self._headers

    def _begin(self, response: httpx.Response) -> None:
        self._exchange.note_headers(response)
        self._headers, self._ended, self._failure = self._exchange.response_headers, False, None
        request_id = self._headers.get("x-request-id")
        self._reader = ChunkReader(self._exchange.host, request_id, self._exchange.secrets)
        self._waiting.clear()
        self._exchange.heard(has_news=True, is_over=False)

    def _have(self, chunks: Iterable[dict[str, Any]]) -> None:
        """Take a whole answer that came without a connection."""
        self._headers, self._ended, self._failure = {}, True, None
        self._waiting = deque(chunks)

    def _accept(self, data: bytes | None) -> None:
        """Take what arrived; ``None`` is the end. Trouble waits until the chunks before it are handed on."""
        try:
            if data is not None:
                self._waiting.extend(self._reader.feed(data))
            if self._reader.has_content:
                self._exchange.recording.begin_content()
            if data is None or self._reader.done:
                self._ended = True
                self._waiting.extend(self._exchange.recording.completed(self._reader.end()))
        except QwenAPIError as exc:
            # without its frames, which hold what the service said, unmasked
            failure = exc.with_traceback(None)
            self._failure = failure if self._reader.has_content else self._exchange.explained(failure)
        self._exchange.heard(has_news=bool(self._waiting) or not self._reader.has_content, is_over=self._ended)
        if self._failure is None and not self._ended and self._exchange.retries.remaining() <= 0:
            self._failure = self._reader.error(self._exchange.incomplete())

    def _broke(self, exc: httpx.HTTPError) -> None:
        self._failure = self._reader.error(self._exchange.failure(exc, streaming=True))

    def _take_failure(self) -> QwenAPIError:
        """Return what ended the stream, to be raised: to keep a raised error would make a cycle with its frames."""
        failure, self._failure, self._ended = self._failure, None, True
        assert failure is not None  # noqa: S101 - for the type checker
        return failure

    def _opened(self) -> bool:
        """Tell whether content has arrived, or the stream has come to its end, well or not."""
        if self._failure is not None and not self._reader.has_content:
            raise self._take_failure()
        is_open = self._reader.has_content or self._ended or self._failure is not None
        if is_open:
            self._recording = self._exchange.recording
        return is_open

    def _stop(self) -> None:
        """Take note that nothing more is read, be it because of a failure or because nobody wants the rest."""
        self._ended = True
        if self._failure is not None:
            self._recording.end(self._failure)
        self._recording.leave()
