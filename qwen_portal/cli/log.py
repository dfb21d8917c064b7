"""The package's log, as a person at the command line is told it."""

import logging
import os

from qwen_portal.cli.talk import say


class _Spoken(logging.Handler):
    """Warnings are talk; an error is what the command itself ends with, and better said there."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.ERROR:
            say(f"Note: {record.getMessage()}")


def speak_log() -> None:
    """Have what the package logs told on stderr, unless QWEN_PORTAL_LOG says how, or somebody listens already."""
    logger = logging.getLogger("qwen_portal")
    if not logger.hasHandlers() and not os.environ.get("QWEN_PORTAL_LOG"):
        logger.addHandler(_Spoken(logging.WARNING))
