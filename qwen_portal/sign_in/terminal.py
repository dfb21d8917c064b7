"""A sign-in shown in a terminal: lines on stderr, with the page's address as a QR code where there is room.

Nothing here reads input, and text that came from the server is never taken for markup or a terminal's commands.
"""

from io import StringIO
from typing import TYPE_CHECKING

from qwen_portal.sign_in.browser import may_open, open_page
from qwen_portal.sign_in.device_flow import LoginEvent
from qwen_portal.sign_in.wording import PHISHING_NOTE, SERVICE_NOTE, clean, minutes, ready, warnings

if TYPE_CHECKING:
    from rich.console import Console

_QR_COLUMNS, _QR_LINES = 40, 24


class TerminalDisplay:
    """Lines on stderr.

    Args:
        open_browser: See :func:`qwen_portal.sign_in.display.default_display`.
        qr: See :func:`qwen_portal.sign_in.display.default_display`.
    """

    def __init__(self, *, open_browser: bool | None = None, qr: bool = True) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._open_browser = open_browser
        self._qr = qr
        self._last_message = ""

    def __call__(self, event: LoginEvent) -> None:
        """Show one event; an error is left to whoever gets the exception."""
        if event.kind == "device_code":
            self._ask(event)
        elif event.kind == "pending":
            self._wait(event)
        elif event.kind == "success":
            self._done(event)

    def _ask(self, event: LoginEvent) -> None:
        say, url, code = self._console.print, clean(event.verification_uri), clean(event.user_code)
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
        if may_open(requested=self._open_browser, is_terminal=self._console.is_terminal) and open_page(url):
            say("The page was opened in your browser.")
        say(f"Waiting for your answer there; the code is good for {minutes(event.expires_in)}. Ctrl-C cancels.")

    def _wait(self, event: LoginEvent) -> None:
        # the same hiccup at every poll is worth one line
        if event.message and event.message != self._last_message:
            self._last_message = event.message
            self._console.print(f"{clean(event.message)} Still trying.")

    def _done(self, event: LoginEvent) -> None:
        say = self._console.print
        say(ready(event))
        for line in warnings(event.store):
            say(line, style="yellow")
        say('Next: qwen-portal chat "Hello", or qwen-portal status')


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
