"""The browser for the sign-in page: whether to open one, and how."""

import os
import sys
import webbrowser
from pathlib import Path

from qwen_portal.environment import is_container, is_ssh

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
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def is_web_address(url: str) -> bool:
    """Tell whether a browser may be given this; a server could name a file or a script."""
    return url.startswith(("https://", "http://"))
