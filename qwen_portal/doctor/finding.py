"""A finding: one line of the diagnosis, safe to paste into a bug report."""

import contextlib
import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from qwen_portal.errors import QwenError
from qwen_portal.secrets import printable
from qwen_portal.session import Session

State = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line of the diagnosis.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``warn`` (it works, but), or ``fail``.
        text: What was found.
        remedy: What mends it; empty for ``ok``.
    """

    name: str
    state: State
    text: str
    remedy: str = ""


def failed(name: str, error: Exception) -> Finding:
    """Make the finding of a check that ended with an error, ours or, by a defect, another."""
    if isinstance(error, QwenError):
        return Finding(name, "fail", without_home(error.message), without_home(error.hint))
    text = f"could not be looked at: {type(error).__name__}: {without_home(printable(str(error)))}"
    return Finding(name, "fail", text, "This is a defect of the check itself; please report it.")


def without_home(text: str | Path) -> str:
    """Leave out the user's name, which most home folders have in them."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
    return str(text).replace(home, "~") if len(home) > 1 else str(text)


def without_labels(session: Session, finding: Finding) -> Finding:
    """Leave out what the accounts are called: many are called by a mail address."""
    named = {session.settings.account or ""}
    with contextlib.suppress(Exception):
        named.update(session.accounts.index.read().accounts)
    text, remedy = finding.text, finding.remedy
    for label in named - {"", "default"}:
        pattern = rf"(?<!\w){re.escape(label)}(?!\w)"
        text, remedy = re.sub(pattern, "LABEL", text), re.sub(pattern, "LABEL", remedy)
    return finding._replace(text=text, remedy=remedy)
