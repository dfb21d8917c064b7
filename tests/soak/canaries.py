"""The word that every token of a soak begins with, and a watch for it in logs and errors."""

import logging
import traceback

CANARY = "CANARY-"


class CanaryWatch(logging.Handler):
    """Reads what the package logs, and what it raises.

    Attributes:
        found: Where a token stood in the open, without the token.
        records: How many log records were read.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Read a log record."""
        self.records += 1
        self._read(f"a log record of {record.name}", record.getMessage())

    def read_error(self, error: BaseException) -> None:
        """Read an error, with its cause and its context, as a program would print it."""
        text = "".join(traceback.format_exception(error))
        self._read(f"a {type(error).__name__}", f"{text}\n{error!r}\n{vars(error)!r}")

    def _read(self, where: str, text: str) -> None:
        if CANARY in text:
            self.found.append(f"{where}: {text.replace(CANARY, '<secret>')[:400]}")
