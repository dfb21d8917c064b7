"""The real qwen CLI against the emulator: an independent client, which the emulator must not have to convince."""

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from qwen_portal.emulator import Emulator
from tests.real.tls_bridge import TlsBridge

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
HOSTS = ("chat.qwen.ai", "portal.qwen.ai")
ADDRESSES = {f"{host}:443" for host in HOSTS}
TIMEOUT = 120.0


@dataclass
class QwenCli:
    """The qwen CLI in a HOME of its own, with a bridge to the emulator in place of its two hosts."""

    home: Path
    environment: dict[str, str]
    bridge: TlsBridge

    def ask(self, prompt: str) -> list[dict[str, Any]]:
        """Ask a question, signing in first if need be; return the events it printed."""
        command = ["qwen", "--auth-type", "qwen-oauth", "-p", prompt, "-o", "json"]
        done = subprocess.run(
            command,
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            umask=0o022,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        events: list[dict[str, Any]] = json.loads(done.stdout)
        return events

    def sign_in_file(self) -> Path:
        """Return where it keeps its tokens."""
        return self.home / ".qwen" / "oauth_creds.json"

    def sign_in_mode(self) -> int:
        """Return the permission bits of that file."""
        return stat.S_IMODE(self.sign_in_file().stat().st_mode)

    def asked(self) -> set[str]:
        """Return every address that it tried to reach."""
        return set(Path(self.environment["BRIDGE_LOG"]).read_text().split())


@pytest.fixture
def qwen(emulator: Emulator, tmp_path: Path) -> Iterator[QwenCli]:
    """Prepare the CLI; it must be installed."""
    assert shutil.which("qwen"), "the qwen CLI is not on PATH; `make test-real` installs it"
    home = tmp_path / "home"
    (home / ".qwen").mkdir(parents=True)
    # Its statistics would go to a third host.
    (home / ".qwen" / "settings.json").write_text(json.dumps({"privacy": {"usageStatisticsEnabled": False}}))
    with TlsBridge(HOSTS, upstream_port=urlsplit(emulator.url).port or 0) as bridge:
        bridge.write_authority(tmp_path / "authority.pem")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_BROWSER": "1",
            "NODE_EXTRA_CA_CERTS": str(tmp_path / "authority.pem"),
            "NODE_OPTIONS": f'--require "{HERE / "redirect.cjs"}"',
            "BRIDGED": ",".join(ADDRESSES),
            "BRIDGE_PORT": str(bridge.port),
            "BRIDGE_LOG": str(tmp_path / "asked.txt"),
        }
        yield QwenCli(home, environment, bridge)


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
