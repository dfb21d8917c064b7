"""Limits of an answer's body: its size once it is unpacked, and the time that all of it may take.

The HTTP library unpacks whatever comes, in one piece, and its time limits begin anew with every byte. So bodies are
unpacked here, a piece at a time, before the library sees them.
"""

import time
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import httpx

# What is asked for, so that nothing else need be unpacked.
ACCEPT_ENCODING = "gzip, deflate"
# The name of a request's own limits among its extensions.
EXTENSION = "qwen_portal_limits"
WHOLE_ANSWER = 64 * 1024 * 1024
_ERROR = 64 * 1024
_PIECE = 64 * 1024
_FIRST_ERROR = 400
_AUTO_DETECT = zlib.MAX_WBITS | 32


class BodyLimits(NamedTuple):
    """What may be read of one answer.

    Attributes:
        size: Bytes, unpacked; ``None`` for a stream, whose events are limited one by one.
        deadline: When all of it must be there, by the monotonic clock; ``None`` for no such moment.
    """

    size: int | None = WHOLE_ANSWER
    deadline: float | None = None


class _Meter:
    """Unpacks a body and counts it.

    Args:
        response: The response, from whose headers the encoding is taken: what the library reads is unpacked already.
        limits: The request's.
    """

    def __init__(self, response: httpx.Response, limits: BodyLimits) -> None:
        self._limits = limits
        self._is_error = response.status_code >= _FIRST_ERROR
        self._read = 0
        encoding = response.headers.pop("content-encoding", "identity").strip().lower()
        self._is_packed = encoding in {"gzip", "x-gzip", "deflate"}
        if not self._is_packed and encoding not in {"", "identity"}:
            raise httpx.DecodingError(f"the answer is packed in a way that was not asked for ({encoding[:40]!r})")
        self._unpacker = zlib.decompressobj(_AUTO_DETECT)

    @property
    def is_full(self) -> bool:
        """Whether all is read that is wanted of an error."""
        return self._is_error and self._read >= _ERROR

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what came, unpacked.

        Raises:
            httpx.DecodingError: It cannot be unpacked, or is more than may be read.
            httpx.ReadTimeout: The time for it is over.
        """
        for piece in self._unpacked(data) if self._is_packed else (data,):
            if self._limits.deadline is not None and time.monotonic() > self._limits.deadline:
                raise httpx.ReadTimeout("the answer was not complete in time")
            self._read += len(piece)
            if self._is_error:
                excess = self._read - _ERROR
                yield piece if excess <= 0 else piece[: len(piece) - excess]
                if excess >= 0:
                    return
            elif self._limits.size is not None and self._read > self._limits.size:
                raise httpx.DecodingError(f"the answer is larger than {self._limits.size:,} bytes")
            else:
                yield piece

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        try:
            while data:
                piece = self._unpacker.decompress(data, _PIECE)
                if piece:
                    yield piece
                data = self._unpacker.unconsumed_tail
                if self._unpacker.eof:
                    # gzip may have several parts
                    data, self._unpacker = self._unpacker.unused_data, zlib.decompressobj(_AUTO_DETECT)
        except zlib.error as exc:
            raise httpx.DecodingError(f"the answer cannot be unpacked ({exc})") from None


class _LimitedStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    def __iter__(self) -> Iterator[bytes]:
        for data in self._stream:
            yield from self._meter.feed(data)
            if self._meter.is_full:
                break

    def close(self) -> None:
        self._stream.close()


class _AsyncLimitedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            for piece in self._meter.feed(data):
                yield piece
            if self._meter.is_full:
                break

    async def aclose(self) -> None:
        await self._stream.aclose()


class LimitedTransport(httpx.HTTPTransport):
    """``httpx.HTTPTransport`` whose answers are limited."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        response = super().handle_request(request)
        try:
            limit_body(request, response)
        except httpx.DecodingError:
            response.close()
            raise
        return response


def limit_body(request: httpx.Request, response: httpx.Response) -> None:
    """Let no more of an answer be read than its request allows, and none of it lead anywhere.

    Raises:
        httpx.DecodingError: It is packed in a way that nobody asked for.
    """
    # no redirect is followed, but the library reads where it would go, and fails in many ways if that is no address
    response.headers.pop("location", None)
    is_stream = "text/event-stream" in response.headers.get("content-type", "")
    meter = _Meter(response, request.extensions.get(EXTENSION, BodyLimits(None if is_stream else WHOLE_ANSWER)))
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _LimitedStream(response.stream, meter)
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _AsyncLimitedStream(response.stream, meter)
