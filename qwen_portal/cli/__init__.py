"""The command line: ``qwen-portal``. Stdout is data, stderr is talk."""

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

# SIGHUP: the terminal's window was closed. Windows has none.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main() -> None:
    """Run the command line and exit."""
    # What is imported from here on lives as long as the process. Searching it for garbage, now and at the exit, takes
    # a tenth of the time of `--help` and `status`; the collector starts when the command's module is there.
    gc.disable()
    from qwen_portal.cli.root import cli

    gc.freeze()
    for stream in (sys.stdout, sys.stderr):
        # a model's answer may hold what this terminal's encoding lacks
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.stdin is None:
        # closed by who started this; nothing can be read from it, and no file of ours may take its number
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - for the life of the process
    _end_by_exception()
    try:
        cli(prog_name="qwen-portal")
    finally:
        # The interpreter now waits for a refresh under way (seconds); a second signal would lose what the first spared.
        for number in (signal.SIGINT, *_ENDING):
            signal.signal(number, signal.SIG_IGN)


def _end_by_exception() -> None:
    """Let a signal end the program as Ctrl-C does: its default ends it on the spot, a refresh under way included."""
    for number in _ENDING:
        # someone who ignores it, as nohup does, has a reason
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
