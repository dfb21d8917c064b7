"""Everything that a program says, collected: its log at its most talkative, and what it prints."""

import logging
from collections.abc import Iterator

import pytest

from qwen_portal.emulator import Emulator


class Heard:
    """What was said so far.

    Args:
        log: Pytest's own copy of the log.
        printed: Pytest's own copy of stdout and stderr, those of C code and of children included.
    """

    def __init__(self, log: pytest.LogCaptureFixture, printed: pytest.CaptureFixture[str]) -> None:
        self._log = log
        self._printed = printed

    def text(self) -> str:
        """Return it, and begin anew."""
        said = self._log.text + "".join(self._printed.readouterr())
        self._log.clear()
        return said


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    """Turn every logger of the process to DEBUG, those of other libraries too, and listen."""
    caplog.set_level(logging.DEBUG)
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each, each.level, each.disabled) for each in loggers]
    deaf = [each for each in loggers if not each.propagate]
    for each in loggers:
        each.disabled = False
        each.setLevel(logging.DEBUG)
    for each in deaf:
        each.addHandler(caplog.handler)
    yield Heard(caplog, capfd)
    for each in deaf:
        each.removeHandler(caplog.handler)
    for each, level, disabled in before:
        each.setLevel(level)
        each.disabled = disabled


def secrets_of(emulator: Emulator) -> list[str]:
    """Return what a service and a client have told each other in confidence: codes, tokens and PKCE verifiers."""
    forms = [entry.body for entry in emulator.log("poll") if isinstance(entry.body, dict)]
    return emulator.issued_tokens() + [form["code_verifier"] for form in forms if "code_verifier" in form]
