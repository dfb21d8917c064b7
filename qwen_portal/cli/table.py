"""Tables, labels and records that several commands print alike."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qwen_portal.errors import QwenTokenNotAvailableError
from qwen_portal.secrets import printable
from qwen_portal.text import cells, columns, words, wrapped

if TYPE_CHECKING:
    from qwen_portal.account.record import Account
    from qwen_portal.session import Session

# Of a cell, in characters; and the narrowest column that a text is wrapped in.
_WIDEST, _NARROWEST = 1000, 24
_GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns, safe for a terminal; rich would cost more time than `status` has.

    At a terminal that is too narrow for it, the last column is wrapped, or goes below its row; or each row is a list.
    """
    # the index and the files that the cells are from may have been written by anybody
    lines = [list(head), *([printable(cell, limit=_WIDEST) for cell in row] for row in rows)]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(head))]
    room, before = columns(sys.stdout), sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    if room is None or before + widths[-1] <= room:
        return "\n".join(_row(line, widths) for line in lines)
    if widths[-1] < _NARROWEST or before > room:
        return "\n\n".join(_list(lines[0], line, room) for line in lines[1:])
    longest = max(cells(word) for line in lines for word in words(line[-1]))
    rest = " " * (before if before + max(longest, _NARROWEST) <= room else 2 * len(_GAP))
    return "\n".join(_with_text(line, widths, before, room, rest) for line in lines)


def _row(line: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(cell + " " * (width - cells(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()


def _with_text(line: Sequence[str], widths: Sequence[int], before: int, room: int, rest: str) -> str:
    """Lay out a row whose last cell is longer than its line: beside the others, or below if it is indented less."""
    row = _row([*line[:-1], ""], widths)
    if len(rest) == before or before + cells(line[-1]) <= room:
        return wrapped(line[-1], room, first=row + " " * (before - cells(row)), rest=rest).rstrip()
    return f"{row}\n{wrapped(line[-1], room, first=rest, rest=rest)}"


def _list(head: Sequence[str], line: Sequence[str], room: int) -> str:
    """Write a row as a list, a line for each cell that there is."""
    width = max(map(len, head)) + len(_GAP)
    return "\n".join(_named(name, cell, width, room) for name, cell in zip(head, line, strict=True) if cell)


def _named(name: str, cell: str, width: int, room: int) -> str:
    if max(map(cells, words(cell))) > room - width:
        return f"{name}\n{wrapped(cell, room, first=_GAP, rest=_GAP)}"
    return wrapped(cell, room, first=f"{name:{width}}" if name else "", rest=" " * width)


def account_in_use(session: "Session") -> str | None:
    """Return the label of the account that serves a call which names none."""
    try:
        return session.choose().label
    except QwenTokenNotAvailableError:
        return None


def account_record(account: "Account", in_use: str | None) -> dict[str, Any]:
    """Return an account as JSON shows it, times in seconds since the epoch.

    Args:
        account: The account.
        in_use: The label that :func:`account_in_use` returned.
    """
    return {
        "label": account.label,
        "kind": account.kind,
        "plan": account.plan.name,
        "active": account.label == in_use,
        "store": account.store,
        "expires_at": None if account.expires_at is None else int(account.expires_at),
        "exhausted_until": int(account.exhausted_until or 0) if account.is_exhausted else None,
        "needs_login": account.needs_login,
    }
