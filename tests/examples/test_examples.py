"""The example scripts, run as a person runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

from qwen_portal.emulator import Emulator
from tests.children import loopback_only

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("unmeasured")]

ROOT = Path(__file__).parents[2]
SECONDS = 120


def run(name: str, *arguments: str) -> str:
    """Run an example with the test's account; return its stdout."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *arguments],
        env=loopback_only(),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_langchain_agent_calls_its_tool(signed_in: Emulator) -> None:
    """The agent asks, calls the tool, and answers from its result, in two requests."""
    assert "42" in run("langchain_agent.py").splitlines()[-1]
    assert [entry.body["messages"][-1]["role"] for entry in signed_in.chats()] == ["user", "tool"]


def test_litellm_stream_streams(signed_in: Emulator) -> None:
    """The answer is asked for as a stream, and printed."""
    assert "42" in run("litellm_stream.py")
    assert [entry.body["stream"] for entry in signed_in.chats()] == [True]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_is_short_and_takes_a_question(path: Path, signed_in: Emulator) -> None:
    """Each example fits on a screen, and asks what is said on its command line."""
    assert len(path.read_text("utf-8").splitlines()) <= 40
    run(path.name, "Say", '"exactly this"')
    assert signed_in.chats()[0].body["messages"][-1]["content"] == 'Say "exactly this"'


@pytest.mark.parametrize("call", ["create_connection(('192.0.2.1', 80))", "getaddrinfo('example.com', 80)"])
def test_children_of_these_tests_reach_no_other_machine(call: str) -> None:
    """The examples and the notebook's kernel are cut off from the network, so nothing they need can come from there."""
    done = subprocess.run(
        [sys.executable, "-c", f"import socket; socket.{call}"],
        env=loopback_only(),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    assert "RuntimeError: a test tried to reach" in done.stderr
