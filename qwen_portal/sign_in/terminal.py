"""A sign-in shown in a terminal: lines on stderr, with the page's address as a QR code where there is room.

Nothing here reads input, and text that came from the server is never taken for markup or a terminal's commands.
"""

from io import StringIO
from typing import TYPE_CHECKING

from qwen_portal.sign_in.browser import may_open, open_page
from qwen_portal.sign_in.device_flow import LoginEvent
from qwen_portal.sign_in.wording import PHISHING_NOTE, SERVICE_NOTE, clean, minutes, ready, warnings
from qwen_portal.text import cells, wrapped

if TYPE_CHECKING:
    from rich.console import Console

# A text and how it is written.
_Line = tuple[str, str]
_PLAIN, _BLANK = "none", ("", "none")


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
        """Show the code and, as what stays in view while waiting, the page's address."""
        url = clean(event.verification_uri)
        is_open = may_open(requested=self._open_browser, is_terminal=self._console.is_terminal) and open_page(url)
        opened = (
            "The page was opened in your browser. If you do not see it, open this one" if is_open else "Open this page"
        )
        before = [
            (SERVICE_NOTE, "dim"),
            _BLANK,
            (PHISHING_NOTE, _PLAIN),
            _BLANK,
            (f"Your code, good for {minutes(event.expires_in)} (Ctrl-C cancels):", _PLAIN),
            (f"  {clean(event.user_code)}", "bold"),
            _BLANK,
        ]
        after = [(f"{opened}, and answer there if it shows the same code:", _PLAIN), (f"  {url}", "bold")]
        drawing = _qr_code(url, self._console) if self._qr else ""
        self._say(*before)
        if drawing and self._height([*before, (drawing, _PLAIN), _BLANK, *after]) < self._console.height:
            self._console.print(f"{drawing}\n")
        self._say(*after)

    def _wait(self, event: LoginEvent) -> None:
        # the same hiccup at every poll is worth one line
        if event.message and event.message != self._last_message:
            self._last_message = event.message
            self._say((f"{clean(event.message)} Still trying.", _PLAIN))

    def _done(self, event: LoginEvent) -> None:
        self._say((ready(event), _PLAIN), *((line, "yellow") for line in warnings(event.store)))
        self._say(('Next: `qwen-portal chat "Hello"`, or `qwen-portal status`', _PLAIN))

    def _say(self, *lines: _Line) -> None:
        for text, style in lines:
            self._console.print(self._laid_out(text), style=style)

    def _laid_out(self, text: str) -> str:
        return wrapped(text, self._console.width if self._console.is_terminal else None)

    def _height(self, lines: list[_Line]) -> int:
        """Return how many lines of the terminal some lines take."""
        parts = [part for text, _ in lines for part in self._laid_out(text).split("\n")]
        return sum(max(1, -(-cells(part) // self._console.width)) for part in parts)


def _qr_code(url: str, console: "Console") -> str:
    """Draw an address, or return ``""`` where the terminal cannot show the drawing."""
    if not console.is_terminal or console.encoding != "utf-8":
        return ""
    import segno

    drawing = StringIO()
    segno.make(url, micro=False, error="l", boost_error=False).terminal(drawing, border=2, compact=True)
    text = drawing.getvalue().rstrip("\n")
    return text if max(map(len, text.splitlines())) <= console.width else ""
