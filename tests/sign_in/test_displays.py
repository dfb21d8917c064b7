"""What a person sees while signing in: nothing from a server is obeyed, and no browser opens where nobody sits."""

import contextlib
import io
import re
import subprocess
import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_portal import environment
from qwen_portal.sign_in.device_flow import LoginEvent
from qwen_portal.sign_in.display import default_display
from qwen_portal.sign_in.notebook import NotebookDisplay
from qwen_portal.sign_in.terminal import TerminalDisplay

URL = "https://chat.qwen.ai/authorize?user_code=ABCD2345&client=qwen-code"
ASK = LoginEvent("device_code", user_code="ABCD2345", verification_uri=URL, expires_in=900)
HOSTILE = (
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[1;1Hcleared",
    "\x9b2Jcleared",
    "one\nqwen-portal: sign in at https://evil.example",
    "[red]markup[/red] [link=https://evil.example]here[/link]",
    ":warning:",
    "\u202eltr.exe",
    "<script>alert(1)</script>",
    "\" onclick='alert(1)",
)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Stderr(io.StringIO):
    """A stderr that is a terminal or not."""

    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Name what the terminal understands."""
        return self._encoding

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return self._terminal


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sit at a Linux desktop with a graphical browser, and collect what it is asked to open."""
    pages: list[str] = []
    for name in (*environment._SSH, *environment._CONTAINER, "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(environment, "_CONTAINER_FILES", ())
    monkeypatch.setattr("webbrowser.get", lambda: SimpleNamespace(name="firefox"))

    def note(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        pages.append(command[-1])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("qwen_portal.sign_in.browser.subprocess.run", note)
    return pages


def shown(*events: LoginEvent, stderr: Stderr | None = None, **options: Any) -> str:
    """Show events on a stderr, by default a UTF-8 terminal, and return what was written."""
    stderr = stderr if stderr is not None else Stderr()
    with contextlib.redirect_stderr(stderr):
        screen = TerminalDisplay(**options)
        for event in events:
            screen(event)
    return stderr.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_does_not_obey_the_server(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, text: str, terminal: bool
) -> None:
    """Of all escape sequences only our own colours remain; markup and emoji codes are printed as they came."""
    events = [
        LoginEvent("device_code", user_code=text, verification_uri=f"https://chat.qwen.ai/{text}", expires_in=9),
        LoginEvent("pending", message=text),
        LoginEvent("success", account=text, store=text, trial="unknown", message=text),
    ]
    output = shown(*events, stderr=Stderr(terminal=terminal), qr=False)
    assert "\x1b" not in COLOUR.sub("", output)
    assert not set(output) & {"\x9b", "\u202e", "\r", "\x07"}
    assert not re.search(r"^qwen-portal: ", output, re.MULTILINE)
    if "[red]" in text or ":warning:" in text:
        assert COLOUR.sub("", output).count(text) == 5


def test_a_pipe_gets_plain_lines(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is no colour, no drawing and no browser; the address stays whole on its line."""
    monkeypatch.setenv("COLUMNS", "20")
    output = shown(ASK, stderr=Stderr(terminal=False))
    assert f"\n  {URL}\n" in output
    assert "\n  ABCD2345\n" in output
    assert "\x1b" not in output
    assert "█" not in output
    assert opened == []


def test_the_page_opens_in_front_of_a_person(opened: list[str]) -> None:
    """At a desktop's terminal the browser opens once, and the address is printed all the same."""
    output = shown(ASK)
    assert opened == [URL]
    assert URL in COLOUR.sub("", output)
    assert "opened in your browser" in output


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY", "CI", "container", "KUBERNETES_SERVICE_HOST"])
def test_no_browser_opens_far_from_the_person(opened: list[str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Over SSH, in CI and in containers the page would open where nobody sees it."""
    monkeypatch.setenv(name, "1")
    assert URL in COLOUR.sub("", shown(ASK))
    assert opened == []


def test_no_browser_opens_in_a_container(opened: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file that container engines leave is enough."""
    monkeypatch.setattr(environment, "_CONTAINER_FILES", (tmp_path,))
    shown(ASK)
    assert opened == []


def test_no_browser_opens_without_a_display(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux a browser needs one; on other systems it does not."""
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    shown(ASK)
    assert opened == []
    monkeypatch.setattr(sys, "platform", "darwin")
    shown(ASK)
    assert opened == [URL]


@pytest.mark.parametrize("wish", [None, True])
@pytest.mark.parametrize("name", ["w3m", "/usr/bin/lynx", "www-browser"])
def test_a_text_browser_never_takes_the_terminal(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, wish: bool | None, name: str
) -> None:
    """Not even when a browser was asked for."""
    monkeypatch.setattr("webbrowser.get", lambda: SimpleNamespace(name=name))
    shown(ASK, open_browser=wish)
    assert opened == []


def test_whoever_says_no_gets_no_browser(opened: list[str]) -> None:
    """open_browser=False, which is --no-browser, is the last word."""
    shown(ASK, open_browser=False)
    assert opened == []


def test_whoever_asks_gets_a_browser_over_ssh(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """open_browser=True overrides the guess, as with a forwarded display."""
    monkeypatch.setenv("SSH_CONNECTION", "1")
    shown(ASK, open_browser=True)
    assert opened == [URL]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)", "--help"])
def test_only_web_pages_are_opened(opened: list[str], url: str) -> None:
    """Whatever the server calls a page, a browser is given http and https alone."""
    shown(LoginEvent("device_code", user_code="A", verification_uri=url, expires_in=9), open_browser=True)
    assert opened == []


def test_a_browser_that_fails_is_no_error(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is on the screen; the sign-in goes on."""

    def fail(*url: str) -> bool:
        raise webbrowser.Error

    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr("qwen_portal.sign_in.browser.subprocess.run", refuse)
    assert "opened in your browser" not in shown(ASK)
    monkeypatch.setattr("webbrowser.get", fail)
    assert "opened in your browser" not in shown(ASK, open_browser=True)


def test_a_qr_code_is_drawn_where_everything_fits(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """120 columns and 40 lines have room; every line of the drawing is whole, and the first line stays in view."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "40")
    output = shown(ASK)
    lines = [line for line in output.splitlines() if "█" in line]
    assert len(lines) > 15
    assert len({len(line) for line in lines}) == 1
    assert len(output.splitlines()) < 40


@pytest.mark.parametrize(("columns", "lines"), [("80", "24"), ("30", "50"), ("40", "30")])
def test_no_qr_code_is_drawn_where_it_would_push_something_out(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, columns: str, lines: str
) -> None:
    """A terminal without room for the drawing and all the words gets the words."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    assert "█" not in shown(ASK)


@pytest.mark.parametrize("columns", ["40", "80", "120"])
def test_the_address_is_the_last_thing_on_the_screen(
    opened: list[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """Whoever waits has it before the eyes, whole, and nothing below it moves it away; no word is cut."""
    monkeypatch.setenv("COLUMNS", columns)
    *before, last = COLOUR.sub("", shown(ASK)).splitlines()
    assert last == f"  {URL}"
    assert all(len(line) <= int(columns) for line in before)
    assert "`qwen-portal login --plan studio-intl`" in "\n".join(before)


def test_no_qr_code_is_drawn_that_nobody_can_read(opened: list[str]) -> None:
    """Another encoding than UTF-8, or --no-qr: the address alone."""
    assert "█" not in shown(ASK, stderr=Stderr(encoding="latin-1"))
    assert "█" not in shown(ASK, qr=False)


def test_the_same_hiccup_is_told_once(opened: list[str]) -> None:
    """A network that is away for ten polls is one line, not ten."""
    output = shown(*[LoginEvent("pending", message="No network.")] * 10, LoginEvent("pending"))
    assert output.count("No network.") == 1


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("keyring", "kept in the keyring."),
        ("file", "kept in a file."),
        ("file:/data/token", "kept in the file /data/token."),
        ("memory", "kept in this process's memory, until it ends."),
    ],
)
def test_the_place_is_named(opened: list[str], store: str, said: str) -> None:
    """And a place that does not encrypt is warned about."""
    output = shown(LoginEvent("success", account="work", store=store))
    assert said in output
    assert ("not encrypted" in output) == store.startswith("file")


class Notebook:
    """A kernel's display, as far as a screen uses it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import IPython.display

        self.blocks: list[str] = []
        monkeypatch.setattr(IPython.display, "display", self.display)

    def display(self, block: Any, *, display_id: bool) -> "Notebook":
        """Show a block that can be replaced."""
        assert display_id
        self.update(block)
        return self

    def update(self, block: Any) -> None:
        """Replace it."""
        self.blocks.append(block.data)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_notebook_does_not_obey_the_server(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What the server says is text between the tags, and never ends an attribute."""
    notebook, screen = Notebook(monkeypatch), NotebookDisplay()
    screen(LoginEvent("device_code", user_code=text, verification_uri=f"https://chat.qwen.ai/{text}", expires_in=9))
    screen(LoginEvent("success", account=text, store=text, trial="unknown", message=text))
    screen(LoginEvent("error", message=text))
    tags = set(re.findall(r"<[^>]*>", "".join(notebook.blocks)))
    harmless = {"<p>", "</p>", "</a>", '<p style="font:bold 1.6em monospace">', '<p style="color:#b00020">'}
    (link,) = tags - harmless
    assert re.fullmatch(r'<a href="[^"]*" target="_blank" rel="noopener noreferrer">', link)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ("works", "Its service takes the key."),
        ("refused", "refused the key, which is kept all the same: because."),
        ("unknown", "could not be tried, and is kept all the same: because."),
        ("unchecked", "The key was not tried."),
    ],
)
def test_a_keys_trial_is_told(monkeypatch: pytest.MonkeyPatch, trial: str, said: str) -> None:
    """In a notebook as in a terminal, with the reason where there is one."""
    message = "because." if trial in {"refused", "unknown"} else ""
    event = LoginEvent("success", account="team", store="keyring", trial=trial, message=message)
    notebook = Notebook(monkeypatch)
    NotebookDisplay()(event)
    assert said in notebook.blocks[-1]
    assert said in " ".join(shown(event).split())


def test_a_notebook_makes_links_of_web_pages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """javascript: stays text."""
    notebook = Notebook(monkeypatch)
    NotebookDisplay()(LoginEvent("device_code", verification_uri="javascript:alert(1)", expires_in=9))
    assert "<a " not in notebook.blocks[0]


def test_a_notebook_updates_one_block(monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    """The code goes when it is used; no browser opens on the machine of the kernel unless asked for."""
    notebook = Notebook(monkeypatch)
    screen = NotebookDisplay()
    for event in (ASK, LoginEvent("pending"), LoginEvent("success", account="work", store="keyring")):
        screen(event)
    first, last = notebook.blocks
    assert "ABCD2345" in first
    assert "ABCD2345" not in last
    assert "interrupt the cell" in first
    assert opened == []
    NotebookDisplay(open_browser=True)(ASK)
    assert opened == [URL]


def test_a_kernel_gets_the_notebook_screen_and_a_shell_the_terminal_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython in a terminal is a terminal; only a shell with a kernel is a notebook."""
    for shell, kind in ((SimpleNamespace(kernel=object()), NotebookDisplay), (object(), TerminalDisplay)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert type(default_display()) is kind
    monkeypatch.delitem(sys.modules, "IPython")
    assert type(default_display()) is TerminalDisplay
