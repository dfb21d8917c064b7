"""One soak from its start to its verdict: an exit code of 1 says that something was lost, hung or leaked.

It ends by itself, always: who stands still is waited for no longer than PATIENCE, and behind that a watchdog of the
interpreter's own shows all stacks and ends the process. It needs Linux, whose /proc tells descriptors and memory.
"""

import argparse
import asyncio
import faulthandler
import gc
import importlib
import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.soak.canaries import CanaryWatch
from tests.soak.disturbances import disturbances
from tests.soak.server_process import ServerProcess, running_service
from tests.soak.verdict import Verdict
from tests.soak.watch import PATIENCE, Watch, descriptors, dump, standing_still
from tests.soak.workers import Job, Tally, TaskWorker, ThreadWorker
from tests.soak.workload import Workload

WORKLOADS = {
    "ours": "ours:Ours",
    "httpx": "peer_httpx:Httpx",
    "msal": "peer_msal:Msal",
    "copilot": "peer_copilot:Copilot",
}
_ACCOUNTS, _LOOPS = 6, 2
# After the run: for what is still under way, and to see that all is closed.
_SETTLING, _CLOSING = 10.0, 10.0
_LONGEST_END = PATIENCE + 120.0


class Loops:
    """Event loops, each in a thread of its own."""

    def __init__(self, many: int) -> None:
        self.loops = [asyncio.new_event_loop() for _ in range(many)]
        self._threads = [
            threading.Thread(target=loop.run_forever, name=f"soak-loop-{number}", daemon=True)
            for number, loop in enumerate(self.loops)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, number: int, worker: TaskWorker) -> None:
        """Let one of them run a worker."""
        asyncio.run_coroutine_threadsafe(worker.run(), self.loops[number % len(self.loops)])

    def close(self, workload: Workload) -> None:
        """Close what each has open, and then itself."""
        for loop, thread in zip(self.loops, self._threads, strict=True):
            asyncio.run_coroutine_threadsafe(workload.aclose(), loop).result(PATIENCE)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(PATIENCE)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


class Soak:
    """One run.

    Args:
        options: From the command line.
        service: What is asked.
        workload: What asks.
        canaries: Reads logs and errors.
    """

    def __init__(
        self, options: argparse.Namespace, service: ServerProcess, workload: Workload, canaries: CanaryWatch
    ) -> None:
        self._options = options
        self._service = service
        self._workload = workload
        self._canaries = canaries
        self._descriptors = descriptors()
        self._lost: list[str] = []
        self._over = threading.Event()
        self._loops = Loops(_LOOPS)
        self._watch = Watch(workload, service, self._loops.loops)
        self._tally = Tally(workload, canaries)
        labels = [each.label for each in service.sign_ins]
        job = Job(workload, labels, self._tally, self._over, options.patient)
        self._threads = [ThreadWorker(f"thread {n}", options.seed + n, job) for n in range(options.threads)]
        self._tasks = [TaskWorker(f"task {n}", ~(options.seed + n), job) for n in range(options.tasks)]
        self._workers = [*self._threads, *self._tasks]

    def run(self) -> Verdict:
        """Ask, disturb, watch, close, judge."""
        with disturbances(self._options.seed, in_locks=not self._options.patient) as disturbed:
            for thread in self._threads:
                thread.start()
            for number, task in enumerate(self._tasks):
                self._loops.start(number, task)
            self._watch_for(self._options.seconds)
            asked = self._watch.samples[-1].seconds
            self._over.set()
            _until(lambda: all(each.is_done for each in self._workers) or self._hung(), PATIENCE * 2)
            standing = standing_still(self._workers)
            dump(standing)
            hung = [f"{each.name}: {each.doing}" for each in standing]
        self._service.calm()
        if hung:
            # to collect, or to close, could be what hangs
            return self._verdict(asked, hung, self._workload.busy(), 0, disturbed)
        streams = self._open_streams()
        self._ask_anew()
        return self._verdict(asked, hung, streams, self._close(), disturbed)

    def _hung(self) -> bool:
        return bool(standing_still(self._workers))

    def _watch_for(self, seconds: float) -> None:
        end, told = time.monotonic() + seconds, 0.0
        while (left := end - time.monotonic()) > 0 and not self._hung():
            self._over.wait(min(1.0, left))
            sample = self._watch.look()
            if sample.seconds - told >= self._options.every:
                told = sample.seconds
                print(sample, flush=True)

    def _open_streams(self) -> int:
        """Return what is still under way when everybody has left."""

        def under_way() -> int:
            gc.collect()
            return max(self._workload.busy(), int(self._service.figures["in_progress"]))

        _until(lambda: not under_way(), _SETTLING)
        return under_way()

    def _ask_anew(self) -> None:
        """See that each sign-in is still good for another token."""
        for each in self._service.sign_ins:
            try:
                self._workload.ask_anew(each.label)
            except Exception as exc:  # noqa: BLE001 - whatever it is, this account has no token
                self._canaries.read_error(exc)
                self._lost.append(f"{each.label}: {exc}"[:200])

    def _close(self) -> int:
        self._loops.close(self._workload)
        self._workload.close()
        _until(lambda: not self._service.figures["connections"], _CLOSING)
        return int(self._service.figures["connections"])

    def _verdict(self, asked: float, hung: list[str], streams: int, connections: int, disturbed: Any) -> Verdict:
        figures, samples = self._service.figures, self._watch.samples
        early, late = self._watch.growth()
        at_five = next((each.rss for each in samples if each.seconds >= 300), samples[-1].rss)
        return Verdict(
            workload=self._options.workload,
            seed=self._options.seed,
            seconds=round(asked),
            workers=len(self._workers),
            left=dict(self._tally.left),
            errors=dict(self._tally.errors),
            injected={**figures["injected"], **disturbed},
            statuses=figures["statuses"],
            tokens=figures["tokens"],
            ended=figures["ended"],
            lost=self._lost,
            hung=hung,
            open_streams=streams,
            open_connections=connections,
            descriptors=0 if hung else descriptors() - self._descriptors,
            canaries=self._canaries.found,
            undue=dict(self._tally.undue),
            rss={
                "second sixth": round(early, 1),
                "last third": round(late, 1),
                "at 5 min": round(at_five, 1),
                "end": round(samples[-1].rss, 1),
            },
            is_flat=self._watch.is_flat(),
        )


def _until(holds: Callable[[], object], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not holds() and time.monotonic() < limit:
        time.sleep(0.1)


def _workload(name: str) -> Callable[..., Workload]:
    module, cls = WORKLOADS[name].split(":")
    made: Callable[..., Workload] = getattr(importlib.import_module(f"tests.soak.{module}"), cls)
    return made


def main() -> int:
    """Run a soak; return the exit code."""
    parser = argparse.ArgumentParser(prog="tests/soak", description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--workload", choices=WORKLOADS, default="ours")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--threads", type=int, default=80)
    parser.add_argument("--tasks", type=int, default=120)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two lines of figures")
    parser.add_argument("--patient", action="store_true", help="read every stream to its end, cancel nothing")
    parser.add_argument("--service-python", default=sys.executable)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    # it would fetch its price table from the network when it is imported
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    faulthandler.enable()
    # to see where everybody stands
    faulthandler.register(signal.SIGUSR1)
    faulthandler.dump_traceback_later(options.seconds + _LONGEST_END, exit=True)
    canaries = CanaryWatch()
    logging.getLogger().addHandler(canaries)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        running_service(options.service_python, options.seed, _ACCOUNTS) as service,
    ):
        workload = _workload(options.workload)(service.url, service.sign_ins, Path(home))
        gc.collect()
        gc.freeze()
        verdict = Soak(options, service, workload, canaries).run()
    print(verdict, flush=True)
    if options.json:
        verdict.write(options.json)
    return 1 if verdict.missed else 0
