"""Responses of streams that are being read, kept here so that no finalizer ever closes one.

To close a response takes the connection pool's lock, which is not reentrant, and the garbage collector may run a
finalizer in the very thread that holds it: then every thread of the process would wait for ever. So a stream owns no
response. It holds a ticket for one that is kept here, and a stream that is dropped half read puts the ticket's number
into a queue, whose ``put`` is reentrant; a thread of this module takes it out and closes the response. An async
response is closed by a task of its event loop, for the same reason: its body must not be garbage while it is open.
"""

import asyncio
import contextlib
import itertools
import os
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

import httpx

from qwen_portal.secrets import frames_emptied

Body = TypeVar("Body", Iterator[bytes], AsyncIterator[bytes])


class _Open(Generic[Body]):
    """The responses that are being read, by number."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._known: dict[int, tuple[httpx.Response, Body]] = {}

    def keep(self, response: httpx.Response, body: Body) -> int:
        number = next(self._numbers)
        self._known[number] = response, body
        return number

    def body(self, number: int) -> Body | None:
        known = self._known.get(number)
        return None if known is None else known[1]

    def take(self, number: int) -> httpx.Response | None:
        known = self._known.pop(number, None)
        return None if known is None else known[0]


class _Closer:
    """Responses that threads read, and the thread that closes what was dropped."""

    def __init__(self) -> None:
        self.open = _Open[Iterator[bytes]]()
        self._dropped: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread; a finalizer must not."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="qwen-portal-close", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        with self._lock:
            if self._thread is not None:
                self._dropped.put(None)
                self._thread = None

    def drop(self, number: int) -> None:
        self._dropped.put(number)

    def close(self, number: int) -> None:
        response = self.open.take(number)
        if response is not None:
            with contextlib.suppress(httpx.HTTPError, OSError):
                response.close()

    def _run(self) -> None:
        while (number := self._dropped.get()) is not None:
            self.close(number)


_closer = _Closer()
_async_open = _Open[AsyncIterator[bytes]]()
# An event loop keeps only weak references to its tasks.
_closing: set[asyncio.Task[None]] = set()


class Ticket:
    """A stream's hold on its response.

    Args:
        response: The response; nobody else closes it.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._closer = _closer
        self._closer.start()
        self._number = self._closer.open.keep(response, response.iter_bytes())

    def read(self) -> bytes | None:
        """Return the next bytes as they arrive, or ``None`` at the end.

        Raises:
            httpx.HTTPError: The connection failed.
        """
        body = self._closer.open.body(self._number)
        with frames_emptied():
            return None if body is None else next(body, None)

    def close(self) -> None:
        """Close the connection; what was not read is lost."""
        self._closer.close(self._number)

    def drop(self) -> None:
        """Have the connection closed soon, by another thread. It takes no lock, so that a finalizer may call it."""
        self._closer.drop(self._number)


class AsyncTicket:
    """The same for a stream of the running event loop."""

    def __init__(self, response: httpx.Response) -> None:
        self._loop = asyncio.get_running_loop()
        self._number = _async_open.keep(response, response.aiter_bytes())

    async def read(self) -> bytes | None:
        """Return the next bytes as they arrive, or ``None`` at the end.

        Raises:
            httpx.HTTPError: The connection failed.
        """
        body = _async_open.body(self._number)
        with frames_emptied():
            return None if body is None else await anext(body, None)

    async def close(self) -> None:
        """Close the connection; what was not read is lost."""
        await _aclose(self._number)

    def drop(self) -> None:
        """Have the connection closed soon, by a task of the loop, if that still runs."""
        try:
            self._loop.call_soon_threadsafe(_close_soon, self._number)
        except RuntimeError:
            # the loop is closed, and its connections with it
            _async_open.take(self._number)


async def _aclose(number: int) -> None:
    response = _async_open.take(number)
    if response is not None:
        with contextlib.suppress(httpx.HTTPError, OSError):
            await response.aclose()


def _close_soon(number: int) -> None:
    task = asyncio.get_running_loop().create_task(_aclose(number))
    _closing.add(task)
    task.add_done_callback(_closing.discard)


def stop_closing() -> None:
    """End the thread when it has closed what was dropped; the next stream starts another."""
    _closer.stop()


def _after_fork() -> None:
    """Let a forked child begin anew, with a thread of its own; what its parent reads stays untouched."""
    global _closer, _async_open
    _inherited.append((_closer, _async_open))
    _closer, _async_open = _Closer(), _Open[AsyncIterator[bytes]]()


_inherited: list[tuple[_Closer, _Open[AsyncIterator[bytes]]]] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
