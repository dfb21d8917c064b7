"""The crowd of a soak: threads and tasks that ask, and leave their streams in every way that programs do."""

import asyncio
import gc
import inspect
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from random import Random
from traceback import walk_stack
from typing import NamedTuple, TypeVar

from tests.soak.canaries import CanaryWatch
from tests.soak.workload import AsyncWay, Question, Workload

T = TypeVar("T")

_WORDS = (4, 24)
# How a stream is left, and how often.
_TO_ITS_END = "read to its end"
_LEFT_BY_THREADS = {_TO_ITS_END: 10, "broken off": 3, "closed": 2, "left in a cycle": 2}
_LEFT_BY_TASKS = {**_LEFT_BY_THREADS, "cancelled": 3, "cancelled twice": 1}
_CANCELLED_WITHIN = 3.0
# Seconds at most, before the next call.
_AFTER_AN_ERROR = 2.0
# Coroutines and async generators name their frames alike.
_KINDS = ("cr", "ag")


class Tally:
    """What came of all calls.

    Args:
        workload: Tells one error from another.
        canaries: Reads every error.
    """

    def __init__(self, workload: Workload, canaries: CanaryWatch) -> None:
        self._workload = workload
        self._canaries = canaries
        self._lock = threading.Lock()
        self.left: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.undue: Counter[str] = Counter()

    def note(self, how: str) -> None:
        """Count a stream that was left without an error."""
        with self._lock:
            self.left[how] += 1

    def failed(self, error: BaseException) -> None:
        """Count a call that failed."""
        self._canaries.read_error(error)
        with self._lock:
            self.errors[type(error).__name__] += 1
            if not self._workload.is_due(error):
                self.undue[f"{type(error).__name__}: {error}"[:200]] += 1


class Job(NamedTuple):
    """What all workers do.

    Attributes:
        workload: What they ask with.
        accounts: Labels.
        tally: Takes what came of it.
        over: When to leave.
        patient: Whether every stream is read to its end.
    """

    workload: Workload
    accounts: list[str]
    tally: Tally
    over: threading.Event
    patient: bool


class Worker(ABC):
    """One of the crowd: it asks again and again, and says when it last got on.

    Args:
        name: For people.
        seed: Of its dice.
        job: What it does.

    Attributes:
        got_on_at: When it last got on, by the monotonic clock.
        doing: What it is doing.
        is_done: Whether it has left.
    """

    def __init__(self, name: str, seed: int, job: Job) -> None:
        self.name = name
        self.got_on_at = time.monotonic()
        self.doing = "nothing yet"
        self.is_done = False
        self.random = Random(seed)  # noqa: S311 - not for secrets
        self.thread_id: int | None = None
        self._job = job

    def get_on(self) -> None:
        """Show that this worker does not stand still."""
        self.got_on_at = time.monotonic()

    def standing(self) -> float:
        """Return for how many seconds it has not got on."""
        return 0.0 if self.is_done else time.monotonic() - self.got_on_at

    def _question(self) -> Question:
        account = self.random.choice([None, *self._job.accounts])
        return Question(account, f"Give me {self.random.randint(*_WORDS)} words.")

    def _plan(self, ways: Mapping[str, T], leaving: Mapping[str, int]) -> tuple[T, str, int]:
        """Choose a way to ask, a way to leave, and after how many chunks."""
        way = self.random.choice(list(ways))
        left = self.random.choices(list(leaving), list(leaving.values()))[0] if not self._job.patient else _TO_ITS_END
        self.doing = f"{way}, to be {left}"
        self.get_on()
        return ways[way], left, self.random.randint(1, 12)

    @abstractmethod
    def stack(self) -> str:
        """Say where it stands; a dump of all threads ends after a hundred of them, and shows no tasks."""


class ThreadWorker(Worker):
    """A thread."""

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def stack(self) -> str:
        """Name the frames of the thread, the innermost last."""
        frame = sys._current_frames().get(self.thread_id or 0)
        names = [] if frame is None else [f"{each.f_code.co_qualname}:{line}" for each, line in walk_stack(frame)]
        return " > ".join(reversed(names))

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        while not self._job.over.is_set():
            try:
                self._job.tally.note(self._ask())
            except Exception as exc:  # noqa: BLE001 - every error is looked at
                self._job.tally.failed(exc)
                self._job.over.wait(self.random.random() * _AFTER_AN_ERROR)
            self.get_on()
        self.is_done = True

    def _ask(self) -> str:
        way, left, chunks = self._plan(self._job.workload.ways, _LEFT_BY_THREADS)
        stream = way(self._question())
        for number, _ in enumerate(stream, 1):
            self.get_on()
            if (left != _TO_ITS_END and number >= chunks) or self._job.over.is_set():
                break
        if left == "closed" and hasattr(stream, "close"):
            stream.close()
        if left == "left in a cycle":
            cycle: list[object] = [stream]
            cycle.append(cycle)
        return left


class TaskWorker(Worker):
    """A task of an event loop."""

    _task: "asyncio.Task[str] | None" = None

    async def run(self) -> None:
        """Go on until it is over."""
        while not self._job.over.is_set():
            way, left, chunks = self._plan(self._job.workload.async_ways, _LEFT_BY_TASKS)
            self._task = asyncio.ensure_future(self._ask(way, left, chunks))
            if left.startswith("cancelled"):
                await self._cancel(self._task, twice=left == "cancelled twice")
            await asyncio.wait([self._task])
            if self._task.cancelled():
                self._job.tally.note(left)
            elif error := self._task.exception():
                self._job.tally.failed(error)
                del error
                await asyncio.sleep(self.random.random() * _AFTER_AN_ERROR)
            else:
                self._job.tally.note(_TO_ITS_END if left.startswith("cancelled") else left)
            self._task = None
            self.get_on()
        self.is_done = True

    def stack(self) -> str:
        """Name what the task awaits, and what that awaits, down to the event loop."""
        names: list[str] = []
        awaited: object = None if self._task is None else self._task.get_coro()
        while awaited is not None:
            frame = next((found for kind in _KINDS if (found := getattr(awaited, f"{kind}_frame", None))), None)
            names.append(repr(awaited) if frame is None else f"{frame.f_code.co_qualname}:{frame.f_lineno}")
            held = [] if frame is not None else [each for each in gc.get_referents(awaited) if inspect.isasyncgen(each)]
            inner = next((found for kind in _KINDS if (found := getattr(awaited, f"{kind}_await", None))), None)
            awaited = held[0] if held else inner
        return " > ".join(names)

    async def _cancel(self, task: "asyncio.Task[str]", *, twice: bool) -> None:
        await asyncio.wait([task], timeout=self.random.random() ** 2 * _CANCELLED_WITHIN)
        task.cancel()
        if twice:
            for _ in range(self.random.randrange(5)):
                await asyncio.sleep(0)
            task.cancel()

    async def _ask(self, way: AsyncWay, left: str, chunks: int) -> str:
        stream, number = await way(self._question()), 0
        async for _ in stream:
            self.get_on()
            number += 1
            if (left in {"broken off", "closed", "left in a cycle"} and number >= chunks) or self._job.over.is_set():
                break
        if left == "closed" and hasattr(stream, "aclose"):
            await stream.aclose()
        if left == "left in a cycle":
            cycle: list[object] = [stream]
            cycle.append(cycle)
        return left
