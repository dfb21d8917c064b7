"""The line that says that a proxy is ready, with a request to try, once it takes connections."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from qwen_portal.cli.talk import say

# Between two looks, in seconds; LiteLLM takes some to start.
_PAUSE = 0.1
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what stands there is where to ask from here
# Each line fits 80 columns.
_TRY = """\
  curl {url}/v1/chat/completions \\{key}
    -H 'Content-Type: application/json' \\
    -d '{{"model":"coder-model","messages":[{{"role":"user","content":"Hello"}}]}}'"""
_KEY = """
    -H "Authorization: Bearer $LITELLM_MASTER_KEY" \\"""


@contextmanager
def ready_announced(host: str, port: int, *, since: float, guarded: bool) -> Iterator[None]:
    """Say that the proxy is ready as soon as it listens, while the block runs it.

    Args:
        host: What it listens on.
        port: The same.
        since: When the start began, by ``time.monotonic()``.
        guarded: Whether clients need a key.
    """
    over = threading.Event()
    host = _EVERYWHERE.get(host, host)

    def watch() -> None:
        while not _listens(host, port):
            if over.wait(_PAUSE):
                return
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        say(f"Ready after {time.monotonic() - since:.1f} s: {url}. Try it:")
        click.echo(_TRY.format(url=url, key=_KEY if guarded else ""), err=True)

    watcher = threading.Thread(target=watch, name="qwen-portal-proxy-ready", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
