"""A service that falls silent, and a client whose limit is over when it has: nobody waits, and nobody is too early.

A short limit would be over on a slow machine before the service has even answered; here no limit is over before.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import httpcore
import pytest
from httpcore._backends.anyio import AnyIOStream
from httpcore._backends.sync import SyncStream
from starlette.types import Receive, Scope, Send

from qwen_portal.emulator.streaming import Ending, EventStream, Silence

# Between two looks at whether the service is silent yet. What it sent before has arrived by then: it is on loopback.
_GLANCE = 0.05
# An event loop that was held up may end a read whose bytes are there already; the next one has them at once.
_LOOKS = 2


@contextmanager
def reads_end_when(is_silent: Callable[[], bool], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the limit of a read be over when the service has sent its last byte, and not before.

    Args:
        is_silent: Whether nothing more will come.
        monkeypatch: Takes it back.

    Yields:
        The limits that were over, in seconds.
    """
    over: list[float] = []
    read, aread = SyncStream.read, AnyIOStream.read

    def end(limit: float | None) -> None:
        assert limit is not None, "a read without a limit: a service that falls silent would be waited for, for ever"
        over.append(limit)

    def read_until_silent(stream: SyncStream, most: int, timeout: float | None = None) -> bytes:
        while True:
            silent = is_silent()
            try:
                return read(stream, most, _GLANCE)
            except httpcore.ReadTimeout:
                if silent:
                    end(timeout)
                    raise

    async def aread_until_silent(stream: AnyIOStream, most: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        looks = 0
        while True:
            looks += is_silent()
            try:
                return await aread(stream, most, _GLANCE)
            except httpcore.ReadTimeout:
                if looks >= _LOOKS:
                    end(timeout)
                    raise

    with monkeypatch.context() as patch:
        patch.setattr(SyncStream, "read", read_until_silent)
        patch.setattr(AnyIOStream, "read", aread_until_silent)
        yield over


def silence_of_the_emulator(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return what is set when an emulator has begun the silence of the scenario of that name."""
    silent = threading.Event()
    stream, nothing = EventStream.__call__, Silence.__call__

    async def fall_silent(answer: EventStream, scope: Scope, receive: Receive, send: Send) -> None:
        if answer._ending is Ending.SILENCE:
            answer._pieces = _and_then(silent.set, answer._pieces)
        await stream(answer, scope, receive, send)

    async def say_nothing(answer: Silence, scope: Scope, receive: Receive, send: Send) -> None:
        silent.set()
        await nothing(answer, scope, receive, send)

    monkeypatch.setattr(EventStream, "__call__", fall_silent)
    monkeypatch.setattr(Silence, "__call__", say_nothing)
    return silent


def _and_then(act: Callable[[], None], pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from pieces
    act()
