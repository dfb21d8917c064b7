"""Deadlines of requests: the moment when all of an answer must be there, however its bytes drip.

The HTTP library's limits begin anew with every byte, be it of a header, of an answer before the answer or of an empty
block. Here a limit is a number that knows when its time is over. The library carries it from a request to the socket,
where the streams of this module let each step take what is left of it. Another transport finds it in the same place,
the request's ``extensions["timeout"]``; to a library that knows nothing of it, it is a limit as any other.
"""

import math
import ssl
import time
from collections.abc import Iterable
from typing import Any, Protocol, Self

import httpcore

# A socket takes so much in one step, or waits.
_PIECE = 16 * 1024
_Options = Iterable[httpcore.SOCKET_OPTION]


class Deadline(float):
    """Seconds for all that happens under this limit, from its first use on.

    Args:
        seconds: The limit.
        latest: When it is over at last, however often it begins anew, by the monotonic clock.
    """

    _latest: float
    _seconds: float
    _end: float | None

    def __new__(cls, seconds: float, *, latest: float = math.inf) -> Self:
        """Make a limit whose time has not begun."""
        limit = super().__new__(cls, seconds)
        limit._latest = latest
        limit.renew()
        return limit

    def renew(self, seconds: float | None = None) -> None:
        """Let the time begin anew with the next use: all of it, or as many seconds as are given."""
        self._seconds, self._end = float(self) if seconds is None else seconds, None

    def left(self) -> float:
        """Return the seconds that are left: nothing, or less, once it is over."""
        now = time.monotonic()
        if self._end is None:
            self._end = now + self._seconds
        return min(self._end, self._latest) - now


class _Pool(Protocol):
    """What is used of httpcore's pools; a test notices when it goes."""

    _network_backend: Any


def keep_deadlines(pool: _Pool) -> None:
    """Have a pool of httpcore's open sockets that keep to the deadlines of requests."""
    backend = pool._network_backend  # noqa: SLF001 - the library's transports let nobody choose it
    kept = _Backend(backend) if isinstance(backend, httpcore.NetworkBackend) else _AsyncBackend(backend)
    pool._network_backend = kept  # noqa: SLF001 - as above


def _left(limit: float | None, over: type[httpcore.TimeoutException]) -> float | None:
    """Return the limit of one step.

    Raises:
        httpcore.TimeoutException: Nothing is left; of the given kind.
    """
    left = limit.left() if isinstance(limit, Deadline) else limit
    if left is not None and left <= 0:
        raise over("the time for it is over")
    return left


class _Stream(httpcore.NetworkStream):
    """A socket.

    Args:
        stream: The library's.
        opening: The limit of making the connection. The library waits for a SOCKS proxy without any.
    """

    def __init__(self, stream: httpcore.NetworkStream, opening: float | None) -> None:
        self._stream = stream
        self._opening = opening

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limit = self._opening if timeout is None else timeout
        return self._stream.read(max_bytes, _left(limit, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limit = self._opening if timeout is None else timeout
        # in pieces: the library gives each part that the other side takes all the time anew
        for start in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[start : start + _PIECE], _left(limit, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout))
        return _Stream(stream, self._opening)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens such sockets.

    Args:
        backend: The library's.
    """

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, _opening(timeout))


class _AsyncStream(httpcore.AsyncNetworkStream):
    """The same for event loops, where the library's limits hold for the whole of a step."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, opening: float | None) -> None:
        self._stream = stream
        self._opening = opening

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        limit = self._opening if timeout is None else timeout
        return await self._stream.read(max_bytes, _left(limit, httpcore.ReadTimeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        limit = self._opening if timeout is None else timeout
        await self._stream.write(buffer, _left(limit, httpcore.WriteTimeout))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout))
        return _AsyncStream(stream, self._opening)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Opens such sockets on an event loop."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.AsyncNetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        stream = await self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return _AsyncStream(stream, _opening(timeout))


def _opening(limit: float | None) -> float | None:
    """Return a connection's own limit; a client that keeps no deadlines waits as its user has said."""
    return limit if isinstance(limit, Deadline) else None
