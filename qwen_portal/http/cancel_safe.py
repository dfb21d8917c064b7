"""A transport for event loops whose connections come back to the pool however a request is cancelled.

httpcore loses a connection when a task is cancelled between its choice and its use, and another when a second
cancellation interrupts the clean-up after the first: each then counts as busy for ever. Here a request and the end of
its answer run in tasks of their own, which are cancelled once at most, and what httpcore lost is taken out of its pool.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol, TypeVar, cast

import httpx

from qwen_portal.http.bodies import limit_body
from qwen_portal.http.deadlines import keep_deadlines
from qwen_portal.http.network import proxy_named

T = TypeVar("T")


class _Connection(Protocol):
    def is_idle(self) -> bool: ...
    def is_closed(self) -> bool: ...
    async def aclose(self) -> None: ...


class _PoolRequest(Protocol):
    connection: _Connection | None


class _Pool(Protocol):
    """What is used of httpcore's pool; a test notices when it goes."""

    _connections: list[_Connection]
    _requests: list[_PoolRequest]


class CancelSafeTransport(httpx.AsyncHTTPTransport):
    """``httpx.AsyncHTTPTransport`` that loses no connection, and whose answers are limited."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._proxy = options.get("proxy")
        keep_deadlines(self._pool)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; cancelling this ends it in the background."""
        task = asyncio.get_running_loop().create_task(super().handle_async_request(request))
        try:
            with proxy_named(self._proxy):
                response = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            _in_background(self._end(task))
            raise
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _Body(stream, self._pool_request(stream), self)
        try:
            limit_body(request, response)
        except httpx.DecodingError:
            await response.aclose()
            raise
        return response

    async def _end(self, task: "asyncio.Task[httpx.Response]") -> None:
        """Wait for a request that was cancelled, and give back what it had."""
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is None:
            await task.result().aclose()
        await self.sweep()

    async def release(self, pool_request: _PoolRequest | None) -> None:
        """Take a request out of the pool whose end was cut short."""
        if pool_request is None:
            return
        if pool_request in self._pool_requests:
            self._pool_requests.remove(pool_request)
        connection = pool_request.connection
        if connection is not None and not (connection.is_idle() or connection.is_closed()):
            # the next request's already, or lost
            await self.sweep()

    async def sweep(self) -> None:
        """Take the connections out of the pool that are busy with no request."""
        known, in_use = self._connections, {id(each.connection) for each in self._pool_requests}
        lost = [each for each in known if not (each.is_idle() or each.is_closed() or id(each) in in_use)]
        for connection in lost:
            known.remove(connection)
        for connection in lost:
            await connection.aclose()

    @property
    def _connections(self) -> list[_Connection]:
        return cast("_Pool", self._pool)._connections  # noqa: SLF001 - nothing public gives a connection back

    @property
    def _pool_requests(self) -> list[_PoolRequest]:
        return cast("_Pool", self._pool)._requests  # noqa: SLF001 - as above

    @staticmethod
    def _pool_request(stream: httpx.AsyncByteStream) -> _PoolRequest | None:
        return getattr(getattr(stream, "_httpcore_stream", None), "_pool_request", None)


class _Body(httpx.AsyncByteStream):
    """An answer's body, which is closed whole even if that is cancelled."""

    def __init__(
        self, stream: httpx.AsyncByteStream, pool_request: _PoolRequest | None, transport: CancelSafeTransport
    ) -> None:
        self._stream = stream
        self._pool_request = pool_request
        self._transport = transport

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        await asyncio.shield(_in_background(self._close()))

    async def _close(self) -> None:
        await self._stream.aclose()
        await self._transport.release(self._pool_request)


def _in_background(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


# An event loop keeps only weak references to its tasks.
_tasks: set["asyncio.Task[Any]"] = set()
