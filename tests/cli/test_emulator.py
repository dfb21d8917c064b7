"""``qwen-portal emulator``: the whole service without an account."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.cli.program import PROGRAM, read_until, run


@pytest.mark.skipif(os.name != "posix", reason="SIGINT is how a POSIX terminal says Ctrl-C")
def test_its_first_line_is_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program reads where it listens, signs in there, and ends it with Ctrl-C; that is exit code 0."""
    arguments = ["emulator", "--scenario", "ended", "--scenario", "no-resource-url", "--auto-approve"]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as program:
        try:
            url = json.loads(read_until(program.stdout, "\n"))["url"]
            monkeypatch.setenv("QWEN_PORTAL_API_KEY", "sk-0")
            monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{url}/v1")
            assert "42" in run("chat", "What is 6 times 7?").stdout
        finally:
            program.send_signal(signal.SIGINT)
    assert program.returncode == 0


def test_a_port_that_is_taken_is_an_error() -> None:
    """The message names the port and the option; there is no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("emulator", "--port", port)
    assert result.exit_code == 1
    assert port in result.stderr
    assert "--port" in result.stderr


def test_an_unknown_scenario_lists_those_there_are() -> None:
    """A mistyped name is a usage error that helps."""
    result = run("emulator", "--scenario", "nonsense")
    assert result.exit_code == 2
    assert "slow-down-429" in result.stderr


def test_without_its_extra_the_emulator_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is an extra; the error says which."""
    for name in [name for name in sys.modules if name.startswith("qwen_portal.emulator")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("emulator")
    assert result.exit_code == 1
    assert 'pip install "qwen-portal[emulator]"' in result.stderr
