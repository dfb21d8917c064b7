"""The README's quick start for a key, typed in an empty HOME: three commands to the first answer."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from qwen_portal.emulator import Emulator
from tests.canaries import assert_none_in
from tests.cli.program import at_terminal, read_until

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
KEY = "sk-typed-by-a-person"


def commands() -> list[str]:
    """Return the lines of the block."""
    found = re.search(r"^## Three commands\n\n```sh\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1].splitlines()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is a POSIX thing")
def test_three_commands_lead_to_the_first_answer(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is installed already; the two others run as they stand, in one shell, and a key is typed."""
    install, *typed = commands()
    assert install == "pip install qwen-portal"
    assert len(typed) == 2
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    (programs / "qwen-portal").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m qwen_portal "$@"\n')
    (programs / "qwen-portal").chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("QWEN_PORTAL_HOME")
    # the emulator stands for the plan's host, the file for the keyring of a desktop
    monkeypatch.setenv("QWEN_PORTAL_BASE_URL", f"{emulator.url}/compatible-mode/v1")
    with at_terminal("-ec", "\n".join(typed), program=["sh"]) as (shell, person):
        shown = read_until(shell.stderr, "API key of the plan studio-intl: ")
        os.write(person, f"{KEY}\n".encode())
        answer, rest = shell.communicate()
    assert shell.returncode == 0, rest
    assert "Its service takes the key." in rest
    assert answer.strip()
    assert_none_in(shown + answer + rest, [KEY])
    assert [(entry.method, entry.path.rpartition("/")[2], entry.status) for entry in emulator.log()] == [
        ("GET", "models", 200),
        ("POST", "completions", 200),
    ]
    assert {entry.headers["authorization"] for entry in emulator.log()} == {f"Bearer {KEY}"}
