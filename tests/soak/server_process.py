"""The service's process, as the client of a soak sees it."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.soak.workload import SignIn

ROOT = Path(__file__).parents[2]
# At the end of the path: the soak is found in the checkout, the package where it is installed.
_BEGIN = f"import sys; sys.path.append({str(ROOT)!r}); from tests.soak.service import main; main()"


class ServerProcess:
    """A running service.

    Args:
        process: It.

    Attributes:
        url: Its address.
        sign_ins: What it issued to begin with.
        figures: The newest.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        self.url: str = hello["url"]
        self.sign_ins = [SignIn(**each) for each in hello["sign_ins"]]
        self.figures: dict[str, Any] = {}
        threading.Thread(target=self._read, name="soak-figures", daemon=True).start()

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        assert self._process.stdin is not None
        self._process.stdin.write("calm\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.figures = json.loads(line)


@contextmanager
def running_service(python: str, seed: int, accounts: int) -> Iterator[ServerProcess]:
    """Run a service for as long as the block runs.

    Args:
        python: An interpreter that has this package with its emulator.
        seed: Of its dice.
        accounts: How many sign-ins it issues.
    """
    pipe, environment = subprocess.PIPE, {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [python, "-c", _BEGIN, str(seed), str(accounts)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield ServerProcess(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
