"""The default display of a sign-in: HTML in a notebook, else lines on stderr."""

from qwen_portal.sign_in.device_flow import Show
from qwen_portal.sign_in.notebook import NotebookDisplay, in_notebook
from qwen_portal.sign_in.terminal import TerminalDisplay


def default_display(*, open_browser: bool | None = None, qr: bool = True) -> Show:
    """Return what shows a sign-in here: HTML in a notebook, else lines on stderr.

    Args:
        open_browser: Whether to open the page; by default only where a person sits at a desktop's terminal. A
            browser that would take over the terminal is never opened, and the address is always printed.
        qr: Whether to draw the address as a QR code where the terminal has room for it.
    """
    if in_notebook():
        return NotebookDisplay(open_browser=bool(open_browser))
    return TerminalDisplay(open_browser=open_browser, qr=qr)
