"""Programs that these tests start: a Python text, its lines read as they come."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.login_never_lost.accounts import PATIENCE

# At the end of the path: these helpers are found in the checkout, the package where it is installed. What the test
# does to the store shows at once, not only after 100 ms; and nothing is waited for that only a power cut would show.
_BEGIN = f"""
import os; os.fsync = os.fstat
import sys; sys.path.append({str(Path(__file__).parents[2])!r})
import qwen_portal.storage.index_cache; qwen_portal.storage.index_cache._SECONDS = 0.0
"""


class Program:
    """A child process whose stdin and stdout are lines.

    Args:
        text: Python.
        *args: For its sys.argv.
    """

    def __init__(self, text: str, *args: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BEGIN + text, *args], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def say(self, line: str) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Wait for a line; the end of the program instead is a failure that shows its stderr."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.process.communicate(timeout=PATIENCE)}"
        return line.rstrip("\n")

    def end(self) -> tuple[int, str, str]:
        """Wait for the program's end; return its code and what was left on stdout and stderr."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it whatever happened."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def programs(text: str, args: Sequence[Sequence[str]]) -> Iterator[list[Program]]:
    """Run one text several times at once, each with its own arguments."""
    with ExitStack() as stack:
        yield [stack.enter_context(Program(text, *each)) for each in args]
