"""The real qwen CLI against the emulator: an independent client, which the emulator must not have to convince."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_portal.emulator import Emulator
from tests.real.qwen_cli import ADDRESSES, HOSTS, TIMEOUT, QwenCli, qwen_cli

pytestmark = pytest.mark.real

HERE = Path(__file__).parent


@pytest.fixture
def qwen(emulator: Emulator, tmp_path: Path) -> Iterator[QwenCli]:
    """Prepare the CLI; it must be installed."""
    with qwen_cli(emulator, tmp_path) as prepared:
        yield prepared


@pytest.mark.parametrize(
    "call",
    [
        "fetch('https://portal.qwen.ai.example/')",
        "fetch('http://portal.qwen.ai/')",
        "fetch('https://127.0.0.1:8443/')",
        "require('node:dns').promises.lookup('localhost')",
        "new Promise((_, no) => require('node:https').get('https://203.0.113.1/').on('error', no))",
    ],
)
def test_the_bridge_notices_every_other_way_out(qwen: QwenCli, call: str) -> None:
    """Under the preload a program reaches no other host or port, and its attempt is on record."""
    program = f"{call}.then(() => process.exit(1), error => console.log(String(error.cause ?? error)))"
    done = subprocess.run(
        ["node", "-e", program], env=qwen.environment, capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert "is not bridged" in done.stdout
    assert qwen.asked()
    assert qwen.bridge.asked == []


def test_the_qwen_cli_signs_in_and_gets_an_answer(qwen: QwenCli, emulator: Emulator) -> None:
    """Device code, polls, token and a chat with that token, at the two hosts' names and nowhere else."""
    events = qwen.ask("what is 2+2?")
    started, result = events[0], events[-1]
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]["@qwen-code/qwen-code"]
    assert started["qwen_code_version"] == pinned
    assert (result["type"], result["is_error"]) == ("result", False)
    assert "4" in result["result"]

    kept = json.loads(qwen.sign_in_file().read_text())
    # This version leaves the mode of a new file to the umask; whoever takes the file over must expect that.
    assert qwen.sign_in_mode() == 0o644
    assert set(kept) == {"access_token", "refresh_token", "token_type", "resource_url", "expiry_date"}
    assert (kept["token_type"], kept["resource_url"]) == ("Bearer", "portal.qwen.ai")
    assert {kept["access_token"], kept["refresh_token"]} <= set(emulator.issued_tokens())
    assert kept["expiry_date"] > time.time() * 1000

    sign_in = [(entry.place, entry.status, entry.host) for entry in emulator.log() if entry.place != "chat"]
    assert sign_in == [
        ("device", 200, "chat.qwen.ai"),
        ("poll", 400, "chat.qwen.ai"),
        ("poll", 400, "chat.qwen.ai"),
        ("poll", 200, "chat.qwen.ai"),
    ]
    assert emulator.chats()
    for chat in emulator.chats():
        assert (chat.status, chat.host, chat.finished) == (200, "portal.qwen.ai", True)
        assert chat.headers["authorization"] == f"Bearer {kept['access_token']}"
    assert qwen.asked() == ADDRESSES
    assert set(qwen.bridge.asked) == set(HOSTS)


def test_the_qwen_cli_stays_signed_in_and_refreshes(qwen: QwenCli, emulator: Emulator) -> None:
    """A second question needs no sign-in; a revoked token costs one refresh, and the new pair is kept, 0600."""
    qwen.ask("what is 2+2?")
    before = json.loads(qwen.sign_in_file().read_text())
    emulator.clear_log()
    assert "6" in qwen.ask("what is 3+3?")[-1]["result"]
    assert {entry.place for entry in emulator.log()} == {"chat"}

    emulator.revoke()
    emulator.clear_log()
    assert "8" in qwen.ask("what is 4+4?")[-1]["result"]
    assert [entry.status for entry in emulator.log("refresh")] == [200]
    assert not emulator.log("device")
    after = json.loads(qwen.sign_in_file().read_text())
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]
    assert qwen.sign_in_mode() == 0o600
    assert qwen.asked() == ADDRESSES
