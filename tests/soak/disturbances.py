"""Disturbances of the process itself: a wall clock that jumps, a collector that runs at any moment."""

import gc
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

from httpcore._synchronization import Lock, ThreadLock

# Seconds by which the clock is wrong for a while.
_JUMPS = (-86_400.0, -3_600.0, -60.0, 60.0, 3_600.0, 86_400.0)
_JUMP_EVERY, _JUMP_LASTS = 20.0, 3.0
# How many objects of the youngest generation set off a collection.
_THRESHOLDS = (1, 20, 100, 700, 700)
_PAUSES = (0.1, 1.0)
# How often a thread that has just taken a lock of the HTTP library's collects all objects: a finalizer that wants the
# same lock would then wait for ever.
_IN_A_LOCK = 0.005


class _Clock:
    """``time.time`` that can be wrong."""

    def __init__(self) -> None:
        self._real = time.time
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._real() + self.ahead


@contextmanager
def disturbances(seed: int, *, in_locks: bool) -> Iterator[Counter[str]]:
    """Disturb the process for as long as the block runs.

    Args:
        seed: Of the dice.
        in_locks: Whether objects are collected by threads that hold a lock of the HTTP library's, too.

    Yields:
        How often each disturbance came.
    """
    clock, over, counts, before = _Clock(), threading.Event(), Counter[str](), gc.get_threshold()
    random = Random(seed)  # noqa: S311 - not for secrets

    def disturb() -> None:
        jump_at, back_at = time.monotonic() + _JUMP_EVERY / 2, float("inf")
        while not over.wait(random.uniform(*_PAUSES)):
            now = time.monotonic()
            if now >= back_at:
                clock.ahead, back_at = 0.0, float("inf")
            elif now >= jump_at:
                clock.ahead, jump_at, back_at = random.choice(_JUMPS), now + _JUMP_EVERY, now + _JUMP_LASTS
                counts["clock jump"] += 1
            if random.random() < 0.2:
                gc.collect()
                counts["collection in a thread of its own"] += 1
            gc.set_threshold(random.choice(_THRESHOLDS), *before[1:])
            counts["collector's threshold"] += 1

    def collecting(lock: type[Any]) -> Any:
        take = lock.__enter__

        def take_and_collect(self: Any) -> Any:
            taken = take(self)
            if in_locks and random.random() < _IN_A_LOCK:
                gc.collect()
                counts["collection in a lock"] += 1
            return taken

        return mock.patch.object(lock, "__enter__", take_and_collect)

    thread = threading.Thread(target=disturb, name="soak-disturbances", daemon=True)
    with mock.patch.object(time, "time", clock), collecting(Lock), collecting(ThreadLock):
        thread.start()
        try:
            yield counts
        finally:
            over.set()
            # a collection may have met a finalizer that hangs; whoever hangs is found elsewhere
            thread.join(10)
            gc.set_threshold(*before)
