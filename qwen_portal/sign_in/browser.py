"""The browser for the sign-in page: whether to open one, and how."""

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

from qwen_portal.environment import is_container, is_ssh, without_secrets

# A graphical browser is handed the page and lets go.
_SECONDS = 10.0
_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
_TEXT_BROWSERS = frozenset({"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh"})


def may_open(*, requested: bool | None, is_terminal: bool) -> bool:
    """Tell whether a browser that opens now would open in front of the person who asked for it."""
    if requested is False or _is_text_browser():
        return False
    if requested:
        return True
    if not is_terminal or is_ssh() or is_container() or os.environ.get("CI"):
        return False
    return not sys.platform.startswith("linux") or any(os.environ.get(x) for x in ("DISPLAY", "WAYLAND_DISPLAY"))


def _is_text_browser() -> bool:
    """Tell whether the browser would take over the terminal, or there is none."""
    try:
        name = str(getattr(webbrowser.get(), "name", ""))
    except webbrowser.Error:
        return True
    return Path(name).name in _TEXT_BROWSERS


def open_page(url: str) -> bool:
    """Open a page, if it is one of the web; tell whether that worked."""
    if not is_web_address(url):
        return False
    # The browser is a child of the program that opens it, and outlives it: it inherits no key.
    command = [sys.executable, "-I", "-c", _OPEN, url]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the address is a web page's of an allowed host
            command, env=without_secrets(), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def is_web_address(url: str) -> bool:
    """Tell whether a browser may be given this; a server could name a file or a script."""
    return url.startswith(("https://", "http://"))
