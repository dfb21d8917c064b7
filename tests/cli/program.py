"""Running the command line: in this process, as a program, and as a program at a terminal."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from click.testing import CliRunner, Result

from qwen_portal.cli.root import cli

LIMIT = 60.0
PROGRAM = [sys.executable, "-m", "qwen_portal"]


def run(*args: str, stdin: str = "") -> Result:
    """Run a command in this process; its stdin is no terminal."""
    return CliRunner().invoke(cli, args, input=stdin, prog_name="qwen-portal")


def run_program(*args: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a program of its own."""
    return subprocess.run(
        [*PROGRAM, *args],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@contextmanager
def at_terminal(*args: str, program: Sequence[str] = PROGRAM) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a command, or another program, whose stdin is a terminal; yield it and the descriptor of the person's side.

    A program that hangs is ended after LIMIT seconds; where it stood is on its stderr, which the test reads or pytest
    shows.
    """
    pty = __import__("pty")  # only POSIX has it, and only these tests need it
    person, terminal = pty.openpty()
    pipe = subprocess.PIPE
    # a session of its own has no other terminal that the program could turn to
    started = subprocess.Popen(
        [*program, *args],
        stdin=terminal,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )
    patience = threading.Timer(LIMIT, started.send_signal, [signal.SIGABRT])
    patience.start()
    try:
        yield started, person
    finally:
        patience.cancel()
        started.kill()
        for rest in (started.stdout, started.stderr):
            if rest is not None and not rest.closed:
                sys.stderr.write(rest.read())
        started.communicate()
        os.close(terminal)
        os.close(person)


def read_until(stream: IO[str] | None, text: str) -> str:
    """Read a program's output up to and with a text; what came is in the error if it ends before."""
    assert stream is not None
    read = ""
    while not read.endswith(text):
        character = stream.read(1)
        assert character, f"{text!r} never came; there was {read!r}"
        read += character
    return read
