"""Tables and labels that several commands print alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qwen_portal.errors import QwenTokenNotAvailableError

if TYPE_CHECKING:
    from qwen_portal.session import Session


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns; rich would cost more time than `status` has."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def account_in_use(session: "Session") -> str | None:
    """Return the label of the account that serves a call which names none."""
    try:
        return session.choose().label
    except QwenTokenNotAvailableError:
        return None
