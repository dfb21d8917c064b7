"""The real qwen CLI in a HOME of its own, with the emulator in place of the service."""

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qwen_portal.emulator import Emulator
from tests.real.tls_bridge import TlsBridge

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

    def start(self, prompt: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a process, in a group of its own, that asks a question, signing in first if need be."""
        return subprocess.Popen(
            ["qwen", "--auth-type", "qwen-oauth", "-p", prompt, "-o", "json"],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            umask=0o022,
            start_new_session=True,
        )

    def ask(self, prompt: str) -> list[dict[str, Any]]:
        """Ask a question, signing in first if need be; return the events it printed."""
        with self.start(prompt) as process:
            try:
                out, err = process.communicate(timeout=TIMEOUT)
            finally:
                end(process)
        assert process.returncode == 0, err
        events: list[dict[str, Any]] = json.loads(out)
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


def end(process: subprocess.Popen[str]) -> None:
    """Kill a CLI with the second process that it starts for itself, and which outlives it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def qwen_cli(emulator: Emulator, folder: Path) -> Iterator[QwenCli]:
    """Prepare the CLI; it must be installed."""
    assert shutil.which("qwen"), "the qwen CLI is not on PATH; `make test-real` installs it"
    home = folder / "home"
    (home / ".qwen").mkdir(parents=True)
    # Its statistics would go to a third host.
    (home / ".qwen" / "settings.json").write_text(json.dumps({"privacy": {"usageStatisticsEnabled": False}}))
    with TlsBridge(HOSTS, upstream_port=urlsplit(emulator.url).port or 0) as bridge:
        bridge.write_authority(folder / "authority.pem")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_BROWSER": "1",
            "NODE_EXTRA_CA_CERTS": str(folder / "authority.pem"),
            "NODE_OPTIONS": f'--require "{HERE / "redirect.cjs"}"',
            "BRIDGED": ",".join(ADDRESSES),
            "BRIDGE_PORT": str(bridge.port),
            "BRIDGE_LOG": str(folder / "asked.txt"),
        }
        yield QwenCli(home, environment, bridge)
