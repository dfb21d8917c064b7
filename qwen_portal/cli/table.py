"""Tables and labels that several commands print alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwen_portal.errors import QwenTokenNotAvailableError
from qwen_portal.secrets import printable

if TYPE_CHECKING:
    from qwen_portal.session import Session

_WIDEST = 1000


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns, safe for a terminal; rich would cost more time than `status` has."""
    # the index and the files that the cells are from may have been written by anybody
    lines = [head, *([printable(cell, limit=_WIDEST) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def account_in_use(session: "Session") -> str | None:
    """Return the label of the account that serves a call which names none."""
    try:
        return session.choose().label
    except QwenTokenNotAvailableError:
        return None
