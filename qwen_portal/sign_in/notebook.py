"""A sign-in shown in a notebook: one block of HTML below the cell, updated in place.

Text that came from the server is never taken for HTML.
"""

import html
import sys
from typing import Any

from qwen_portal.sign_in.browser import is_web_address, open_page
from qwen_portal.sign_in.device_flow import LoginEvent
from qwen_portal.sign_in.wording import PHISHING_NOTE, SERVICE_NOTE, clean, minutes, ready, warnings


class NotebookDisplay:
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
                open_page(clean(event.verification_uri))
        elif event.kind == "success":
            self._show(self._done(event))
        elif event.kind == "error":
            self._show(f'<p style="color:#b00020">{_escaped(event.message)}</p>')

    def _ask(self, event: LoginEvent) -> str:
        url = _escaped(event.verification_uri)
        link = url
        if is_web_address(event.verification_uri):
            link = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{url}</a>'
        return (
            f"<p>{_escaped(SERVICE_NOTE)}</p>"
            f"<p>{_escaped(PHISHING_NOTE.replace('press Ctrl-C', 'interrupt the cell'))}</p>"
            f"<p>Open {link} and check that it shows this code:</p>"
            f'<p style="font:bold 1.6em monospace">{_escaped(event.user_code)}</p>'
            f"<p>Waiting for your answer there; the code is good for {minutes(event.expires_in)}.</p>"
        )

    def _done(self, event: LoginEvent) -> str:
        return "".join(f"<p>{_escaped(line)}</p>" for line in (ready(event), *warnings(event.store)))

    def _show(self, markup: str) -> None:
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(markup), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(HTML(markup))  # type: ignore[no-untyped-call]


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this; whoever has one has imported IPython already."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _escaped(text: str) -> str:
    return html.escape(clean(text), quote=True)
