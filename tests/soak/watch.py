"""What is watched while a soak runs: connections, descriptors, threads, tasks, memory, and who stands still."""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from tests.soak.memory import allocated, blocks, resident
from tests.soak.server_process import ServerProcess
from tests.soak.workers import Worker
from tests.soak.workload import Workload

# An answer has its 20 s, and a refresh or another account may come before it. On a machine that others use, too, a call
# was seen to take a minute; who hangs, hangs for ever.
PATIENCE = 180.0
# What counts as flat: the last third of a run above its second sixth, by the medians.
MOST_GROWTH, MOST_GROWTH_MIB = 0.05, 16.0
# In seconds; the start alone takes some.
SHORTEST = 55.0


class Sample(NamedTuple):
    """One look.

    Attributes:
        seconds: Since the start.
        connections: At the service.
        in_progress: Requests that the service is answering.
        busy: Connections in use in the client's own pools.
        descriptors: Of the process.
        threads: Of the process.
        tasks: Of its event loops.
        rss: Resident memory, in MiB.
        allocated: What malloc has handed out of it, in MiB.
        blocks: Small objects, in thousands.
    """

    seconds: float
    connections: int
    in_progress: int
    busy: int
    descriptors: int
    threads: int
    tasks: int
    rss: float
    allocated: float
    blocks: int

    def __str__(self) -> str:
        """Name the figures."""
        return (
            f"{self.seconds:6.0f} s  {self.connections:4} connections, {self.in_progress:3} answers under way, "
            f"{self.busy:3} busy here, {self.descriptors:4} descriptors, {self.threads:4} threads, "
            f"{self.tasks:4} tasks, {self.rss:6.1f} MiB, of which {self.allocated:5.1f} by malloc, "
            f"{self.blocks:5} k blocks"
        )


class Watch:
    """The looks at one run.

    Args:
        workload: Whose pools are looked into.
        service: Whose figures are read.
        loops: The event loops, which may get more.
    """

    def __init__(self, workload: Workload, service: ServerProcess, loops: Sequence[asyncio.AbstractEventLoop]) -> None:
        self._workload = workload
        self._service = service
        self._loops = loops
        self._start = time.monotonic()
        self.samples: list[Sample] = []

    def look(self) -> Sample:
        """Take a sample."""
        figures = self._service.figures
        sample = Sample(
            time.monotonic() - self._start,
            figures.get("connections", 0),
            figures.get("in_progress", 0),
            self._workload.busy(),
            descriptors(),
            threading.active_count(),
            sum(len(asyncio.all_tasks(loop)) for loop in self._loops),
            resident(),
            allocated(),
            blocks(),
        )
        self.samples.append(sample)
        return sample

    def growth(self) -> tuple[float, float]:
        """Return the resident memory's medians in the second sixth and in the last third of the run, in MiB."""
        whole = self.samples[-1].seconds
        early = [each.rss for each in self.samples if whole / 6 <= each.seconds <= whole / 3]
        late = [each.rss for each in self.samples if each.seconds >= whole * 2 / 3]
        return median(early), median(late)

    def is_flat(self) -> bool:
        """Whether the memory has come to rest: beyond the margin nothing was added. A run of seconds cannot tell."""
        early, late = self.growth()
        return self.samples[-1].seconds < SHORTEST or late - early <= max(MOST_GROWTH * early, MOST_GROWTH_MIB)


def descriptors() -> int:
    """Return how many descriptors the process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one call, and no objects


def standing_still(workers: Sequence[Worker], patience: float = PATIENCE) -> list[Worker]:
    """Return the workers that have not got on for longer than any limit allows."""
    return [each for each in workers if each.standing() > patience]


def dump(hung: Sequence[Worker]) -> None:
    """Say on stderr where everybody stands."""
    if not hung:
        return
    for worker in hung:
        print(
            f"{worker.name} has stood still for {worker.standing():.0f} s: {worker.doing}; {worker.stack()}",
            file=sys.stderr,
            flush=True,
        )
    faulthandler.dump_traceback(all_threads=True)
