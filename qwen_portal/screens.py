"""What a person sees while signing in, in a terminal or in a notebook.

All of it is talk: a terminal gets it on stderr. Nothing here reads input, and text that came from the server is
never taken for markup, HTML or a terminal's commands.
"""

import html
import os
import sys
import webbrowser
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_portal.secrets import printable
from qwen_portal.sign_in import LoginEvent, Show
from qwen_portal.surroundings import is_container, is_ssh

if TYPE_CHECKING:
    from rich.console import Console

SERVICE_NOTE = (
    "Since 2026-04-16 Qwen's free tier lets you sign in but refuses every chat. "
    "API keys work: qwen-portal login --plan coding-intl"
)
PHISHING_NOTE = (
    "Continue only if you started this sign-in yourself; if a site or a person gave you the code, press Ctrl-C."
)
INSECURE_NOTE = (
    "Warning: the sign-in is kept in a plain file that only your user can read; it is not encrypted.",
    "Programs that run as you can read it. A keyring is safer: QWEN_PORTAL_STORE=keyring",
)
_QR_COLUMNS, _QR_LINES = 40, 24
_TEXT_BROWSERS = frozenset({"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh"})


def default_screen(*, open_browser: bool | None = None, qr: bool = True) -> Show:
    """Return what shows a sign-in here: HTML in a notebook, else lines on stderr.

    Args:
        open_browser: Whether to open the page; by default only where a person sits at a desktop's terminal. A
            browser that would take over the terminal is never opened, and the address is always printed.
        qr: Whether to draw the address as a QR code where the terminal has room for it.
    """
    if _in_notebook():
        return NotebookScreen(open_browser=bool(open_browser))
    return TerminalScreen(open_browser=open_browser, qr=qr)


class TerminalScreen:
    """Lines on stderr.

    Args:
        open_browser: See :func:`default_screen`.
        qr: See :func:`default_screen`.
    """

    def __init__(self, *, open_browser: bool | None = None, qr: bool = True) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._open_browser = open_browser
        self._qr = qr
        self._told = ""

    def __call__(self, event: LoginEvent) -> None:
        """Show one event; an error is left to whoever gets the exception."""
        if event.kind == "device_code":
            self._ask(event)
        elif event.kind == "pending":
            self._wait(event)
        elif event.kind == "success":
            self._done(event)

    def _ask(self, event: LoginEvent) -> None:
        say, url, code = self._console.print, _clean(event.verification_uri), _clean(event.user_code)
        say(SERVICE_NOTE, style="dim")
        say()
        say(PHISHING_NOTE)
        say()
        say("Open this page:")
        say(f"  {url}", style="bold")
        say("and check that it shows this code:")
        say(f"  {code}", style="bold")
        if self._qr and (drawing := _qr_code(url, self._console)):
            say()
            say(drawing)
        say()
        if _may_open(wish=self._open_browser, is_terminal=self._console.is_terminal) and _open(url):
            say("The page was opened in your browser.")
        say(f"Waiting for your answer there; the code is good for {_minutes(event.expires_in)}. Ctrl-C cancels.")

    def _wait(self, event: LoginEvent) -> None:
        # the same hiccup at every poll is worth one line
        if event.message and event.message != self._told:
            self._told = event.message
            self._console.print(f"{_clean(event.message)} Still trying.")

    def _done(self, event: LoginEvent) -> None:
        say = self._console.print
        say(f"Account {_clean(event.account)!r} is ready, kept in {_place(event.store)}.")
        for line in _warnings(event.store):
            say(line, style="yellow")
        say('Next: qwen-portal chat "Hello", or qwen-portal status')


class NotebookScreen:
    """One block of HTML below the cell, updated in place; no widgets.

    Args:
        open_browser: Whether to open the page; in a notebook a person clicks the link instead.
    """

    def __init__(self, *, open_browser: bool = False) -> None:
        self._open_browser = open_browser
        self._handle: Any = None

    def __call__(self, event: LoginEvent) -> None:
        """Show one event."""
        if event.kind == "device_code":
            self._show(self._ask(event))
            if self._open_browser:
                _open(_clean(event.verification_uri))
        elif event.kind == "success":
            self._show(self._done(event))
        elif event.kind == "error":
            self._show(f'<p style="color:#b00020">{_escaped(event.message)}</p>')

    def _ask(self, event: LoginEvent) -> str:
        url = _escaped(event.verification_uri)
        link = url
        if _is_web_address(event.verification_uri):
            link = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{url}</a>'
        return (
            f"<p>{_escaped(SERVICE_NOTE)}</p>"
            f"<p>{_escaped(PHISHING_NOTE.replace('press Ctrl-C', 'interrupt the cell'))}</p>"
            f"<p>Open {link} and check that it shows this code:</p>"
            f'<p style="font:bold 1.6em monospace">{_escaped(event.user_code)}</p>'
            f"<p>Waiting for your answer there; the code is good for {_minutes(event.expires_in)}.</p>"
        )

    def _done(self, event: LoginEvent) -> str:
        said = f"Account {_clean(event.account)!r} is ready, kept in {_place(event.store)}."
        return "".join(f"<p>{_escaped(line)}</p>" for line in (said, *_warnings(event.store)))

    def _show(self, markup: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(markup), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(HTML(markup))  # type: ignore[no-untyped-call]


def _in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this; whoever has one has imported IPython already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _may_open(*, wish: bool | None, is_terminal: bool) -> bool:
    """Tell whether a browser that opens now would open in front of the person who asked for it."""
    if wish is False or _is_text_browser():
        return False
    if wish:
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


def _open(url: str) -> bool:
    if not _is_web_address(url):
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def _is_web_address(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _qr_code(url: str, console: "Console") -> str:
    """Draw an address, or return ``""`` where the terminal cannot show it whole."""
    if not console.is_terminal or console.encoding != "utf-8":
        return ""
    if console.width < _QR_COLUMNS or console.height < _QR_LINES:
        return ""
    import segno

    drawing = StringIO()
    segno.make(url, micro=False, error="l", boost_error=False).terminal(drawing, border=2, compact=True)
    text = drawing.getvalue().rstrip("\n")
    return text if max(map(len, text.splitlines())) <= console.width else ""


def _place(store: str) -> str:
    kind, _, where = _clean(store).partition(":")
    names = {"keyring": "the keyring", "file": "a file", "memory": "this process's memory, until it ends"}
    return f"the file {where}" if kind == "file" and where else names.get(kind, kind)


def _warnings(store: str) -> tuple[str, ...]:
    return INSECURE_NOTE if store.partition(":")[0] == "file" else ()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"  # noqa: PLR2004 - two minutes


def _clean(text: str) -> str:
    # The core has cleaned it already; whoever calls a screen with events of their own may not have.
    return printable(text, limit=2000)


def _escaped(text: str) -> str:
    return html.escape(_clean(text), quote=True)
