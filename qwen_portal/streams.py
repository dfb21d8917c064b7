"""Streamed answers: one sync and one async iterator of chunks, alike line for line.

A stream is opened like any request, with its retries and, if a quota is used up, with other accounts; once content has
arrived there is no second try, and an error carries what was received before it.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import httpx

from qwen_portal.errors import QwenAPIError, QwenError
from qwen_portal.http.exchange import Exchange
from qwen_portal.http.incoming import IncomingAnswer
from qwen_portal.http.open_responses import AsyncTicket, Ticket
from qwen_portal.http.pools import async_pool, sync_pool
from qwen_portal.quota.attempts import Attempt, Attempts
from qwen_portal.secrets import frames_emptied

# A request to send, or the chunks that are there without one.
Source = Exchange | Iterable[dict[str, Any]]


class _Stream(IncomingAnswer):
    """What the two streams share: the attempt that answers, and the tag of its first chunk."""

    def __init__(self, attempts: Attempts) -> None:
        super().__init__()
        self._attempts = attempts
        self._attempt: Attempt | None = None
        self._is_tagged = False

    @property
    def strategy(self) -> str | None:
        """``degrade`` or ``cli``, once the stream is open and if that answers."""
        return None if self._attempt is None else self._attempt.strategy

    def _hand_on(self) -> dict[str, Any]:
        """Return the next chunk; the first bears the tag, because those who add chunks up would double it."""
        chunk = self._waiting.popleft()
        if self._attempt is None or self._is_tagged:
            return chunk
        self._is_tagged = True
        return self._attempt.tag(chunk)


class ChunkStream(_Stream):
    """A streamed answer: an iterator of chat.completion.chunk dicts that can be closed early.

    The request is sent by :meth:`open` or the first ``next()``. Closing it closes the connection.

    Args:
        attempts: The accounts and strategies to try.
        begin: Returns what a try sends, or what it gave at once; called when the stream is opened.

    Example:
        >>> with client.stream([{"role": "user", "content": "Hi"}]) as chunks:
        ...     for chunk in chunks:
        ...         print(chunk["choices"])
    """

    _ticket: Ticket | None = None

    def __init__(self, attempts: Attempts, begin: Callable[[Attempt], Source]) -> None:
        super().__init__(attempts)
        self._start = begin

    def open(self) -> Self:
        """Send the request and wait for the first content, so that errors come here.

        Raises:
            QwenAPIError: Typed by what happened.
        """
        if self._attempt is not None:
            return self
        attempt = self._attempts.start()
        while True:
            try:
                self._try(self._start(attempt))
            except QwenError as exc:
                attempt = self._attempts.after(attempt, exc)
            else:
                self._attempt = attempt
                return self

    def _try(self, source: Source) -> None:
        if not isinstance(source, Exchange):
            self._have(source)
            return
        self._exchange = source
        with source.recording.until_open():
            while True:
                try:
                    self._connect()
                except (httpx.HTTPError, QwenAPIError) as exc:
                    source.failed(exc)
                except BaseException:
                    self.close()
                    raise
                else:
                    return
                self.close()
                time.sleep(source.pause())

    def close(self) -> None:
        """Close the connection; what was not read is lost."""
        self._stop()
        if self._ticket is not None:
            self._ticket.close()

    def _connect(self) -> None:
        pool = sync_pool()
        request = self._exchange.build(pool, self._exchange.note)
        with frames_emptied():
            response = pool.send(request, auth=self._exchange.auth, stream=True)
        self._ticket = Ticket(response)
        self._begin(response)
        if not self._exchange.is_stream(response):
            response.read()
            raise self._exchange.refused(response)
        while not self._opened():
            self._fill()

    def _fill(self) -> None:
        try:
            self._accept(self._ticket.read() if self._ticket is not None else None)
        except httpx.HTTPError as exc:
            self._broke(exc)
        except BaseException:
            # interrupted or cancelled: nothing more can be read
            self._drop()
            raise

    def __del__(self) -> None:
        # a stream that was dropped half read would keep its connection for ever
        self._drop()

    def _drop(self) -> None:
        self._recording.leave(in_finalizer=True)
        if self._ticket is not None:
            self._ticket.drop()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        if self._attempt is None:
            self.open()
        while not self._waiting:
            if self._failure is not None:
                self.close()
                raise self._take_failure()
            if self._ended:
                self._drain()
                raise StopIteration
            self._fill()
        return self._hand_on()

    def _drain(self) -> None:
        if self._ticket is None:
            return
        # only a body read to its end gives the connection back to the pool
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            while self._ticket.read() is not None:
                pass
        self.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is GeneratorExit:
            # the generator around this may be one that the garbage collector ends
            self._drop()
        else:
            self.close()


class AsyncChunkStream(_Stream):
    """The same for ``async for``.

    Args:
        attempts: The accounts and strategies to try.
        begin: Returns, when awaited, what a try sends or what it gave at once.
    """

    _ticket: AsyncTicket | None = None

    def __init__(self, attempts: Attempts, begin: Callable[[Attempt], Awaitable[Source]]) -> None:
        super().__init__(attempts)
        self._start = begin

    async def open(self) -> Self:
        """Send the request and wait for the first content, so that errors come here.

        Raises:
            QwenAPIError: Typed by what happened.
        """
        if self._attempt is not None:
            return self
        attempt = self._attempts.start()
        while True:
            try:
                await self._try(await self._start(attempt))
            except QwenError as exc:
                # marking an account waits for a file lock: not on the event loop
                attempt = await asyncio.to_thread(self._attempts.after, attempt, exc)
            else:
                self._attempt = attempt
                return self

    async def _try(self, source: Source) -> None:
        if not isinstance(source, Exchange):
            self._have(source)
            return
        self._exchange = source
        with source.recording.until_open():
            while True:
                try:
                    await self._connect()
                except (httpx.HTTPError, QwenAPIError) as exc:
                    source.failed(exc)
                except BaseException:
                    await self.aclose()
                    raise
                else:
                    return
                await self.aclose()
                await asyncio.sleep(source.pause())

    async def aclose(self) -> None:
        """Close the connection; what was not read is lost."""
        self._stop()
        if self._ticket is not None:
            await self._ticket.close()

    async def _connect(self) -> None:
        pool = async_pool()
        request = self._exchange.build(pool, self._exchange.anote)
        with frames_emptied():
            response = await pool.send(request, auth=self._exchange.auth, stream=True)
        self._ticket = AsyncTicket(response)
        self._begin(response)
        if not self._exchange.is_stream(response):
            await response.aread()
            raise self._exchange.refused(response)
        while not self._opened():
            await self._fill()

    async def _fill(self) -> None:
        try:
            self._accept(await self._ticket.read() if self._ticket is not None else None)
        except httpx.HTTPError as exc:
            self._broke(exc)
        except BaseException:
            # interrupted or cancelled: nothing more can be read
            self._drop()
            raise

    def __del__(self) -> None:
        # a stream that was dropped half read would keep its connection for ever
        self._drop()

    def _drop(self) -> None:
        self._recording.leave(in_finalizer=True)
        if self._ticket is not None:
            self._ticket.drop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self._attempt is None:
            await self.open()
        while not self._waiting:
            if self._failure is not None:
                await self.aclose()
                raise self._take_failure()
            if self._ended:
                await self._drain()
                raise StopAsyncIteration
            await self._fill()
        return self._hand_on()

    async def _drain(self) -> None:
        if self._ticket is None:
            return
        # only a body read to its end gives the connection back to the pool
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            while await self._ticket.read() is not None:
                pass
        await self.aclose()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
