"""A LiteLLM proxy with this provider, as a process of its own on this machine."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from qwen_portal.emulator import Emulator
from tests.children import loopback_only

PORTAL = [sys.executable, "-m", "qwen_portal"]
LITELLM = str(Path(sys.executable).with_name("litellm"))
# LiteLLM refuses keys that could be guessed.
KEY = f"sk-{secrets.token_hex(24)}"
_LIMIT = 180.0


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        url: Its root, which Anthropic's clients take; OpenAI's take ``url + "/v1"``.
        log: What it has written, on stdout and stderr.
        process: The process.
    """

    url: str
    log: Path
    process: subprocess.Popen[bytes]


def environment(emulator: Emulator, home: Path, **more: str) -> dict[str, str]:
    """Return the variables of a program whose account is at the emulator and whose sign-ins lie in a folder."""
    ours = {
        "QWEN_PORTAL_HOME": str(home),
        "QWEN_PORTAL_STORE": "file",
        "QWEN_PORTAL_OAUTH_URL": emulator.url,
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    return loopback_only() | ours | more


def sign_in(variables: dict[str, str]) -> None:
    """Sign the account ``default`` in."""
    command = [*PORTAL, "login", "--no-browser", "--no-qr"]
    subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT, check=True)


def configuration(folder: Path, variables: dict[str, str]) -> Path:
    """Write the configuration that ``qwen-portal proxy --config-only`` prints."""
    command = [*PORTAL, "proxy", "--config-only"]
    printed = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=_LIMIT, check=True).stdout
    path = folder / "config.yaml"
    path.write_text(printed, "utf-8")
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, log: Path, variables: dict[str, str]) -> Iterator[Proxy]:
    """Start a command that is a proxy on a port; it answers when the block is entered, and is ended after it."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    proxy = Proxy(f"http://127.0.0.1:{port}", log, process)
    try:
        _wait(proxy)
        yield proxy
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def replicas(count: int, folder: Path, variables: dict[str, str], *options: str) -> Iterator[list[Proxy]]:
    """Start ``litellm --config`` several times on one machine, all with one sign-in."""
    config = configuration(folder, variables)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running(
                    [LITELLM, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), *options],
                    port,
                    folder / f"proxy-{port}.log",
                    variables,
                )
            )
            for port in [free_port() for _ in range(count)]
        ]


def _wait(proxy: Proxy) -> None:
    deadline = time.monotonic() + _LIMIT
    while proxy.process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{proxy.url}/health/liveliness", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    text = proxy.log.read_text("utf-8", "replace")
    raise AssertionError(f"the proxy does not answer; it wrote: {text[-4000:]}")
