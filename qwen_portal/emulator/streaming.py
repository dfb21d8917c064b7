"""Answers that take their time: event streams, their ways to break, silence, dropped connections."""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qwen_portal.emulator.state import LogEntry
from qwen_portal.emulator.wire import compact

DONE = b"data: [DONE]\n\n"
_GLANCE = 0.01

Break = Callable[[], None]


class Ending(Enum):
    """What comes after the last frame."""

    CLEAN = "the body ends as it should"
    SILENCE = "nothing, until the client leaves"
    RESET = "the connection breaks"


def sse(frame: dict[str, Any]) -> bytes:
    """One frame as it stands on the wire: no event name, one data line, a blank line."""
    # Half of a surrogate pair has no place in UTF-8; in JSON it is the escape that this makes of it.
    return f"data: {compact(frame)}\n\n".encode(errors="backslashreplace")


class EventStream(Response):
    """A 200 answer of type text/event-stream that watches whether its client is still there."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        entry: LogEntry,
        headers: dict[str, str],
        *,
        break_connection: Break,
        ending: Ending = Ending.CLEAN,
        delay: float = 0,
    ) -> None:
        super().__init__(None, 200, headers | {"content-type": "text/event-stream;charset=UTF-8"})
        del self.headers["content-length"]
        self._pieces, self._entry, self._ending, self._delay = pieces, entry, ending, delay
        self._break_connection = break_connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the frames, then end as told."""
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        leaving = asyncio.create_task(_until_client_leaves(receive))
        try:
            for piece in self._pieces:
                # Also with no delay: without a turn of the event loop a client's leaving would go unseen.
                await asyncio.wait({leaving}, timeout=self._delay)
                if leaving.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if self._ending is Ending.SILENCE:
                await leaving
            elif self._ending is Ending.RESET:
                self._break_connection()
                await leaving
            else:
                # Noted first: whoever has read the end may look at the log before the next line here runs.
                self._entry.finished = True
                await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()


class Silence(Response):
    """No answer at all, until the client leaves or the emulator stops."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait."""
        del scope, send
        await _until_client_leaves(receive)


class Dropped(Response):
    """The connection closes before the first byte of an answer."""

    def __init__(self, break_connection: Break) -> None:
        super().__init__()
        self._break_connection = break_connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        del scope, send
        self._break_connection()
        # Returning earlier would look like a faulty application, and the server would answer 500 for it.
        await _until_client_leaves(receive)


class Held(Response):
    """An answer that is ready, and is not sent before it may.

    Args:
        answer: The answer.
        is_free: Whether it may be sent now.
    """

    def __init__(self, answer: Response, is_free: Callable[[], bool]) -> None:
        super().__init__(None, answer.status_code)
        self._answer, self._is_free = answer, is_free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send the answer."""
        leaving = asyncio.create_task(_until_client_leaves(receive))
        try:
            while not self._is_free():
                # Asked again and again: whoever turns the scenario off is in another thread.
                await asyncio.wait({leaving}, timeout=_GLANCE)
                if leaving.done():
                    return
        finally:
            leaving.cancel()
        await self._answer(scope, receive, send)


async def _until_client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
