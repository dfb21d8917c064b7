"""The browser that opens the sign-in page is a child of the program, and outlives it."""

import json
import os
import sys
from pathlib import Path

import pytest

from qwen_portal.sign_in.browser import open_page

URL = "https://chat.qwen.ai/authorize?user_code=ABCD2345"
PROGRAM = "import json, os, sys; json.dump([sys.argv[1], dict(os.environ)], open(sys.argv[2], 'w'))"


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a program the browser; it writes down its page and its environment."""
    script, heard = tmp_path / "browser.py", tmp_path / "heard.json"
    script.write_text(PROGRAM)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s {heard}")
    return heard


def test_a_browser_inherits_no_key(heard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ours nor another service's; what it needs to show a window it has."""
    for name in ("QWEN_PORTAL_API_KEY", "LITELLM_MASTER_KEY", "QWEN_PORTAL_REDIS_KEY", "HF_TOKEN", "DB_PASSWORD"):
        monkeypatch.setenv(name, "sk-canary-of-this-test")
    monkeypatch.setenv("DISPLAY", ":7")
    assert open_page(URL)
    page, environment = json.loads(heard.read_text())
    assert page == URL
    assert "sk-canary-of-this-test" not in environment.values()
    assert environment["DISPLAY"] == ":7"
    assert environment["PATH"] == os.environ["PATH"]


def test_a_program_without_an_interpreter_opens_nothing(heard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python is part of another program there is none to start; the address is shown all the same."""
    monkeypatch.setattr(sys, "executable", "")
    assert not open_page(URL)
    assert not heard.exists()
