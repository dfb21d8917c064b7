"""A thread that writes what requests leave behind, so that no request waits for a disk.

It starts with the first item and ends when nothing came for some seconds, or with the program: then it writes what is
left, and so does ``flush``. What is handed over goes into a queue, which takes no lock, so that a finalizer may do it.
"""

import atexit
import os
import queue
import threading
from collections.abc import Hashable, Sequence
from typing import Any, Protocol

from qwen_portal.errors import QwenStoreError

# Seconds between two batches; what a kill can take away. Few batches, because on a busy machine each is noticed by the
# call that it meets. The program's end does not wait for them.
_PAUSE = 2.0
_IDLE_ROUNDS = 2
# At the end of the program there is no later batch.
_LAST_TRIES = 3


class Sink(Hashable, Protocol):
    """A place that items are written to."""

    @property
    def most(self) -> int:
        """How many items may wait for it; more are lost."""

    @property
    def loss(self) -> str:
        """What a user is told, once, if items are lost."""

    def write(self, batch: Sequence[Any], /) -> Sequence[Any]:
        """Write items; return those that are to be tried again, because another program is writing.

        Raises:
            QwenStoreError: They are lost.
        """


class _Writer:
    """The queues of this process, and their thread."""

    def __init__(self) -> None:
        self._waiting: dict[Sink, queue.SimpleQueue[Any]] = {}
        self._left: dict[Sink, Sequence[Any]] = {}
        self._warned: set[Sink] = set()
        self._thread: threading.Thread | None = None
        self._gate = threading.Lock()
        self._writing = threading.Lock()

    def add(self, sink: Sink, item: Any) -> None:
        waiting = self._waiting.setdefault(sink, queue.SimpleQueue())
        if waiting.qsize() < sink.most:
            waiting.put(item)

    def start(self) -> None:
        if self._thread is not None:
            return
        with self._gate:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="qwen-portal-write", daemon=False)
                try:
                    self._thread.start()
                except RuntimeError:
                    # a program that is ending gets no new threads: `flush` writes what waits
                    self._thread = None

    def flush(self) -> None:
        """Write what waits, and let the thread end."""
        self._thread = None
        for _ in range(_LAST_TRIES):
            self._write()
            if not self._left:
                return

    def end(self) -> None:
        """Write what waits, for the last time, and say what could not be written."""
        self._write()
        for sink in self._left:
            self._warn_once(sink, "another program did not let go of it.")

    def _run(self) -> None:
        idle, program, myself = 0, threading.main_thread(), threading.current_thread()
        try:
            while self._thread is myself and idle < _IDLE_ROUNDS and program.is_alive():
                # a pause that ends with the program
                program.join(_PAUSE)
                idle = 0 if self._write() else idle + 1
        finally:
            if self._thread is myself:
                # whoever adds an item from here on starts another thread
                self.flush()

    def _write(self) -> bool:
        """Write a batch for each sink; tell whether there was anything."""
        with self._writing:
            batches = {sink: [*self._left.pop(sink, ()), *_taken(waiting)] for sink, waiting in self._sinks()}
            for sink, batch in batches.items():
                if not batch:
                    continue
                try:
                    self._left[sink] = sink.write(batch)[-sink.most :]
                except QwenStoreError as exc:
                    self._warn_once(sink, exc)
            self._left = {sink: left for sink, left in self._left.items() if left}
        return any(batches.values())

    def _sinks(self) -> list[tuple[Sink, "queue.SimpleQueue[Any]"]]:
        return list(self._waiting.items())

    def _warn_once(self, sink: Sink, why: object) -> None:
        if sink in self._warned:
            return
        self._warned.add(sink)
        import logging

        logging.getLogger("qwen_portal").warning("%s: %s (said once)", sink.loss, why)


def _taken(waiting: "queue.SimpleQueue[Any]") -> list[Any]:
    # no more than there are now: a busy program would never let a batch end
    return [waiting.get_nowait() for _ in range(waiting.qsize())]


_writer = _Writer()


def hand_over(sink: Sink, item: Any, *, in_finalizer: bool = False) -> None:
    """Have an item written soon; if its sink has too many waiting, it is lost.

    Args:
        sink: Where to.
        item: What.
        in_finalizer: Whether no thread may be started; the item then waits for the next one, or for the program's end.
    """
    _writer.add(sink, item)
    if not in_finalizer:
        _writer.start()


def flush() -> None:
    """Write what waits, here and now, and end the thread; the next item starts another."""
    _writer.flush()


def _after_fork() -> None:
    """Let a forked child begin anew; what its parent has not written yet is its parent's."""
    global _writer  # noqa: PLW0603 - the queues of this process are there once
    _writer = _Writer()


def _at_exit() -> None:
    _writer.end()


# Finalizers may have left something when no thread was there.
atexit.register(_at_exit)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
