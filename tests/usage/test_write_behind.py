"""The thread that writes: it is there when needed, holds nobody up, and bounds what waits."""

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from qwen_portal.errors import QwenStoreError
from qwen_portal.storage import write_behind
from qwen_portal.storage.write_behind import flush, hand_over
from tests.connections import until


class Shelf:
    """A sink in memory.

    Attributes:
        written: What was written, in order.
        batches: How many times.
        gate: What a write waits for.
        refuse: Takes the place of a write.
    """

    most = 100
    loss = "nothing is kept"

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.batches = 0
        self.refuse: Callable[[Sequence[Any]], Sequence[Any]] | None = None
        self.gate = threading.Event()
        self.gate.set()

    def write(self, batch: Sequence[Any]) -> Sequence[Any]:
        """Keep a batch."""
        if self.refuse is not None:
            return self.refuse(batch)
        self.gate.wait(30)
        self.batches += 1
        self.written += batch
        return ()


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A sink of this test, and a thread that makes short pauses."""
    monkeypatch.setattr(write_behind, "_PAUSE", 0.05)
    shelf = Shelf()
    yield shelf
    shelf.gate.set()


def test_what_is_handed_over_is_written_soon_and_in_order(shelf: Shelf) -> None:
    """In batches, by a thread that ends when nothing comes any more."""
    for number in range(50):
        hand_over(shelf, number)

    assert until(lambda: len(shelf.written) == 50)
    assert shelf.written == list(range(50))
    assert shelf.batches < 50
    assert until(lambda: "qwen-portal-write" not in {thread.name for thread in threading.enumerate()})


def test_nobody_waits_for_a_slow_disk_and_what_waits_is_bounded(shelf: Shelf) -> None:
    """A thousand items while a write hangs: all are handed over at once, and a hundred are kept."""
    shelf.gate.clear()
    for number in range(1000):
        hand_over(shelf, number)
    shelf.gate.set()
    flush()

    # those of a batch that the thread had taken already do not count as waiting
    assert 100 <= len(shelf.written) <= 200
    assert shelf.written[:100] == list(range(100))


def test_what_another_program_kept_from_being_written_is_tried_again(shelf: Shelf) -> None:
    """The next batch has it, first."""
    refused: list[Any] = []

    def refuse(batch: Sequence[Any]) -> Sequence[Any]:
        refused.append(list(batch))
        shelf.refuse = None
        return batch

    shelf.refuse = refuse
    hand_over(shelf, 1, in_finalizer=True)
    hand_over(shelf, 2, in_finalizer=True)
    flush()

    assert (refused, shelf.written) == ([[1, 2]], [1, 2])


def test_a_sink_that_fails_is_told_of_once(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    """The items are lost, and the next ones are tried."""

    def fail(_: Sequence[Any]) -> Sequence[Any]:
        raise QwenStoreError("The disk is full.", hint="")

    shelf.refuse = fail
    for _ in range(3):
        hand_over(shelf, 1)
        flush()
    shelf.refuse = None
    hand_over(shelf, 2)
    flush()

    assert [record.getMessage() for record in caplog.records] == [
        "nothing is kept: The disk is full. (said once)",
    ]
    assert shelf.written == [2]


def test_the_collector_may_hand_over_while_a_thread_holds_every_lock(shelf: Shelf) -> None:
    """It runs a finalizer anywhere; broken, this collection never ends."""

    class Dropped:
        def __del__(self) -> None:
            hand_over(shelf, "dropped", in_finalizer=True)

    collected = threading.Event()

    def collect() -> None:
        writer = write_behind._writer
        with writer._gate, writer._writing:
            cycle: list[Any] = [Dropped()]
            cycle.append(cycle)
            del cycle
            gc.collect()
            collected.set()

    threading.Thread(target=collect, daemon=True).start()
    assert collected.wait(30)
    flush()
    assert shelf.written == ["dropped"]
