"""Codex CLI and Claude Code through ``qwen-portal proxy``: each reads a file with a tool of its own, and answers.

Behind the proxy is the emulator, which refuses what the service refuses. Both programs get a HOME that is thrown away,
and a proxy that is dead for every other host than this machine.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen_portal.emulator import Emulator
from tests.real.litellm_proxy import PORTAL, Proxy, environment, free_port, running, sign_in

pytestmark = [pytest.mark.real, pytest.mark.reported("openai/codex#10257")]

WORD = "heron-42"
LIMIT = 180.0


@pytest.fixture(scope="module")
def portal() -> Iterator[Emulator]:
    """Run the emulated service."""
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def proxy(portal: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Run ``qwen-portal proxy`` without a key, as a person does on their own machine."""
    folder, port = tmp_path_factory.mktemp("proxy"), free_port()
    variables = environment(portal, folder / "state", LITELLM_MASTER_KEY="")
    sign_in(variables)
    with running([*PORTAL, "proxy", "--port", str(port)], port, folder / "log", variables) as started:
        yield started


@pytest.fixture
def project(portal: Emulator, tmp_path: Path) -> Path:
    """Make a folder with the file that the task is about."""
    portal.clear_log()
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "notes.txt").write_text(f"The code word is {WORD}.\n", "utf-8")
    return folder


def run(command: list[str], project: Path, **variables: str) -> str:
    """Run a program in the project; return its stdout."""
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        command,
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_PROXY": "127.0.0.1",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def assert_all_taken(portal: Emulator) -> None:
    """The service refused nothing, and saw the file only because a tool had read it."""
    chats = portal.chats()
    assert [chat.status for chat in chats] == [200] * len(chats)
    assert WORD not in json.dumps(chats[0].body)
    assert any(message["role"] == "tool" and WORD in str(message["content"]) for message in chats[-1].body["messages"])


def test_codex_with_its_defaults_reads_a_file_and_answers(proxy: Proxy, portal: Emulator, project: Path) -> None:
    """openai/codex#10257: by default it offers a web search with every request, and each was a 400."""
    home = project.parent / "home" / ".codex"
    home.mkdir(parents=True)
    (home / "config.toml").write_text(
        f"""
model = "coder-model"
model_provider = "qwen"
[model_providers.qwen]
name = "Qwen"
base_url = "{proxy.url}/v1"
wire_api = "responses"
""",
        "utf-8",
    )
    task = 'Use exec_command with cmd "cat notes.txt" and tell me the code word.'
    events = run(["codex", "exec", "--skip-git-repo-check", "--json", task], project).splitlines()
    items: list[Any] = [json.loads(event).get("item") or {} for event in events]
    assert [WORD in item["text"] for item in items if item.get("type") == "agent_message"] == [True]
    assert_all_taken(portal)


def test_claude_code_reads_a_file_and_answers(proxy: Proxy, portal: Emulator, project: Path) -> None:
    """It speaks Anthropic's Messages, and weaves notes into the conversation that the bridge makes messages of."""
    task = f'Use Read with file_path "{project / "notes.txt"}" and tell me the code word.'
    options = ["--tools", "Read", "--allowedTools", "Read", "--output-format", "json"]
    said: Any = json.loads(
        run(
            [_claude_code(), "-p", task, *options],
            project,
            ANTHROPIC_BASE_URL=proxy.url,
            ANTHROPIC_AUTH_TOKEN="none",
            ANTHROPIC_MODEL="coder-model",
            ANTHROPIC_DEFAULT_HAIKU_MODEL="coder-model",
            ANTHROPIC_DEFAULT_SONNET_MODEL="coder-model",
            CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
            DISABLE_AUTOUPDATER="1",
        )
    )
    assert not said["is_error"]
    assert WORD in said["result"]
    assert_all_taken(portal)


def _claude_code() -> str:
    """Find the program itself: what is on PATH is put in place by an install script, and none is run."""
    codex = shutil.which("codex")
    assert codex is not None, "scripts/install_real_parts.sh installs it"
    modules = Path(codex).parent.parent
    (found,) = (modules / "@anthropic-ai").glob("claude-code-*/claude")
    return str(found)
