"""How a row of the comparison is declared and run."""

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: The function's name, by which it is run.
        title: What the table says.
        check: Raises, or returns something false, if the model does not hold the row; may return a detail.
        environment: Variables of the process that checks it.
    """

    name: str
    title: str
    check: Check
    environment: dict[str, str] = field(default_factory=dict)


class DoesNotApplyError(Exception):
    """A row says nothing about this model; the text says why."""


ROWS: dict[str, Row] = {}


def row(title: str, **environment: str) -> Callable[[Check], Check]:
    """Declare a row."""

    def declare(check: Check) -> Check:
        ROWS[check.__name__] = Row(check.__name__, title, check, environment)
        return check

    return declare


def run(names: list[str], after_each: Callable[[], None]) -> None:
    """Check rows in this process; print one JSON line before and one after each."""
    for name in names:
        print(json.dumps({"row": name}), flush=True)
        holds: bool | None
        try:
            held = ROWS[name].check()
            holds, detail = bool(held), held if isinstance(held, str) else ""
        except DoesNotApplyError as reason:
            holds, detail = None, str(reason)
        except BaseException as error:  # noqa: BLE001 - whatever a peer raises is its answer to this row
            holds, detail = False, f"{type(error).__name__}: {error}"[:200]
            traceback.print_exc(file=sys.stderr)
        after_each()
        print(json.dumps({"row": name, "holds": holds, "detail": detail}), flush=True)
