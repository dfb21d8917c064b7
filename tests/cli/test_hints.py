"""Hints in the words of the command line: nothing is proposed that can be said in Python alone."""

import re

import pytest

from qwen_portal.cli.hints import hint_of
from qwen_portal.emulator import Emulator
from qwen_portal.errors import QwenError, QwenStreamError
from tests.cli.program import run
from tests.login_never_lost.accounts import sign_in_as

IN_PYTHON = re.compile(r"partial_text|\b[a-z_]+=")


def test_a_stream_that_broke_off_points_to_what_stands_above() -> None:
    """The command line has printed it; there is no error to look into."""
    assert "what was received is above" in hint_of(QwenStreamError("It broke off."))


def test_a_quota_s_hint_names_the_variable_alone(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """No constructor's argument beside it."""
    sign_in_as("a", "b")
    monkeypatch.setenv("QWEN_PORTAL_ON_QUOTA", "error")
    emulator.set_quota(0)
    result = run("chat", "Hello")
    assert result.exit_code == 5
    assert "put switch into QWEN_PORTAL_ON_QUOTA: then" in result.stderr
    assert not IN_PYTHON.search(result.stderr)


def test_what_is_no_word_of_python_stays_as_it_is() -> None:
    """Most hints are commands and settings anyway."""
    hint = "Set QWEN_PORTAL_STORE=file, or run `qwen-portal login --plan studio-intl`."
    assert hint_of(QwenError("", hint=hint)) == hint
