"""The size of an answer's body, once it is unpacked: how much of it may be read.

The HTTP library unpacks whatever comes, in one piece. So bodies are unpacked here, a piece at a time, before the
library sees them.
"""

import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from qwen_portal.http.deadlines import Deadline, keep_deadlines
from qwen_portal.http.network import proxy_named

# What is asked for, so that nothing else need be unpacked.
ACCEPT_ENCODING = "gzip, deflate"
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_ENCODINGS = _PACKED | {"identity"}
# The name of the limit, in bytes, among the extensions of a request that has its own, and of every answer.
LARGEST = "qwen_portal_largest"
# Of a stream too, all its events together: the longest, 150,000 tokens, have two thirds of it.
_LARGEST_ANSWER = 64 * 1024 * 1024
_ERROR = 64 * 1024
# Seconds for the beginning of an error in a client that knows no deadline.
_PATIENCE = 15.0
_PIECE = 64 * 1024
_FIRST_ERROR = 400
_AUTO_DETECT = zlib.MAX_WBITS | 32


class TooLargeError(httpx.DecodingError):
    """An answer is larger than it may be."""


class _Meter:
    """Unpacks a body and counts it.

    Args:
        response: The response, from whose headers the encoding is taken: what the library reads is unpacked already.
        largest: Bytes that may be read, unpacked.
    """

    def __init__(self, response: httpx.Response, largest: int) -> None:
        self._largest = largest
        self._is_error = response.status_code >= _FIRST_ERROR
        self._read = 0
        encoding = response.headers.pop("content-encoding", "identity").strip().lower()
        self._is_packed = encoding in _PACKED
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
            httpx.DecodingError: It cannot be unpacked.
            TooLargeError: It is more than may be read.
        """
        for piece in self._unpacked(data) if self._is_packed else (data,):
            self._read += len(piece)
            if self._is_error:
                excess = self._read - _ERROR
                yield piece if excess <= 0 else piece[: len(piece) - excess]
                if excess >= 0:
                    return
            elif self._read > self._largest:
                raise TooLargeError(f"the answer is larger than {self._largest:,} bytes")
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


def read_error(response: httpx.Response) -> None:
    """Read the beginning of an error in a client that limits nothing; it stands for the whole.

    Args:
        response: Of httpx or httpx2.

    Raises:
        httpx.DecodingError: It cannot be unpacked.
    """
    if response.is_closed or LARGEST in response.extensions:
        # somebody has read it, or a transport of this module limits it
        response.read()
        return
    meter, patience, content = _Meter(response, _ERROR), Deadline(_PATIENCE), bytearray()
    stream: Any = response.stream
    try:
        for data in stream:
            for piece in meter.feed(data):
                content += piece
            if meter.is_full or patience.left() <= 0:
                break
    finally:
        stream.close()
    response.stream = _bytes(response, content)
    response.read()


async def aread_error(response: httpx.Response) -> None:
    """Do what :func:`read_error` does, on an event loop."""
    if response.is_closed or LARGEST in response.extensions:
        # somebody has read it, or a transport of this module limits it
        await response.aread()
        return
    meter, patience, content = _Meter(response, _ERROR), Deadline(_PATIENCE), bytearray()
    stream: Any = response.stream
    try:
        async for data in stream:
            for piece in meter.feed(data):
                content += piece
            if meter.is_full or patience.left() <= 0:
                break
    finally:
        await stream.aclose()
    response.stream = _bytes(response, content)
    await response.aread()


def _bytes(response: httpx.Response, content: bytearray) -> httpx.ByteStream:
    """Make a body of the response's own library, which takes no other's."""
    library = sys.modules[type(response).__module__.partition(".")[0]]
    stream: httpx.ByteStream = library.ByteStream(bytes(content))
    return stream


def readable(encodings: str) -> str:
    """Return of the encodings that a request accepts those that can be unpacked here."""
    names = [name.strip() for name in encodings.split(",")]
    return ", ".join(name for name in names if name.partition(";")[0].strip().lower() in _ENCODINGS) or "identity"


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
    """``httpx.HTTPTransport`` whose answers are limited, in size and in time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._proxy = options.get("proxy")
        keep_deadlines(self._pool)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        with proxy_named(self._proxy):
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
    largest = response.extensions[LARGEST] = request.extensions.get(LARGEST, _LARGEST_ANSWER)
    meter = _Meter(response, largest)
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _LimitedStream(response.stream, meter)
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _AsyncLimitedStream(response.stream, meter)
